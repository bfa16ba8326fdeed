"""Checked frames: tables, pictures and findings on the frames of a data set."""

import dataclasses

import numpy as np

from tfdepthviz.data import survey
from tfdepthviz.data.transforms import margin_size
from tfdepthviz.reports import check_page
from tfdepthviz.reports.check_page import Section
from tfdepthviz.utils.arrays import evenly
from trainers.cli import check_findings
from trainers.engine.progress import bar
from trainers.engine.sampled_frames import SampledFrames

# Frames of each sort that are drawn.
TYPICAL, UNUSUAL = 4, 8


@dataclasses.dataclass
class Checked:
    """One part of a check.

    Attributes:
      findings: sentences.
      sections: heading -> check_page.Section.
      summary: what JSON holds of it.
    """

    findings: list = dataclasses.field(default_factory=list)
    sections: dict = dataclasses.field(default_factory=dict)
    summary: dict = dataclasses.field(default_factory=dict)

    def add(self, other):
        """Adds another part behind this one."""
        self.findings += other.findings
        self.sections |= other.sections
        self.summary |= other.summary


@dataclasses.dataclass(frozen=True)
class Part:
    """The frames of one split that were read.

    Attributes:
      sampled: SampledFrames.
      frames: survey.Frame of each.
      copies: (n, SIDE, SIDE, 3) uint8, of each frame a small copy.
    """

    sampled: SampledFrames
    frames: list
    copies: np.ndarray

    @property
    def is_whole(self):
        return len(self.frames) + len(self.sampled.problems) == self.sampled.total

    def examples(self, places):
        """Raw examples of NumPy arrays, in the order of `places`."""
        examples = self.sampled.examples(places).as_numpy_iterator()
        by_place = dict(zip(sorted(set(places)), examples, strict=True))
        return [by_place[place] for place in places]


def read(sampled):
    """Reads the frames of a SampledFrames, as a Part."""
    examples = bar(
        zip(sampled.raw.as_numpy_iterator(), sampled.names, strict=True),
        desc=f"looking at {sampled.split} frames",
        total=len(sampled.names),
        unit="frame",
    )
    looked_at = [survey.figures_of(example, sampled.split, name) for example, name in examples]
    frames, copies = zip(*looked_at, strict=True)
    return Part(sampled, list(frames), np.stack(copies))


def checked_frames(parts, input_size):
    """Everything about the frames alone.

    Args:
      parts: Part of each split, training first.
      input_size: (H, W) that the networks see.
    Returns:
      Checked.
    """
    checked, rows = Checked(), []
    for part in parts:
        covered = float(np.mean([_covered(frame, input_size) for frame in part.frames]))
        unreadable = len(part.sampled.problems)
        split, total = part.sampled.split, part.sampled.total
        rows.append(check_page.split_row(split, part.frames, total, unreadable, covered))
        checked.findings += check_findings.of_frames(part.sampled, part.frames, covered, input_size)
        checked.findings += check_findings.of_depth(part.sampled, part.frames)
        checked.summary[split] = {
            "frames": total,
            "read": len(part.frames),
            "not_readable": part.sampled.problems,
            "seen_by_the_networks": covered,
            "note": part.sampled.note,
        }
    notes = [f"{part.sampled.split}: {part.sampled.note}." for part in parts]
    checked.sections["Frames"] = Section(notes, check_page.SPLIT_HEADINGS, rows)
    checked.add(_depth(parts))
    checked.add(_copies(*parts))
    checked.add(_typical_and_unusual(parts[0]))
    return checked


def _covered(frame, input_size):
    """Share of an image that evaluation shows the networks: the middle, without a margin."""
    height, width = input_size
    ratio = frame.aspect * height / width
    margin = margin_size(input_size)
    return min(ratio, 1 / ratio) * height * width / (margin[0] * margin[1])


def _depth(parts):
    picture = check_page.draw_depth_range({part.sampled.split: part.frames for part in parts})
    known = sum(frame.median is not None for part in parts for frame in part.frames)
    if picture is None:
        section = Section(["No frame has measured depth."])
    else:
        section = Section(
            ["Means of the valid pixels, medians of the others, over the frames."],
            check_page.DEPTH_HEADINGS,
            [check_page.depth_row(part.sampled.split, part.frames) for part in parts],
            [("Median, and where 98 % of a frame's depth lies", picture)],
        )
    return Checked(sections={"Depth": section}, summary={"frames_with_depth": known})


def _copies(train, validation):
    """Validation frames that show the same as a training frame."""
    places, similar = survey.nearest(validation.copies, train.copies)
    same = [int(i) for i in np.flatnonzero(similar >= survey.SAME)]
    pairs = [(validation.frames[i], train.frames[places[i]]) for i in same]
    whole = train.is_whole and validation.is_whole
    checked = Checked(
        findings=check_findings.of_copies(pairs, len(validation.frames), whole),
        summary={
            "same_in_both_splits": [
                {"validation": one.name, "train": other.name, "similarity": float(similar[i])}
                for i, (one, other) in zip(same, pairs, strict=True)
            ]
        },
    )
    if pairs:
        above = [same[i] for i in evenly(len(same), check_page.COLUMNS)]
        below = [int(places[i]) for i in above]
        examples = zip(validation.examples(above), train.examples(below), strict=True)
        images = [(one["image"], other["image"]) for one, other in examples]
        names = [
            (validation.frames[i].name, train.frames[j].name)
            for i, j in zip(above, below, strict=True)
        ]
        picture = check_page.draw_pairs(images, names)
        checked.sections["The same in both splits"] = Section(pictures=[picture])
    return checked


def _typical_and_unusual(part):
    """Training frames without, and with, figures that set them apart."""
    reasons = survey.unusual(part.frames)
    usual = [i for i, texts in enumerate(reasons) if not texts]
    odd = sorted((i for i, texts in enumerate(reasons) if texts), key=lambda i: -len(reasons[i]))
    drawn = {
        "Typical training frames": [usual[i] for i in evenly(len(usual), TYPICAL)],
        "Unusual training frames": odd[:UNUSUAL],
    }
    sections = {
        heading: Section(pictures=_grids(part, places, reasons))
        for heading, places in drawn.items()
        if places
    }
    listed = [{"frame": part.frames[i].name, "unusual": reasons[i]} for i in odd]
    return Checked(sections=sections, summary={"unusual_training_frames": listed})


def _grids(part, places, reasons):
    """Captioned pictures of frames with their names and reasons, a row of frames each."""
    rows = [places[i : i + check_page.COLUMNS] for i in range(0, len(places), check_page.COLUMNS)]
    return [
        check_page.draw_frames(
            part.examples(row), [part.frames[i].name for i in row], [reasons[i] for i in row]
        )
        for row in rows
    ]
