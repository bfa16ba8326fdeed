"""Findings of a check: what to mend or to know before a training, with the flag that helps."""

from tfdepthviz.data import depth_summary

# Splits in sentences.
WORDS = {"train": "training", "validation": "validation"}
# Training frames below which masks are usually poor.
FEW = 100
# Share of an image below which it is worth saying how little the networks see.
LITTLE = 0.6


def of_frames(sampled, frames, covered, input_size):
    """Findings about the frames of one split.

    Args:
      sampled: engine.sampled_frames.SampledFrames.
      frames: its data.survey.Frame's.
      covered: mean share of an image that the networks see.
      input_size: (H, W).
    """
    findings = []
    split = WORDS[sampled.split]
    if sampled.problems:
        findings.append(
            f"{len(sampled.problems)} of {len(frames) + len(sampled.problems)} {split} frames "
            f"cannot be read; --skip_bad_examples leaves them out. The first: {sampled.problems[0]}"
        )
    if sampled.split == "train" and sampled.total < FEW:
        findings.append(f"{sampled.total} training frames are few; --add_samples adds 142 others.")
    if covered < LITTLE:
        height, width = input_size
        findings.append(
            f"The networks see {covered:.0%} of a {split} image, the middle of it, because "
            f"--input_size={height},{width} has another format. A size like that of the images "
            "shows them more."
        )
    small = sum(f.height < input_size[0] or f.width < input_size[1] for f in frames)
    if small > len(frames) / 2:
        findings.append(
            f"{small} of {len(frames)} {split} images are smaller than the networks' "
            f"{input_size[1]}x{input_size[0]} pixels and are enlarged; a smaller --input_size is "
            "faster."
        )
    return findings


def of_depth(sampled, frames):
    """Findings about the depth of one split; [] where no frame has depth."""
    known = [frame for frame in frames if frame.median]
    if not known:
        return []
    findings, split = [], WORDS[sampled.split]
    if blank := len(frames) - len(known):
        findings.append(f"{blank} of {len(frames)} {split} frames have no valid depth.")
    low, high = depth_summary.PLAUSIBLE
    odd = [frame.name for frame in known if frame.low < low or frame.high > high]
    if odd:
        findings.append(
            f"Depth of {len(odd)} of {len(known)} {split} frames lies outside {low:g} to "
            f"{high:g} m, such as {odd[0]}; check the unit (--depth_scale) and what counts as "
            "missing (--missing_depth, --max_depth)."
        )
    return findings


def of_copies(pairs, count, whole):
    """Findings about frames that both splits show.

    Args:
      pairs: of a validation and a training frame that show the same.
      count: validation frames that were compared.
      whole: whether all frames of both splits were.
    """
    if not pairs:
        return []
    repeated = len({validation.name for validation, _ in pairs})
    text = (
        f"{repeated} of {count} validation frames show the same as a training frame, so errors on "
        "them say little about other images; hold out another part, such as other rooms or drives."
    )
    return [text if whole else f"{text} Not all training frames were compared (--max_images)."]
