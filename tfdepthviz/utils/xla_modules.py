"""A check of XlaCallModule, the operation by which networks of JAX stand in a SavedModel.

Its module is a program in MLIR's bytecode. The names of all operations that occur in it lie in one
section of strings, which is read here; the program itself is not decoded.
"""

import re

# StableHLO's operations that leave the program: calls of functions of the host, and transfers.
LEAVING = re.compile(r"(\w+\.)?(custom_call|infeed|outfeed|send|recv|async_\w+)(_v\d+)?")
MAGIC, PRODUCER = b"ML\xefR", b"StableHLO_v"
STRINGS = 0  # number of the section


def forbidden_in(node):
    """Names of what an XlaCallModule may not hold, each with the operation's name.

    Args:
      node: NodeDef.
    Returns:
      set of str; empty if it computes with tensors alone.
    """
    names = set()
    if node.attr["function_list"].list.func:
        names.add("functions of TensorFlow (function_list)")
    try:
        names |= {s for s in _strings(node.attr["module"].s) if LEAVING.fullmatch(s)}
    except (ValueError, IndexError):
        names.add("a module that is no bytecode of StableHLO")
    return {f"XlaCallModule with {name}" for name in names}


def _strings(module):
    """All strings of MLIR's bytecode, operations' names among them.

    Source: MLIR's documentation, "MLIR Bytecode Format".
    """
    if not module.startswith(MAGIC):
        raise ValueError("no bytecode")
    _, place = _number(module, len(MAGIC))
    if not module.startswith(PRODUCER, place):
        raise ValueError("not StableHLO's")
    place = module.index(b"\0", place) + 1
    strings, sections = [], 0
    while place < len(module):
        kind = module[place]
        length, place = _number(module, place + 1)
        if kind & 0x80:  # aligned, with padding
            _, place = _number(module, place)
            while module[place] == 0xCB:
                place += 1
        section = module[place : place + length]
        if len(section) < length:
            raise ValueError("ends early")
        if kind & 0x7F == STRINGS:
            strings += _strings_of(section)
            sections += 1
        place += length
    if sections != 1:
        raise ValueError("expected one section of strings")
    return strings


def _strings_of(section):
    """Strings of a section: their number, their lengths in reverse order, and themselves."""
    count, place = _number(section, 0)
    end, strings = len(section), []
    for _ in range(count):
        length, place = _number(section, place)
        strings.append(section[end - length : end - 1].decode("utf-8", "replace"))
        end -= length
    if end != place:
        raise ValueError("lengths do not add up")
    return strings


def _number(data, place):
    """A number of variable length, and the place behind it."""
    first = data[place]
    if first == 0:
        return int.from_bytes(data[place + 1 : place + 9], "little"), place + 9
    length = (first & -first).bit_length()
    return int.from_bytes(data[place : place + length], "little") >> length, place + length
