"""Checked network: tables, pictures and findings on N, and on a training step of G with it."""

import dataclasses
import math

from tfdepthviz import evaluation
from tfdepthviz.data import pipeline, samples
from tfdepthviz.evaluation.kind_check import check_kind_of_output
from tfdepthviz.reports import check_page
from tfdepthviz.reports.check_page import Section
from tfdepthviz.reports.wording import ALIGNED
from tfdepthviz.utils.errors import is_out_of_memory
from trainers.cli.checked_frames import Checked
from trainers.engine.step_cost import step_cost
from trainers.engine.training_lines import in_words

# Frames that N is rated on, and that are drawn.
RATED, DRAWN = 20, 4


def checked_network(target, raw):
    """N on frames of the data set: errors, pictures, and whether its output means what it should.

    Args:
      target: N, a DepthTarget.
      raw: raw examples of validation frames.
    Returns:
      Checked.
    """
    few = pipeline.evenly(raw, RATED)[0]
    sizes = {"input_size": target.input_size, "depth_size": target.input_size}
    result = evaluation.evaluate_depth(
        target, pipeline.evaluation_batches(few, **sizes, batch_size=1)
    )
    kind, place = _kind(target, few)
    checked = Checked(summary={"network": _summary(target, result, kind)})
    if doubt := kind and kind.doubt():
        checked.findings.append(
            f"--depth_kind={target.depth_kind} looks wrong: {doubt}. Measured on {place}."
        )
    texts = [
        f"N sees {target.input_size[1]}x{target.input_size[0]} pixels and gives "
        f"{target.output_size[1]}x{target.output_size[0]}."
    ]
    if kind:
        texts.append(
            f"Rank correlation of its output with measured depth: {kind.correlation:+.2f} (median "
            f"of {kind.frames} frames, {place})."
        )
    rows = []
    if result.images_with_truth:
        if target.depth_kind != "metric":
            texts.append(ALIGNED)
        rows = [check_page.error_row(f"{result.images} validation frames", result.rows[0])]
    else:
        texts.append("These frames have no measured depth to rate it with.")
    batch = pipeline.spread(few, DRAWN, input_size=target.input_size, depth_size=target.output_size)
    pictures = [("", picture) for picture in check_page.draw_estimates(target, batch)]
    checked.sections["Depth network N"] = Section(texts, check_page.ERROR_HEADINGS, rows, pictures)
    return checked


def _kind(target, raw):
    """KindCheck on the frames, or else on embedded ones, and which these are in words."""
    sizes = {"input_size": target.input_size, "depth_size": target.output_size}
    kind = check_kind_of_output(target, pipeline.spread(raw, RATED, **sizes))
    if kind:
        return kind, "frames of the data set"
    embedded = samples.files("validation").examples()
    return check_kind_of_output(
        target, pipeline.spread(embedded, RATED, **sizes)
    ), "embedded frames"


def _summary(target, result, kind):
    errors = {name: result.rows[0][name] for name in evaluation.TRUTH_COLUMNS}
    return {
        "depth_kind": target.depth_kind,
        "input_size": target.input_size,
        "output_size": target.output_size,
        "images": result.images,
        "images_with_depth": result.images_with_truth,
        **{name: None if math.isnan(value) else value for name, value in errors.items()},
        "check_of_depth_kind": kind and {**dataclasses.asdict(kind), "doubt": kind.doubt()},
    }


def checked_step(options, target, mask_net, part):
    """Time and memory of a training step.

    Args:
      options: trainers.cli.mask_training.MaskTraining, completed by its recipe.
      target, mask_net: N and G.
      part: checked_frames.Part of the training frames.
    Returns:
      Checked.
    """
    flags = options.training
    try:
        cost = step_cost(options, target, mask_net, part.sampled.raw)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return Checked(
            findings=[
                f"A training step does not fit into memory; lower --batch_size={flags.batch_size}."
            ],
            summary={"step": None},
        )
    steps = max(1, part.sampled.total // flags.batch_size)
    seconds = cost.seconds * steps * flags.epochs
    row = (
        f"{options.mask_net}, batches of {flags.batch_size}",
        f"{cost.seconds:.2f} s",
        f"{cost.first_seconds:.0f} s",
        f"{cost.peak_bytes / 1e9:.1f} GB",
        f"{steps * flags.epochs:,}",
        in_words(seconds),
    )
    section = Section((), check_page.step_headings(cost.on_gpu, flags.epochs), [row])
    return Checked(
        sections={"A training of G": section},
        summary={
            "step": {
                **dataclasses.asdict(cost),
                "mask_net": options.mask_net,
                "batch_size": flags.batch_size,
                "steps": steps * flags.epochs,
                "training_seconds": seconds,
            }
        },
    )
