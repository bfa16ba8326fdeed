"""Types of flags: functions that define a flag which takes values of one type.

Each function takes name, default and help text, as absl's DEFINE functions do; `flags.flag` takes
the function.
"""

import functools
import math

from absl import flags

from tfdepthviz.models.target import NORMALISATIONS
from tfdepthviz.training.shares import bounds

# Least and greatest share of the pixels that can be asked for.
SHARES = (0.01, 0.99)


class SizeParser(flags.ArgumentParser):
    """H,W in pixels -> (H, W)."""

    syntactic_help = "H,W"

    def parse(self, argument):
        if isinstance(argument, tuple):
            return argument
        try:
            height, width = (int(part) for part in argument.split(","))
        except ValueError:
            height = width = 0
        if min(height, width) < 32:
            raise ValueError("expected H,W in pixels, both at least 32, such as 228,304")
        return height, width


class NumbersParser(flags.ArgumentParser):
    """A,B,... -> tuple of numbers within bounds.

    Args:
      low, high: bounds, both allowed.
      example: what the error message shows.
    """

    syntactic_help = "A,B,..."

    def __init__(self, low, high, example):
        super().__init__()
        self.low, self.high, self.example = low, high, example

    def parse(self, argument):
        try:
            parts = argument.split(",") if isinstance(argument, str) else argument
            numbers = tuple(float(part) for part in parts)
        except ValueError:
            numbers = ()
        if not numbers or not all(self.low <= number <= self.high for number in numbers):
            within = f"from {self.low:g} to {self.high:g}" if self.high < 1e9 else "of at least 0"
            raise ValueError(
                f"expected numbers {within} separated by commas, such as {self.example}"
            )
        return numbers


class KeepParser(flags.ArgumentParser):
    """A share, or LOW:HIGH -> the same text, checked; `shares.bounds` gives its numbers."""

    syntactic_help = "SHARE|LOW:HIGH"

    def parse(self, argument):
        try:
            low, high = bounds(argument)
        except ValueError:
            low = high = 0.0
        if not SHARES[0] <= low <= high <= SHARES[1]:
            raise ValueError(
                f"expected a share from {SHARES[0]:g} to {SHARES[1]:g}, such as 0.36, or a range, "
                "such as 0.02:0.9"
            )
        return argument


text = flags.DEFINE_string
switch = flags.DEFINE_bool
names = flags.DEFINE_list


def numbers(low, high, example):
    """Numbers from `low` to `high`, separated by commas."""
    parser, serializer = NumbersParser(low, high, example), flags.ListSerializer(",")
    return lambda name, default, text: flags.DEFINE(
        parser, name, default, text, serializer=serializer
    )


def size(name, default, text):
    """Height and width in pixels."""
    serializer = flags.ListSerializer(",")
    flags.DEFINE(SizeParser(), name, default, text, serializer=serializer)


def enum(values):
    """One of some names."""
    return lambda name, default, text: flags.DEFINE_enum(name, default, list(values), text)


positive_integer = functools.partial(flags.DEFINE_integer, lower_bound=1)
whole_number = functools.partial(flags.DEFINE_integer, lower_bound=0)
seed = functools.partial(flags.DEFINE_integer, lower_bound=0, upper_bound=2**31 - 1)
port = functools.partial(flags.DEFINE_integer, lower_bound=0, upper_bound=65535)
zoom = functools.partial(flags.DEFINE_float, lower_bound=1.0)
share = functools.partial(flags.DEFINE_float, lower_bound=SHARES[0], upper_bound=SHARES[1])


def rate(name, default, text):
    """A finite number of at least 0."""
    flags.DEFINE_float(name, default, text, lower_bound=0.0)
    # NaN passes every bound.
    flags.register_validator(name, lambda v: v is None or math.isfinite(v), "expected a number")


def keep(name, default, text):
    """A share of the pixels, or a range of shares."""
    flags.DEFINE(KeepParser(), name, default, text)


def seconds(name, default, text):
    """Seconds, from a tenth to a day."""
    flags.DEFINE_float(name, default, text, lower_bound=0.1, upper_bound=86400.0)
    flags.register_validator(name, lambda v: v is None or not math.isnan(v), "expected a number")


class NormalisationParser(flags.ArgumentParser):
    """A name out of NORMALISATIONS, or six numbers -> ((R, G, B), (R, G, B))."""

    syntactic_help = "|".join([*NORMALISATIONS, "mean R,G,B,std R,G,B"])

    def parse(self, argument):
        if not isinstance(argument, str) or argument in NORMALISATIONS:
            return argument
        numbers = argument.split(",")
        try:
            numbers = tuple(float(number) for number in numbers)
        except ValueError:
            numbers = ()
        if len(numbers) != 6:
            names = ", ".join(NORMALISATIONS)
            raise ValueError(
                f"expected one of {names}, or six numbers: mean R,G,B and std R,G,B of RGB from 0 "
                "to 1, such as 0.45,0.45,0.45,0.225,0.225,0.225"
            )
        return numbers[:3], numbers[3:]


def normalisation(name, default, text):
    """What a network wants to see: a name, or mean and standard deviation."""
    flags.DEFINE(NormalisationParser(), name, default, text)


def some_of(values):
    """Some of several names, separated by commas."""

    def define(name, default, text):
        flags.DEFINE_list(name, None if default is None else list(default), text)
        flags.register_validator(
            name,
            lambda chosen: (
                chosen is default or (chosen and all(value in values for value in chosen))
            ),
            f"some of {','.join(values)}, separated by commas",
        )

    return define
