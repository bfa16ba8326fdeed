"""The embedded frames: two rooms, to try everything without a download.

120 frames of TUM RGB-D freiburg1_xyz (Kinect) and 80 of the sample sequence of DeepVideoMVS
(HoloLens, time of flight); origin and licences stand in samples/README.md and NOTICE.

Neighbouring frames of a sequence are nearly equal, so the split goes by blocks of time: two blocks
of each sequence are held out, and the frames next to them belong to no split. Validation frames
still show the same two rooms as training frames: figures measured on them say whether training
worked, not how well it generalises.
"""

import importlib.resources
import os
import re

from tfdepthviz.data.frame_files import FrameFiles

METRES_PER_UNIT = {16: 0.001}
# First and last frame number of the held-out blocks: in each sequence the end, and a part in the
# middle where the camera shows what other parts show less.
VALIDATION_BLOCKS = {
    "hololens": ((188, 235), (329, 372)),
    "tum": ((291, 350), (715, 788)),
}
# Frame numbers around a held-out block that are left out: half a second of TUM's 30 Hz.
GAP = 15


def files(split: str = "train") -> FrameFiles:
    """Files of the embedded frames, sequence by sequence in order of time.

    Args:
      split: "train" (142 frames: 92 tum, 50 hololens) or "validation" (43: 22 tum, 21 hololens);
        the other 15 frames lie between the two.
    Returns:
      FrameFiles: image (240, 320, 3) uint8, depth (120, 160, 1) float32 metres.
    """
    if split not in ("train", "validation"):
        raise ValueError(f'split must be "train" or "validation". Received: {split!r}')
    folder = str(importlib.resources.files("tfdepthviz.data") / "samples")
    names = sorted(name for name in os.listdir(folder) if name.endswith(".jpg"))
    images = [os.path.join(folder, name) for name in names if _split_of(name) == split]
    depths = [path.removesuffix(".jpg") + ".png" for path in images]
    return FrameFiles(images, depths, METRES_PER_UNIT)


def _split_of(name: str) -> str | None:
    sequence, number = re.fullmatch(r"(\w+)_(\d+)\.jpg", name).groups()
    distance = min(
        max(first - int(number), int(number) - last, 0)
        for first, last in VALIDATION_BLOCKS[sequence]
    )
    if distance == 0:
        return "validation"
    return "train" if distance > GAP else None
