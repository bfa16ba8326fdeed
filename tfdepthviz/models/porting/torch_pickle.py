"""A safe reader of the pickle inside a file of `torch.save`.

A pickle is a program that may call any function it names. This reader is no `pickle.Unpickler`: it
knows the instructions that build containers and the names that rebuild tensors. It imports nothing
and stops at anything else. Its work is bounded, whatever the pickle says.
"""

import pickletools

from tfdepthviz.models.porting.torch_aside import NAMES, Aside
from tfdepthviz.models.porting.torch_tensors import (
    DTYPES,
    MOST_AXES,
    Refused,
    Storage,
    Tensor,
    shown,
    whole_number,
)

LARGEST_PICKLE = 1 << 24  # bytes
MOST_STEPS = 1 << 20


def unpickle(stream, persistent_load=None, *, most_steps=MOST_STEPS):
    """Reads a pickle; its tensors become `Tensor`s.

    Args:
      stream: binary file at the start of the pickle; is read up to the pickle's end.
      persistent_load: function of a persistent id (a number or tuple of the format) -> object.
      most_steps: instructions and copied items after which the pickle is refused.
    Returns:
      dicts, lists, tuples, strings, numbers, `Tensor`s, and an `Aside` for each path, Namespace or
      NumPy scalar, which says nothing of it.
    Raises:
      Refused: it names anything but tensors, is too long, or is no pickle.
    """
    machine = _Machine(persistent_load, most_steps)
    try:
        for instruction, argument, _ in pickletools.genops(_Limited(stream)):
            machine.step(instruction.name, argument)
    except Refused:
        raise
    except Exception as error:  # nonsense may make the stack raise anything
        raise Refused(f"damaged ({shown(error) or type(error).__name__})") from error
    return machine.result


def _tensor(storage, offset, size, stride, *_):
    if not isinstance(storage, Storage) or not len(size) == len(stride) <= MOST_AXES:
        raise Refused("damaged (a tensor without storage, size or stride)")
    size, stride = (tuple(whole_number(n) for n in numbers) for numbers in (size, stride))
    return Tensor(storage, whole_number(offset), size, stride)


def _mapping(items=(), *_):
    mapping = {}
    for key, value in items.items() if isinstance(items, dict) else items:
        _set(mapping, key, value)
    return mapping


def _set(mapping, key, value):
    # Hashing a nest of tuples may take for ever, and so may integers made to collide.
    if not isinstance(key, str):
        whole_number(key)
    mapping[key] = value


def _first(value, *_):
    return value


# Every name that a checkpoint may use -> the type of a storage, or the function to call.
PERMITTED = {
    "collections.OrderedDict": _mapping,
    "collections.Counter": _mapping,
    "torch.Size": _first,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch.nn.parameter.Parameter": _first,
    "torch.autograd.variable.Variable": _first,
}
for _module in ("torch", "torch.cuda"):
    for _kind, _dtype in DTYPES.items():
        PERMITTED[f"{_module}.{_kind}Storage"] = _dtype
        PERMITTED[f"{_module}.{_kind}Tensor"] = _tensor


def _default_mapping(_factory=None, items=()):
    return _mapping(items)


PERMITTED["collections.defaultdict"] = _default_mapping
PERMITTED |= dict.fromkeys(NAMES, Aside)


class _Limited:
    """A stream that refuses to give more than LARGEST_PICKLE bytes."""

    def __init__(self, stream):
        self._stream, self._left = stream, LARGEST_PICKLE

    def read(self, count):
        return self._counted(self._stream.read(min(count, self._left + 1)))

    def readline(self):
        return self._counted(self._stream.readline(self._left + 1))

    def _counted(self, data):
        self._left -= len(data)
        if self._left < 0:
            raise Refused(f"its pickle is longer than {LARGEST_PICKLE} bytes")
        return data


