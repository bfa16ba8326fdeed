"""Flags that several commands share and that belong to no group; each takes its default."""

from tfdepthviz.losses import TERMS
from tfdepthviz.models import DEFAULT_MASK_NET, MASK_NETS
from tfdepthviz.training.objective import OBJECTIVES
from tfdepthviz.utils.constants import THRESHOLD
from trainers.cli import flag_types
from trainers.cli.flags import flag


def input_size(default=None):
    text = "Height and width of the image that the networks see."
    if default is None:
        text += " Default: the size that N takes, or else 228,304."
    return flag(default, text, flag_types.size)


def batch_size(default=8):
    return flag(default, "Images of a batch, over all replicas.", flag_types.positive_integer)


def seed():
    return flag(0, "Fixes initial weights, order and augmentation.", flag_types.seed)


def threshold():
    return flag(THRESHOLD, "M' = M > threshold.", flag_types.rate)


def split(default=None):
    text = "Frames to take: the validation split, or all of a data set without a split of its own."
    if default is None:
        text += " Default: validation; where no training held frames out, all images of a folder."
    return flag(
        default,
        text,
        flag_types.enum(("validation", "all")),
    )


def output_dir(default=None):
    return flag(default, "Folder for the command's results.")


def strips(default):
    return flag(default, "Number of validation frames to draw.", flag_types.positive_integer)


def mask_net(default=None):
    text = "The mask generator G."
    if default is None:
        text += f" Default: that of the run that trained it, or else {DEFAULT_MASK_NET}."
    return flag(default, text, flag_types.enum(MASK_NETS))


def mask_nets():
    return flag(
        None,
        "The mask generators, one for all files of --mask_weights or one for each file: some of "
        f"{','.join(MASK_NETS)}. Default: those of the runs that trained them, or else "
        f"{DEFAULT_MASK_NET}.",
        flag_types.some_of(MASK_NETS),
    )


def mask_names():
    return flag((), "Names of the masks in the pictures, separated by commas.", flag_types.names)


def objective():
    return flag(
        "preserve",
        "preserve keeps N's depth with as few pixels as possible; delete removes as few pixels as "
        "possible to change N's depth most.",
        flag_types.enum(OBJECTIVES),
    )


def loss(default):
    return flag(
        default,
        f"Terms of the loss, added up: some of {','.join(TERMS)}.",
        flag_types.some_of(TERMS),
    )


def teacher_cache():
    return flag(
        None,
        "Folder that stores N's depth of whole validation frames for later runs and evaluations. "
        "Entries belong to exactly this N and these frames. Default: training keeps them in "
        "memory. Training on several replicas takes none.",
    )


def add_samples():
    return flag(
        False,
        "Train on the embedded training frames as well as on those of the data set.",
        flag_types.switch,
    )
