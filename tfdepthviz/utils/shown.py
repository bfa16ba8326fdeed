"""Shown: a base of results that hold arrays: a short repr, and tables and pictures in notebooks."""

import base64
import dataclasses
import html
import math
import struct
import zlib

import numpy as np


class Shown:
    """Base of dataclasses with repr=False. Depth maps share one scale of grey, near being dark.

    Attributes:
      maps: class attribute: names of the fields that notebooks draw. Each holds an (h, w) array, a
        stack of them, or a dict of either, of which the first is drawn.
    """

    maps = ()

    def __repr__(self):
        fields = (f"{name}={_short(value)}" for name, value in _values(self))
        return f"{type(self).__name__}({', '.join(fields)})"

    def _repr_html_(self):
        """Numbers, rows and maps, for notebooks."""
        numbers = {k: v for k, v in _values(self) if isinstance(v, (str, int, float))}
        parts = [table([numbers])] if numbers else []
        rows = self._rows()
        if rows:
            parts.append(table(rows))
        drawn = {place: one for name in self.maps for place, one in _drawn(name, self)}
        depths = [one for place, one in drawn.items() if "depth" in place]
        for place, one in drawn.items():
            parts.append(_figure(place, one, depths if "depth" in place else [one]))
        return "".join(parts)

    def _rows(self):
        """Dicts of equal keys, which notebooks show as a table."""
        return getattr(self, "rows", ())


def table(rows):
    """Dicts of equal keys as a table of HTML; numbers have three digits, None and NaN are empty."""
    lines = (
        [f"<th>{html.escape(str(key))}</th>" for key in rows[0]],
        *([f"<td>{html.escape(_cell(value))}</td>" for value in row.values()] for row in rows),
    )
    return "<table>" + "".join(f"<tr>{''.join(line)}</tr>" for line in lines) + "</table>"


def grey_png(pixels):
    """(h, w) uint8 -> the bytes of a PNG file; without Pillow, as clients may have NumPy alone."""
    height, width = pixels.shape
    head = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    # Each row begins with its filter: none.
    body = zlib.compress(np.pad(pixels, ((0, 0), (1, 0))).tobytes())
    chunks = ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _values(result):
    return [(field.name, getattr(result, field.name)) for field in dataclasses.fields(result)]


def _short(value):
    if isinstance(value, np.ndarray):
        return f"<{value.shape} {value.dtype}>"
    if isinstance(value, dict):
        return f"<dict of {', '.join(map(str, list(value)[:8]))}{', ...' * (len(value) > 8)}>"
    if isinstance(value, (list, tuple)) and (len(value) > 8 or any(map(_is_dict, value))):
        return f"<{len(value)} {'rows' if any(map(_is_dict, value)) else 'values'}>"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def _is_dict(value):
    return isinstance(value, dict)


def _cell(value):
    if value is None or isinstance(value, float) and math.isnan(value):
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _drawn(name, result):
    """(expression, (h, w) array) of the maps of one field."""
    value, place = getattr(result, name), name
    if isinstance(value, dict):
        key = next(iter(value))
        value, place = value[key], f"{name}[{key!r}]"
    if value.ndim == 2:
        return [(place, value)]
    return [(f"{place}[{number}]", one) for number, one in enumerate(value)]


def _figure(place, pixels, scale):
    """A map as a picture with its place and its ends; `scale`: maps that share its grey levels."""
    known = np.concatenate([one[np.isfinite(one)].ravel() for one in scale] or [np.zeros(1)])
    low, high = (known.min(), known.max()) if known.size else (0, 0)
    grey = np.nan_to_num((pixels - low) / (high - low) if high > low else 0 * pixels, nan=0)
    png = grey_png(np.round(255 * np.clip(grey, 0, 1)).astype("uint8"))
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    text = html.escape(f"{place}, black {low:.3g}, white {high:.3g}")
    return (
        f'<figure style="display: inline-block; margin: 4px"><img src="{source}" alt="{text}" '
        f'width="240"><figcaption>{text}</figcaption></figure>'
    )
