"""One sequence of the TUM RGB-D benchmark (Sturm et al. 2012), in its own layout.

    DATA_DIR/associations.txt   lines `time rgb/FILE.png time depth/FILE.png`, or else
    DATA_DIR/rgb.txt            lines `time rgb/FILE.png`
    DATA_DIR/depth.txt          lines `time depth/FILE.png`

Times are in seconds; lines that begin with # are comments. Depth files are 16-bit PNG, 5000 steps
to a metre, 0 = missing.
"""

import bisect
import os

from tfdepthviz.data import splits
from tfdepthviz.data.frame_files import CONTROL, FrameFiles
from tfdepthviz.data.lists import Resolver, lines_of
from tfdepthviz.utils.errors import InputError

METRES_PER_UNIT = {16: 1 / 5000}
# Image and depth are taken at different times; the benchmark's tools pair them within this limit.
MAX_DIFFERENCE_SECONDS = 0.02
GAP_SECONDS = 0.5


def files(data_dir: str, split: str | None = None) -> FrameFiles:
    """Files of a sequence in order of time.

    Args:
      data_dir: folder of the sequence, such as rgbd_dataset_freiburg1_xyz.
      split: None for all pairs; "validation" for the last fifth of the time, "train" for what
        lies more than half a second before it, because neighbouring frames are nearly equal.
    Returns:
      FrameFiles.
    Raises:
      InputError: a list is missing, a line has another form, or there are no pairs.
    """
    splits.check_split(split)
    pairs = _pairs(data_dir)
    ends = pairs[0][0], pairs[-1][0]
    chosen = [
        pair for pair in pairs if split in (None, splits.split_at(pair[0], *ends, GAP_SECONDS))
    ]
    if not chosen:
        raise InputError(
            f"data_dir={data_dir}: {len(pairs)} pairs of image and depth are too few to hold out "
            f"the last fifth of their time and {GAP_SECONDS} s before it"
        )
    resolve = Resolver(data_dir)
    images = [resolve(image) for _, image, _ in chosen]
    depths = [resolve(depth) for _, _, depth in chosen]
    return FrameFiles(images, depths, METRES_PER_UNIT, (data_dir,))


def _pairs(data_dir: str) -> list[tuple[float, str, str]]:
    """(seconds, image, depth) in order of time, paths as in the lists."""
    ready, images, depths = (
        os.path.join(data_dir, name) for name in ("associations.txt", "rgb.txt", "depth.txt")
    )
    if os.path.isfile(ready):
        pairs = sorted(_associations(ready))
    elif os.path.isfile(images) and os.path.isfile(depths):
        pairs = _associate(_timed_files(images), _timed_files(depths))
    else:
        raise InputError(
            f"data_dir={data_dir}: expected associations.txt, or rgb.txt and depth.txt, in it"
        )
    if not pairs:
        raise InputError(
            f"data_dir={data_dir}: its lists give no image with a depth map within "
            f"{MAX_DIFFERENCE_SECONDS} s"
        )
    return pairs


def _associations(path: str) -> list[tuple[float, str, str]]:
    fields = _fields(path, "time image time depth")
    return [(float(time), image, depth) for time, image, _, depth in fields]


def _timed_files(path: str) -> list[tuple[float, str]]:
    return sorted((float(time), file) for time, file in _fields(path, "time file"))


def _fields(path: str, form: str) -> list[list[str]]:
    rows = []
    for place, (number, line) in enumerate(lines_of(path)):
        fields = line.replace(",", " ").split()
        if place == 0 and not any(map(_is_time, fields)):
            continue  # a heading
        wrong = len(fields) != len(form.split()) or not all(map(_is_time, fields[::2]))
        if wrong or any(map(CONTROL.search, fields)):
            raise InputError(f"{path}, line {number}: expected `{form}`; received {line!r}")
        rows.append(fields)
    return rows


def _is_time(text: str) -> bool:
    try:
        return float(text) >= 0
    except ValueError:
        return False


def _associate(images, depths) -> list[tuple[float, str, str]]:
    """Pairs of nearest times, closest first, each file at most once."""
    times = [time for time, _ in depths]
    candidates = []
    for i, (time, _) in enumerate(images):
        first = bisect.bisect_left(times, time - MAX_DIFFERENCE_SECONDS)
        last = bisect.bisect_right(times, time + MAX_DIFFERENCE_SECONDS)
        candidates += [(abs(times[j] - time), i, j) for j in range(first, last)]
    depth_of, taken = {}, set()
    for _, i, j in sorted(candidates):
        if i not in depth_of and j not in taken:
            depth_of[i] = j
            taken.add(j)
    return [(*images[i], depths[depth_of[i]][1]) for i in sorted(depth_of)]
