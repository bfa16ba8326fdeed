"""Data: the flags of every command that reads a data set."""

import dataclasses

from trainers.cli import flag_types
from trainers.cli.flags import flag
from trainers.engine.source import DATASETS


@dataclasses.dataclass(frozen=True)
class Data:
    """Data set."""

    dataset: str = flag(
        "samples",
        "Data set; samples is part of this package, the others lie in --data_dir.",
        flag_types.enum(DATASETS),
    )
    data_dir: str | None = flag(None, "Folder of the data set.")
    depth_dir: str | None = flag(
        None,
        "kitti, pandaset: folder of depth maps to use instead of the measured ones, with the data "
        "set's own relative paths; complete_depth writes such a folder.",
    )
    image_list: str | None = flag(
        None,
        "kitti: text file that lists the raw images to validate on; to train, two files: "
        "TRAINING,VALIDATION.",
    )
    image_glob: str | None = flag(None, "pairs: pattern of the images, such as '**/*_rgb.jpg'.")
    depth_glob: str | None = flag(
        None,
        "pairs: pattern of the depth maps, such as '**/*_depth.png'; its wildcards stand for the "
        "same text as those of the images.",
    )
    depth_scale: float | None = flag(
        None, "pairs: metres of one step of the depth files, such as 0.001.", flag_types.rate
    )
    missing_depth: int | None = flag(
        None,
        "pairs: integer in the depth files that stands for missing depth, as well as 0, such as "
        "65535.",
        flag_types.whole_number,
    )
    max_depth: float | None = flag(
        None, "Depth beyond so many metres counts as missing, such as the sky.", flag_types.rate
    )
    skip_bad_examples: bool = flag(
        False,
        "Leave out frames that cannot be used, and list them at the end, instead of stopping.",
        flag_types.switch,
    )
    allow_outside_paths: bool = flag(
        False,
        "Read files outside of the data set's folder too, where the data set names them by "
        "absolute paths, by .. or by links; without this flag they are refused.",
        flag_types.switch,
    )

    @property
    def usual_split(self):
        """Frames to look at where no training held some out: all images of a folder."""
        return "all" if self.dataset == "folder" else "validation"
