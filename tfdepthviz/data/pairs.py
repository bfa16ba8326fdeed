"""Any folder of images and depth maps whose paths follow two patterns.

    image_glob = "**/*_rgb.jpg"   depth_glob = "**/*_depth.png"

In a pattern * matches anything within a name, ? one character, and ** any number of folders, also
none; as in a shell, they match no hidden name. Output folders of commands are left out (see
`listing`), unless a pattern names them. An image and a depth map are a pair where the
wildcards of both patterns, in order, match the same text.
"""

import itertools
import math
import os
import re

from tfdepthviz.data import splits
from tfdepthviz.data.frame_files import FrameFiles
from tfdepthviz.data.image_sizes import PNG_SIGNATURE
from tfdepthviz.data.listing import walk
from tfdepthviz.utils.errors import InputError

_WILDCARDS = {"*": r"([^/]*)", "?": r"([^/])", "**": r"((?:(?!\.)[^/]+/)*)"}


def files(
    data_dir: str,
    split: str | None = None,
    *,
    image_glob: str,
    depth_glob: str,
    depth_scale: float,
    missing_depth: int | None = None,
    follow_links: bool = False,
) -> FrameFiles:
    """Files of all pairs, sorted by path of the image.

    Args:
      data_dir: the folder that holds both.
      split: None for all pairs; "validation" for the last tenth in order, "train" for the rest.
        A block at the end, because neighbouring files are often neighbouring frames of one video.
      image_glob: pattern of the images, relative to data_dir.
      depth_glob: pattern of the depth maps, with as many wildcards.
      depth_scale: metres of one step of the depth files' integers, all of 8 or all of 16 bits; 0 =
        missing.
      missing_depth: another integer that stands for missing depth, such as 65535.
      follow_links: whether linked folders contribute files, too.
    Returns:
      FrameFiles.
    Raises:
      InputError: the folder is missing, a pattern or scale is unusable, a pattern matches nothing,
        a file has no partner, or there are too few pairs.
    """
    splits.check_split(split)
    if not os.path.isdir(data_dir):
        raise InputError(f"data_dir={data_dir}: no such folder")
    if not (math.isfinite(depth_scale) and depth_scale > 0):
        raise InputError(
            f"depth_scale={depth_scale:g}: expected metres of one step of the depth files, such "
            "as 0.001"
        )
    patterns = {"image_glob": image_glob, "depth_glob": depth_glob}
    expressions = {name: _expression(name, pattern) for name, pattern in patterns.items()}
    counts = [expression.groups for expression in expressions.values()]
    if counts[0] != counts[1]:
        raise InputError(
            f"depth_glob={depth_glob}: expected as many of *, ? and ** as in "
            f"image_glob={image_glob}, {counts[0]}; received {counts[1]}"
        )
    named = tuple(folder for pattern in patterns.values() for folder in _named_folders(pattern))
    matches = _matches(data_dir, expressions, follow_links, named)
    for name, paths in matches.items():
        if not paths:
            raise InputError(f"{name}={patterns[name]}: matches no file in {data_dir}")
    images, depths = matches.values()
    if images.keys() != depths.keys():
        raise InputError(_unpaired(patterns, images, depths))
    keys = sorted(images, key=images.get)
    if split == "train" and len(keys) < 2:
        raise InputError(
            f"data_dir={data_dir}: expected at least 2 pairs to train, one of them to validate "
            "on; received 1"
        )
    _check_bits([os.path.join(data_dir, depths[key]) for key in keys], depth_scale)
    chosen = splits.files_of(split, keys)
    paths = ([os.path.join(data_dir, files[key]) for key in chosen] for files in (images, depths))
    note = splits.in_words(split, len(chosen), len(keys), "pairs")
    units = {8: depth_scale, 16: depth_scale}
    return FrameFiles(*paths, units, (data_dir,), missing_depth, note)


def _check_bits(depths, depth_scale):
    """Raises InputError if some depth maps have 8 bits and others 16."""
    example = {}
    for path in depths:
        try:
            with open(path, "rb") as file:
                header = file.read(25)
        except OSError:
            continue  # reading it says what is wrong
        if header.startswith(PNG_SIGNATURE) and len(header) == 25:
            example.setdefault(header[24], path)
    if len(example) > 1:
        listed = ", ".join(f"{example[bits]} has {bits} bits" for bits in sorted(example))
        raise InputError(
            f"depth_scale={depth_scale:g}: expected depth maps of one bit depth; received several "
            f"({listed}), which one scale does not fit"
        )


def _expression(name, pattern):
    """The pattern as a regular expression of paths, one group per wildcard."""
    parts = pattern.split("/")
    wrong = None
    if pattern.startswith("/") or ".." in parts:
        wrong = "must stay inside of data_dir, so no leading / and no .."
    elif parts[-1] in ("", "**"):
        wrong = "must end in the name of a file, such as *.png"
    elif any("**" in part and part != "**" for part in parts):
        wrong = "** must stand between slashes, such as **/*.png"
    elif not re.search(r"[*?]", pattern):
        wrong = "needs a * where the files' names differ"
    if wrong:
        raise InputError(f"{name}={pattern}: {wrong}")
    pieces = [_piece(part) for part in parts if part not in ("", ".")]
    return re.compile("/".join(pieces).replace(_WILDCARDS["**"] + "/", _WILDCARDS["**"]))


def _piece(part):
    tokens = ["**"] if part == "**" else re.split(r"([*?])", part)
    text = "".join(_WILDCARDS.get(token) or re.escape(token) for token in tokens)
    return text if part == "**" or part[0] not in "*?" else r"(?!\.)" + text


def _named_folders(pattern):
    """The folders that a pattern names without wildcards: a/b/*.png names a and a/b."""
    parts = os.path.normpath(pattern).split("/")[:-1]
    literal = list(itertools.takewhile(lambda part: not re.search(r"[*?]", part), parts))
    return ["/".join(literal[:count]) for count in range(1, len(literal) + 1)]


def _matches(data_dir, expressions, follow_links, named):
    """Name of the pattern -> {texts that the wildcards match: path relative to data_dir}."""
    matches = {name: {} for name in expressions}
    for folder, files, left_out in walk(data_dir, follow_links, named):
        if left_out:
            continue
        inside = os.path.relpath(folder, data_dir).replace(os.sep, "/")
        for file in files:
            path = file if inside == "." else f"{inside}/{file}"
            for name, expression in expressions.items():
                if match := expression.fullmatch(path):
                    # ** and * may match the same folder, ** with its slash.
                    key = tuple(text.rstrip("/") for text in match.groups())
                    matches[name][key] = path
    return matches


def _unpaired(patterns, images, depths):
    """One line that counts the files without a partner."""
    texts = []
    for mine, others, other in ((images, depths, "depth_glob"), (depths, images, "image_glob")):
        alone = sorted(mine.keys() - others.keys(), key=mine.get)
        if alone:
            texts.append(
                f"{len(alone)} of {len(mine)} files have no partner of {other}="
                f"{patterns[other]}, such as {mine[alone[0]]}, which expects "
                f"{_filled(patterns[other], alone[0])}"
            )
    return "; ".join(texts)


def _filled(pattern, key):
    """The path that a pattern matches with the texts `key` for its wildcards."""
    texts = iter(key)
    filled = re.sub(r"\*\*|[*?]", lambda _: next(texts), pattern)
    return os.path.normpath(filled.lstrip("/"))
