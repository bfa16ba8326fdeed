"""Grade of an audit: A to D by rules that are the same for every mask."""

from tfdepthviz.evaluation.audit.result import FAILED, PASSED, UNCLEAR
from tfdepthviz.evaluation.paired import too_few

NOT_AUDITED = "not audited"
# What a mask has to show, and what would refute it.
NEED = ("controls",)
LEAKS = ("swap", "flat_fill", "mask_only", "evaluator")
# One of these may fail: an honest mask can, where N's depth is the place of an object.
OTHERS = ("encode_meter", "operators", "order", "stability", "seeds", "sanity")
# These need further networks and are not asked of every audit; without them there is no A.
FURTHER = ("evaluator", "seeds", "sanity")

RULES = {
    "A": "all tests were run, and all are passed.",
    "B": "the mask is ahead of every control, no test of leaks failed, and at most one of the "
    "other tests did.",
    "C": "no test of leaks failed, but the lead over the controls is not clear, or two or more of "
    "the other tests failed.",
    "D": "the mask is no better than a control, or a test of leaks failed.",
    NOT_AUDITED: "fewer than 20 images, or a test that needs no further network was not run.",
}


def grade(verdicts, images):
    """The grade of a mask.

    Args:
      verdicts: name of a test -> PASSED, FAILED or UNCLEAR; tests that were not run are missing.
      images: number of images that the tests were run on.
    Returns:
      a key of RULES.
    """
    every = (*NEED, *LEAKS, *OTHERS)
    if too_few(images) or any(name not in verdicts for name in every if name not in FURTHER):
        return NOT_AUDITED
    failed = {name for name, verdict in verdicts.items() if verdict == FAILED}
    if failed & {*NEED, *LEAKS}:
        return "D"
    if verdicts["controls"] == UNCLEAR or len(failed) > 1:
        return "C"
    return "A" if all(verdicts.get(name) == PASSED for name in every) else "B"
