"""Places: the flags that name places of a photograph, and the regions that they mean."""

import dataclasses
import math

from absl import flags

from tfdepthviz.export.image_files import centre_window
from tfdepthviz.training import regions
from tfdepthviz.utils.errors import InputError
from trainers.cli.flags import flag

# Radius of a point by default, as a part of the photograph's longer side.
RADIUS = 1 / 40


class PlaceParser(flags.ArgumentParser):
    """X,Y,... -> tuple of finite numbers.

    Args:
      syntax: what the numbers mean.
      fits: function of their count -> whether it is right.
      example: what the error message shows.
    """

    def __init__(self, syntax, fits, example):
        super().__init__()
        self.syntactic_help, self.fits, self.example = syntax, fits, example

    def parse(self, argument):
        try:
            numbers = tuple(float(part) for part in str(argument).split(","))
        except ValueError:
            numbers = ()
        if not self.fits(len(numbers)) or not all(map(math.isfinite, numbers)):
            raise ValueError(f"expected {self.syntactic_help}, such as {self.example}")
        return numbers


def place(syntax, fits, example):
    """A flag type: numbers separated by commas; the flag may be repeated."""
    parser, serializer = PlaceParser(syntax, fits, example), flags.ListSerializer(",")
    return lambda name, default, text: flags.DEFINE_multi(parser, serializer, name, default, text)


@dataclasses.dataclass(frozen=True)
class Places:
    """Places, in pixels of the upright photograph; each flag may be repeated"""

    point: tuple | None = flag(
        None,
        "A point: column and row, from the upper left pixel 0,0.",
        place("X,Y", lambda n: n == 2, "120,80"),
    )
    box: tuple | None = flag(
        None,
        "A box: its edges; right and bottom are not part of it.",
        place("LEFT,TOP,RIGHT,BOTTOM", lambda n: n == 4, "100,60,140,100"),
    )
    polygon: tuple | None = flag(
        None,
        "A polygon: its corners in turn.",
        place("X,Y,X,Y,X,Y,...", lambda n: n >= 6 and n % 2 == 0, "10,10,60,10,30,50"),
    )
    depth_range: tuple | None = flag(
        None,
        "All pixels whose depth N(I) lies in a range, in the unit of N's output.",
        place("NEAR,FAR", lambda n: n == 2, "2.5,3"),
    )


def named_places(places):
    """The flags that name places, as typed -> numbers, in the order of the flags' list.

    Args:
      places: Places.
    Raises:
      InputError: there is none.
    """
    named = {
        f"--{field.name}={','.join(f'{n:g}' for n in numbers)}": (field.name, numbers)
        for field in dataclasses.fields(places)
        for numbers in getattr(places, field.name) or ()
    }
    if not named:
        raise InputError("needs a place to ask about, such as --point=120,80 or --box=10,20,60,80")
    return named


def region_of(kind, numbers, size, window, depth, radius=None):
    """The region of one place over the window that N sees.

    Args:
      kind: name of the flag.
      numbers: its value.
      size: (height, width) of the photograph.
      window: (top, left, height, width) of what N sees of it.
      depth: (h, w), N(I) of the window.
      radius: of a point, pixels of the photograph; None: RADIUS of its longer side.
    Returns:
      (h, w) weights, see `training.regions`.
    Raises:
      InputError: the place lies outside of the photograph or of the window, or is empty.
    """
    if kind == "depth_range":
        return regions.depth_range(depth, *numbers)
    if kind == "point":
        radius = RADIUS * max(size) if radius is None else radius
        region = regions.point(size, *numbers, radius)
    elif kind == "box":
        region = regions.box(size, *numbers)
    else:
        region = regions.polygon(size, zip(numbers[::2], numbers[1::2], strict=True))
    top, left, height, width = window
    seen = region[top : top + height, left : left + width]
    if not seen.any():
        raise InputError(
            "lies outside of what N sees of this photograph, the centred window of columns "
            f"{left} to {left + width - 1} and rows {top} to {top + height - 1}"
        )
    return seen


def window_of(size, aspect):
    """(top, left, height, width), ints: the part of a photograph that N sees.

    Args:
      size: (height, width) of the photograph.
      aspect: (H, W) that N takes.
    """
    return tuple(int(number) for number in centre_window(*size, aspect))
