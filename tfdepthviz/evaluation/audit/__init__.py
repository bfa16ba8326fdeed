"""Audit: tests that could prove a mask wrong, and a grade.

subject = Subject(target, ranking(mask_net), images)
results = {name: run_test(name, subject) for name in CHEAP}
print(grade({name: result.verdict for name, result in results.items()}, len(images)))
"""

import dataclasses

from tfdepthviz.evaluation.audit.agreement import sanity, seeds
from tfdepthviz.evaluation.audit.evaluators import evaluator
from tfdepthviz.evaluation.audit.grade import FURTHER, NOT_AUDITED, RULES, grade
from tfdepthviz.evaluation.audit.leaks import flat_fill, swap
from tfdepthviz.evaluation.audit.operators import operators
from tfdepthviz.evaluation.audit.result import FAILED, PASSED, UNCLEAR, Result
from tfdepthviz.evaluation.audit.shape import encode_meter, mask_only
from tfdepthviz.evaluation.audit.stability import stability
from tfdepthviz.evaluation.audit.subject import Subject
from tfdepthviz.evaluation.audit.sufficiency import controls, order
from tfdepthviz.evaluation.paired import too_few

__all__ = [
    "CHEAP",
    "FAILED",
    "NOT_AUDITED",
    "PASSED",
    "RULES",
    "TESTS",
    "UNCLEAR",
    "Result",
    "Subject",
    "grade",
    "run_test",
]

# Name -> test, the cheap ones first.
TESTS = {
    "swap": swap,
    "flat_fill": flat_fill,
    "stability": stability,
    "mask_only": mask_only,
    "encode_meter": encode_meter,
    "controls": controls,
    "operators": operators,
    "order": order,
    "seeds": seeds,
    "sanity": sanity,
    "evaluator": evaluator,
}
# Tests that need nothing but N, G and images.
CHEAP = tuple(name for name in TESTS if name not in FURTHER)


def run_test(name, subject, *further):
    """Runs one test.

    Args:
      name: a key of TESTS.
      subject: Subject.
      further: N_e for "evaluator"; a list of rankings for "seeds" and "sanity".
    Returns:
      Result; below 20 images its verdict is UNCLEAR, whatever came out.
    """
    result = TESTS[name](subject, *further)
    few = too_few(len(subject.images))
    return dataclasses.replace(result, verdict=UNCLEAR, says=few.rstrip(".")) if few else result