class _Machine:
    """The stack machine of pickle's instructions; `result` is the object at the end."""

    def __init__(self, persistent_load, most_steps):
        self._persistent_load = persistent_load
        self._stack, self._marks, self._memo = [], [], {}
        self._steps_left = most_steps
        self.result = None

    def step(self, instruction, argument):
        self._spend(1)
        if instruction in VALUES:
            self.push(argument)
        elif instruction in INSTRUCTIONS:
            INSTRUCTIONS[instruction](self, argument)
        else:
            raise Refused(f"it uses the pickle instruction {instruction}, which no tensor needs")

    def _spend(self, steps):
        self._steps_left -= steps
        if self._steps_left < 0:
            raise Refused("its pickle takes more steps than tensors need")

    def push(self, value):
        self._stack.append(value)

    def pop(self):
        return self._stack.pop()

    def stop(self):
        self.result = self._stack.pop()

    def mark(self):
        self._marks.append(len(self._stack))

    def pop_to_mark(self):
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def pop_tuple(self, count):
        return tuple(reversed([self._stack.pop() for _ in range(count)]))

    def put(self, place):
        self._memo[whole_number(place)] = self._stack[-1]

    def memoize(self):
        self._memo[len(self._memo)] = self._stack[-1]

    def get(self, place):
        self._stack.append(self._memo[place])

    def extend(self, items):
        target = self._stack[-1]
        if isinstance(target, Aside):
            return
        if type(target) is not list:
            raise Refused("damaged (it appends to what is no list)")
        target.extend(items)

    def update(self, items):
        target = self._stack[-1]
        if isinstance(target, Aside):
            return
        if type(target) is not dict:
            raise Refused("damaged (it sets an item of what is no dict)")
        for key, value in zip(items[::2], items[1::2], strict=True):
            _set(target, key, value)

    def name(self, module, name):
        full = f"{module}.{name}"
        if full not in PERMITTED:
            raise Refused(
                f"it asks for {shown(full)}, and only tensors in plain containers are read; load "
                "it where that is defined and save its state_dict()"
            )
        self._stack.append(PERMITTED[full])

    def call(self):
        arguments, function = self._stack.pop(), self._stack.pop()
        if not callable(function) or type(arguments) is not tuple:
            raise Refused("damaged (it calls what is no function)")
        self._spend(sum(len(item) for item in arguments if isinstance(item, (list, tuple, dict))))
        self._stack.append(function(*arguments))

    def build(self):
        # Attributes of an ordered dict, gradient flags of a parameter: nothing to keep.
        self._stack.pop()
        if not isinstance(self._stack[-1], (dict, Tensor, Aside)):
            raise Refused("damaged (it sets the state of what has none)")

    def load_persistent(self, what):
        if self._persistent_load is None:
            raise Refused("damaged (it refers to storages where there are none)")
        self._stack.append(self._persistent_load(what))


# Instructions whose argument goes onto the stack as it is.
VALUES = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE "
    "BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8".split()
)
INSTRUCTIONS = {
    "PROTO": lambda m, _: None,
    "FRAME": lambda m, _: None,
    "STOP": lambda m, _: m.stop(),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "MARK": lambda m, _: m.mark(),
    "POP": lambda m, _: m.pop(),
    "POP_MARK": lambda m, _: m.pop_to_mark(),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "TUPLE1": lambda m, _: m.push(m.pop_tuple(1)),
    "TUPLE2": lambda m, _: m.push(m.pop_tuple(2)),
    "TUPLE3": lambda m, _: m.push(m.pop_tuple(3)),
    "TUPLE": lambda m, _: m.push(tuple(m.pop_to_mark())),
    "LIST": lambda m, _: m.push(m.pop_to_mark()),
    "DICT": lambda m, _: m.push(_mapping(zip(*[iter(m.pop_to_mark())] * 2, strict=True))),
    "APPEND": lambda m, _: m.extend([m.pop()]),
    "APPENDS": lambda m, _: m.extend(m.pop_to_mark()),
    "SETITEM": lambda m, _: m.update(m.pop_tuple(2)),
    "SETITEMS": lambda m, _: m.update(m.pop_to_mark()),
    "PUT": lambda m, place: m.put(place),
    "BINPUT": lambda m, place: m.put(place),
    "LONG_BINPUT": lambda m, place: m.put(place),
    "MEMOIZE": lambda m, _: m.memoize(),
    "GET": lambda m, place: m.get(place),
    "BINGET": lambda m, place: m.get(place),
    "LONG_BINGET": lambda m, place: m.get(place),
    "GLOBAL": lambda m, names: m.name(*names.split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: m.name(*m.pop_tuple(2)),
    "REDUCE": lambda m, _: m.call(),
    "NEWOBJ": lambda m, _: m.call(),
    "BUILD": lambda m, _: m.build(),
    "PERSID": lambda m, what: m.load_persistent(what),
    "BINPERSID": lambda m, _: m.load_persistent(m.pop()),
}
