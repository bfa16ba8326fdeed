"""Validation batches with N(I), computed once: the flag --teacher_cache."""

from tfdepthviz.training.teacher_cache import TeacherCache
from tfdepthviz.utils.errors import InputError, WriteError


def with_teacher(batches, depth_net, folder=None):
    """Adds N(I) to batches, see `TeacherCache.with_teacher`.

    Args:
      batches: sized iterable of dicts with "image".
      depth_net: N, frozen.
      folder: the flag's value; None: N(I) stays in memory.
    Raises:
      InputError: names the flag; N has no SHA-256 sum.
      WriteError: the folder cannot be written to.
    """
    try:
        return TeacherCache(depth_net, folder).with_teacher(batches)
    except WriteError:
        raise
    except InputError as error:
        raise InputError(f"--teacher_cache={folder}: {error}; leave the flag out") from error
