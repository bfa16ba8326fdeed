"""Listing of folders: the images that a folder contributes, and what is left out.

Left out are hidden folders and files, folders of services such as @eaDir and Trash, linked folders
unless they are to be followed, and whatever a command of this project wrote. An output folder of a
command holds an empty file `.tfdepthviz-output`, its mark.
"""

import collections
import dataclasses
import os
from collections.abc import Iterator, Mapping

from tfdepthviz.data import image_files
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import OUTPUT_MARK

HIDDEN = "in hidden or service folders"
RESULTS = "written by tfdepthviz"
LINKED = "linked folders"
# In lower case: of Synology, QNAP, macOS, Windows and Linux desktops.
SERVICE = frozenset(
    ("@eadir", "#recycle", "#snapshot", "__macosx", "$recycle.bin", "lost+found", "trash")
)
# Endings of photographs that are not read here, which a user would miss.
OTHER = frozenset(
    ".heic .heif .avif .jxl .gif .jp2 .dng .cr2 .cr3 .nef .arw .orf .rw2 .raf .psd .svg".split()
)


@dataclasses.dataclass(frozen=True)
class Listing:
    """The images of a folder, sorted by path, and how many files were left out for which reason."""

    images: list[str]
    left_out: Mapping[str, int]

    def left_out_in_words(self) -> str:
        """Such as "left out: 12 written by tfdepthviz, 1 .gif"; "" if nothing was."""
        counts = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())
        return f"left out: {counts}" if counts else ""


def images_in(folder: str, follow_links: bool = False) -> Listing:
    """All images in a folder and its subfolders.

    Args:
      folder: the folder.
      follow_links: whether to look into linked folders, too; each folder counts once.
    Raises:
      InputError: the folder itself is the output of a command.
    """
    images, left_out = [], collections.Counter()
    for place, names, reason in walk(folder, follow_links):
        if reason == LINKED:
            left_out[LINKED] += 1
            continue
        for name in names:
            suffix = os.path.splitext(name)[1].lower()
            if suffix in image_files.suffixes():
                # Copies from macOS hold a hidden ._NAME.jpg of settings next to each NAME.jpg.
                why = reason or (HIDDEN if name.startswith(".") else None)
                if why:
                    left_out[why] += 1
                else:
                    images.append(os.path.join(place, name))
            elif suffix in OTHER and not reason:
                left_out[suffix] += 1
    return Listing(sorted(images), left_out)


def walk(
    folder: str, follow_links: bool = False, named: tuple[str, ...] = ()
) -> Iterator[tuple[str, list[str], str | None]]:
    """Walks a folder and its subfolders.

    Args:
      folder, follow_links: as for `images_in`.
      named: relative paths of folders that the user names, which are never left out.
    Yields:
      (path of a folder, names of the files in it, why they are left out, or None); of a linked
      folder that is not followed no names.
    """
    if is_output(folder):
        raise InputError(
            f"{folder}: expected a folder of images; received an output folder of tfdepthviz "
            f"(it holds {OUTPUT_MARK})"
        )
    folder = os.fspath(folder)
    reasons, seen = {folder: None}, {os.path.realpath(folder)}
    for place, folders, names in os.walk(folder, followlinks=follow_links):
        reason = reasons.pop(place)
        yield place, names, reason
        for name in list(folders):
            path = os.path.join(place, name)
            if os.path.islink(path) and not follow_links:
                yield path, [], reason or LINKED
            elif follow_links and os.path.realpath(path) in seen:
                folders.remove(name)  # a second way to a folder, or a circle
            else:
                seen.add(os.path.realpath(path))
                is_named = os.path.relpath(path, folder).replace(os.sep, "/") in named
                reasons[path] = None if is_named else reason or _reason(path, name)


def is_output(folder) -> bool:
    """Whether a command of this project wrote a folder."""
    return os.path.exists(os.path.join(folder, OUTPUT_MARK))


def _reason(path, name):
    if name.startswith(".") or name.lower() in SERVICE:
        return HIDDEN
    return RESULTS if is_output(path) else None
