"""Clips: the frames of a video file, or of a folder of images in the order of their names."""

import dataclasses
import hashlib
import itertools
import os
import re
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from tfdepthviz.data import image_files
from tfdepthviz.data.image_sizes import MOST_PIXELS
from tfdepthviz.data.listing import images_in
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import sha256

# FFmpeg's names of the containers that are opened: none that names further files or addresses.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegts"
# Frames a second of a folder of images, which states none.
FOLDER_RATE = Fraction(10)


@dataclasses.dataclass(frozen=True)
class Clip:
    """Frames in their order.

    Attributes:
      name: of the file or folder, without its ending.
      rate: frames a second, a Fraction.
      count: number of frames; of a video file what its header states, None where that is silent.
      identity: text that another clip does not have, by the content of the file, or by the names
        and lengths of the images.
      frames: function without arguments that begins anew: an iterator of (h, w, 3) uint8 RGB,
        upright, all of one size. It raises InputError where a frame cannot be read.
    """

    name: str
    rate: Fraction
    count: int | None
    identity: str
    frames: Callable[[], Iterator[np.ndarray]]


def open_clip(path):
    """Opens a video file, or a folder of images.

        for rgb in itertools.islice(open_clip("corridor.mp4").frames(), 100): ...

    Args:
      path: str or pathlib.Path.
    Returns:
      Clip.
    Raises:
      InputError: no such file, no video, no images in the folder, or too many pixels a frame; or
        the extra `video` is missing.
    """
    path = os.fspath(path)
    if os.path.isdir(path):
        return _of_folder(path)
    return _of_file(path)


def every(clip, step):
    """The clip's frames number 0, step, 2 step and so on; their rate falls in proportion."""
    if step == 1:
        return clip
    count = None if clip.count is None else -(-clip.count // step)
    return dataclasses.replace(
        clip,
        rate=clip.rate / step,
        count=count,
        frames=lambda: itertools.islice(clip.frames(), 0, None, step),
    )


def load_av():
    """The module `av` (PyAV); InputError if it is not installed."""
    try:
        import av
    except ImportError as error:
        raise InputError(
            'video files need PyAV (pip install "tfdepthviz[video]"), or a folder of their frames '
            "as images"
        ) from error
    return av


def _of_folder(folder):
    paths = sorted(images_in(folder).images, key=_natural)
    if not paths:
        raise InputError(f"{folder}: holds no images, nor is it a video file")
    name = os.path.basename(os.path.abspath(folder))
    listed = [f"{os.path.relpath(path, folder)} {os.path.getsize(path)}" for path in paths]
    identity = hashlib.sha256("\n".join(listed).encode(errors="surrogateescape")).hexdigest()
    return Clip(
        name,
        FOLDER_RATE,
        len(paths),
        identity,
        lambda: _of_one_size(map(image_files.read, paths), folder),
    )


def _of_file(path):
    with _opened(path) as container:
        stream = container.streams.video[0]
        rate, count = stream.average_rate, stream.frames or None
        size = stream.codec_context.width, stream.codec_context.height
    if size[0] * size[1] > MOST_PIXELS:
        raise InputError(
            f"{path}: its frames have {size[0]}x{size[1]} pixels, above {MOST_PIXELS:,}"
        )
    name = os.path.splitext(os.path.basename(path))[0]
    rate = Fraction(rate) if rate else FOLDER_RATE
    return Clip(name, rate, count, sha256(path), lambda: _of_one_size(_decoded(path), path))


def _opened(path):
    """PyAV's container of a file with at least one video stream."""
    av = load_av()
    if not os.path.isfile(path):
        raise InputError(f"{path}: no such file or folder")
    try:
        # The name of a protocol before a path keeps FFmpeg from reading it as an address.
        address = f"file:{os.path.abspath(path)}"
        container = av.open(address, options={"format_whitelist": CONTAINERS})
    except (av.FFmpegError, OSError) as error:
        raise InputError(
            f"{path}: no video file that can be read, such as MP4, MOV, AVI, MKV, WebM or MPEG "
            f"({error.strerror})"
        ) from error
    if not container.streams.video:
        container.close()
        raise InputError(f"{path}: holds no pictures, only sound or text")
    return container


def _decoded(path):
    av = load_av()
    with _opened(path) as container:
        try:
            for frame in container.decode(video=0):
                # Telephones write the turn next to the pixels: degrees, counterclockwise.
                turns = round(getattr(frame, "rotation", 0) / 90) % 4
                yield np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns))
        except av.FFmpegError as error:
            raise InputError(f"{path}: cannot be decoded further ({error.strerror})") from error


def _of_one_size(frames, name):
    size = None
    for number, rgb in enumerate(frames):
        size = size or rgb.shape
        if rgb.shape != size:
            raise InputError(
                f"{name}: frame {number} has {rgb.shape[1]}x{rgb.shape[0]} pixels, the first "
                f"{size[1]}x{size[0]}; a clip has one size"
            )
        yield rgb


def _natural(path):
    """Sorting key: frame_2 comes before frame_10."""
    parts = re.split(r"(\d+)", path)
    return [(int(p), "") if p.isdigit() else (-1, p) for p in parts]
