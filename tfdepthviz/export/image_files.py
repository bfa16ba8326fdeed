"""Image files in the graph of an exported model: what is accepted, which way is up, how it is cut.

Only long-stable operations of TensorFlow, so that every server runs them; `data.image_files` is the
decoder of Python, and agrees with this one.
"""

import tensorflow as tf

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
# EXIF data lie in the first bytes of a file.
_HEAD_BYTES = 2**16
_MOST_ENTRIES = 64
_ORIENTATION = 0x0112
# By EXIF orientation, 1 to 8: transpose the stored pixels, then mirror rows, then columns.
_TRANSPOSED = (0, 0, 0, 0, 0, 1, 1, 1, 1)
_ROWS_MIRRORED = (0, 0, 0, 1, 1, 0, 0, 1, 1)
_COLUMNS_MIRRORED = (0, 0, 1, 1, 0, 0, 1, 1, 0)


def assert_images(image_bytes):
    """Fails unless each of (B,) files begins as JPEG or PNG files do; names the first other.

    Other formats that some TensorFlow decodes, such as JPEG XL, may unpack to gigabytes unchecked.
    """
    head = tf.strings.substr(tf.strings.join([image_bytes, tf.constant(bytes(8))]), 0, 8)
    known = tf.equal(head, PNG) | tf.equal(tf.strings.substr(head, 0, 3), JPEG)
    # One more, as there is no largest number in an empty batch, which another check names.
    others = tf.concat([tf.cast(tf.logical_not(known), tf.int32), [1]], axis=0)
    place = tf.argmax(others)
    text = ["image_bytes[", tf.strings.as_string(place), "]: is neither a JPEG nor a PNG file"]
    return tf.debugging.Assert(tf.reduce_all(known), [tf.strings.join(text)])


def decode(contents):
    """One file -> (h, w, 3) uint8 as it is stored; `upright` turns it."""
    image = tf.io.decode_image(contents, channels=3, expand_animations=False)
    return tf.ensure_shape(image, (None, None, 3))


def orientation(contents):
    """EXIF orientation of one JPEG or PNG file, int32 from 1 to 8; 1 where none can be read."""
    head = tf.strings.join([tf.strings.substr(contents, 0, _HEAD_BYTES), tf.constant(bytes(16))])
    data = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int32)

    def at(place):
        return tf.gather(data, tf.clip_by_value(place, 0, tf.shape(data)[0] - 1))

    in_jpeg, after_jpeg = _place(data, (0xFF, 0xE1, None, None, *b"Exif\0\0"))
    in_png, after_png = _place(data, tuple(b"eXIf"))
    is_png = tf.equal(data[0], PNG[0])
    start = tf.where(is_png, after_png, after_jpeg)
    little = tf.equal(at(start), ord("I"))

    def number(place, size):
        powers = tf.constant([256**i for i in range(size)])
        powers = tf.where(little, powers, powers[::-1])
        return tf.reduce_sum(at(place[..., tf.newaxis] + tf.range(size)) * powers, axis=-1)

    first = start + number(start + 4, 4)
    entries = tf.range(_MOST_ENTRIES)
    places = first + 2 + 12 * entries
    matches = tf.equal(number(places, 2), _ORIENTATION) & (entries < number(first, 2))
    value = number(places + 8, 2)[tf.argmax(tf.cast(matches, tf.int32))]
    known = (little | tf.equal(at(start), ord("M"))) & tf.equal(at(start), at(start + 1))
    known &= tf.where(is_png, in_png, in_jpeg) & tf.reduce_any(matches)
    return tf.where(known & (value >= 1) & (value <= 8), value, 1)


def upright(image, turned):
    """(h, w, C) pixels as they are stored, turned by an orientation of `orientation`."""
    image = tf.transpose(image, tf.where(is_transposed(turned), [1, 0, 2], [0, 1, 2]))
    for axis, mirrored in enumerate((_ROWS_MIRRORED, _COLUMNS_MIRRORED)):
        size = tf.shape(image)[axis]
        places = tf.range(size)
        mirror = tf.equal(tf.gather(tf.constant(mirrored), turned), 1)
        image = tf.gather(image, tf.where(mirror, size - 1 - places, places), axis=axis)
    return image


def is_transposed(turned):
    """Whether an orientation swaps height and width."""
    return tf.equal(tf.gather(tf.constant(_TRANSPOSED), turned), 1)


def centre_window(height, width, size):
    """(top, left, height, width) of the largest centred window of the aspect ratio of `size`."""
    tall = tf.maximum(1, (2 * width * size[0] + size[1]) // (2 * size[1]))
    wide = tf.maximum(1, (2 * height * size[1] + size[0]) // (2 * size[0]))
    tall, wide = tf.minimum(height, tall), tf.minimum(width, wide)
    return (height - tall) // 2, (width - wide) // 2, tall, wide


def _place(data, pattern):
    """Whether a pattern occurs, and the place after its first occurrence; None is any byte."""
    count = tf.shape(data)[0] - len(pattern) + 1
    same = tf.fill([count], True)
    for i, value in enumerate(pattern):
        if value is not None:
            same &= tf.equal(data[i : i + count], value)
    first = tf.cast(tf.argmax(tf.cast(same, tf.int32)), tf.int32)
    return tf.reduce_any(same), first + len(pattern)
