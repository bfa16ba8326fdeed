"""Wire format of protocol buffers: numbers and fields as bytes."""


def varint(number):
    """A whole number of at least 0, seven bits a byte."""
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def field(number, content):
    """A length-delimited field: a text, a message, or packed numbers."""
    return varint(number << 3 | 2) + varint(len(content)) + content
