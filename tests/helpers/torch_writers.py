"""Writers of torch.save's three formats without PyTorch, by Python's own pickler and struct.

A `Saved` stands for a tensor, a `Name` for anything that a pickle asks for by name. Where PyTorch
is installed, models/porting/test_true_torch.py tests that it reads these files.
"""

import collections
import io
import pickle
import struct
import tarfile
import zipfile
from dataclasses import dataclass

import numpy as np

MAGIC_NUMBER, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
SYS_INFO = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"int": 4}}
KINDS = {"float32": "Float", "float16": "Half", "float64": "Double", "int64": "Long"}
KINDS |= {"uint16": "BFloat16", "bool": "Bool", "int32": "Int", "uint8": "Byte"}


@dataclass(frozen=True)
class Name:
    """A class or function that the pickle asks for."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """A call of a name with arguments; then, unless None, a state is set."""

    name: Name
    arguments: tuple
    state: object = None


@dataclass(frozen=True)
class Id:
    """A persistent id of any form."""

    what: object


class Saved:
    """A tensor; several may share a storage, or view its `part` (first, count)."""

    def __init__(self, array, *, storage=None, offset=0, size=None, stride=None, part=None):
        self.array = array
        self.storage = array.reshape(-1) if storage is None else storage
        self.offset, self.part = offset, part
        self.size = array.shape if size is None else size
        steps = array.strides if array.size else ()
        self.stride = [s // array.itemsize for s in steps] if stride is None else stride


class Pickler(pickle._Pickler):
    """Pickles as torch.save does; `python2` as it did under Python 2, on a GPU, in 2018."""

    dispatch = dict(pickle._Pickler.dispatch)

    def __init__(self, file, *, fields=6, python2=False, protocol=2):
        super().__init__(file, protocol=protocol)
        self.fields, self.python2 = fields, python2
        self.storages, self.tensors = {}, {}

    def persistent_id(self, item):
        if isinstance(item, Id):
            return item.what
        if self.fields == "tar" and isinstance(item, Saved):
            return str(self.tensors.setdefault(id(item), (len(self.tensors) + 1, item))[0])
        return None

    def save_name(self, item):
        self.write(f"c{item.module}\n{item.name}\n".encode())

    def save_call(self, item):
        self.save(item.name)
        self.save(item.arguments)
        self.write(pickle.REDUCE)
        if item.state is not None:
            self.save(item.state)
            self.write(pickle.BUILD)

    def save_tensor(self, item):
        key, _ = self.storages.setdefault(id(item.storage), (str(len(self.storages)), item.storage))
        kind = Name(
            "torch.cuda" if self.python2 else "torch", f"{KINDS[item.storage.dtype.name]}Storage"
        )
        what = ["storage", kind, key, "cuda:0" if self.python2 else "cpu", item.storage.size]
        if self.fields == 6:
            what.append(item.part and (f"{key}-{item.part[0]}", *item.part))
        rest = () if self.python2 else (False, collections.OrderedDict())
        rebuild = "_rebuild_tensor" if self.python2 else "_rebuild_tensor_v2"
        where = (Id(tuple(what)), item.offset, tuple(item.size), tuple(item.stride))
        self.save_call(Call(Name("torch._utils", rebuild), where + rest))

    def save_str(self, item):
        if not self.python2:
            return pickle._Pickler.save_str(self, item)
        data = item.encode("latin1")
        self.write(b"U" + bytes([len(data)]) + data)
        self.memoize(item)

    def save_ordered_dict(self, item):
        if self.python2:
            pairs = [[key, value] for key, value in item.items()]
            state = vars(item) or None
            return self.save_call(Call(Name("collections", "OrderedDict"), (pairs,), state))
        return self.save_reduce(*item.__reduce_ex__(2), obj=item)

    dispatch[Name] = save_name
    dispatch[Call] = save_call
    dispatch[Saved] = save_tensor
    dispatch[str] = save_str
    dispatch[collections.OrderedDict] = save_ordered_dict


def save_zip(path, content, *, byteorder="little"):
    """As PyTorch 1.6 and later."""
    stream = io.BytesIO()
    pickler = Pickler(stream, fields=5)
    pickler.dump(content)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", stream.getvalue())
        archive.writestr("model/byteorder", byteorder)
        for key, storage in pickler.storages.values():
            order = storage.dtype.newbyteorder("<" if byteorder == "little" else ">")
            archive.writestr(f"model/data/{key}", storage.astype(order).tobytes())
        archive.writestr("model/version", "3\n")
    return path


def save_legacy(path, content, *, python2=False, sys_info=SYS_INFO):
    """As PyTorch 0.1.10 to 1.5."""
    with open(path, "wb") as file:
        for head in (MAGIC_NUMBER, PROTOCOL, sys_info):
            Pickler(file, python2=python2).dump(head)
        pickler = Pickler(file, python2=python2)
        pickler.dump(content)
        storages = dict(sorted(pickler.storages.values()))
        Pickler(file, python2=python2).dump(list(storages))
        for storage in storages.values():
            file.write(struct.pack("<q", storage.size) + storage.tobytes())
    return path


def save_python2(path, content):
    """As PyTorch 0.3 under Python 2 saved a model that lay on a GPU."""
    return save_legacy(path, content, python2=True)


def save_tar(path, content):
    """As PyTorch before 0.1.10."""
    files = {name: io.BytesIO() for name in ("sys_info", "pickle", "tensors", "storages")}
    Pickler(files["sys_info"]).dump(SYS_INFO)
    pickler = Pickler(files["pickle"], fields="tar")
    pickler.dump(content)
    tensors = dict(pickler.tensors.values())
    storages = {id(t.storage): (1000 + n, t.storage) for n, t in tensors.items()}
    Pickler(files["tensors"]).dump(len(tensors))
    for number, tensor in tensors.items():
        kind = Name("torch", f"{KINDS[tensor.storage.dtype.name]}Tensor")
        Pickler(files["tensors"]).dump((number, storages[id(tensor.storage)][0], kind))
        axes = len(tensor.size)
        numbers = (*tensor.size, *tensor.stride, tensor.offset)
        files["tensors"].write(struct.pack(f"<i4x{2 * axes + 1}q", axes, *numbers))
    Pickler(files["storages"]).dump(len(storages))
    for number, storage in storages.values():
        kind = Name("torch", f"{KINDS[storage.dtype.name]}Storage")
        Pickler(files["storages"]).dump((number, "cpu", kind))
        files["storages"].write(struct.pack("<q", storage.size) + storage.tobytes())
    Pickler(files["storages"]).dump([])
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as archive:
        for name, file in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(file.getvalue())
            archive.addfile(member, io.BytesIO(file.getvalue()))
    return path


FORMATS = {"zip": save_zip, "legacy": save_legacy, "python2": save_python2, "tar": save_tar}


def saved(arrays, prefix=""):
    """A state dict: ordered dict of name -> `Saved`."""
    items = ((prefix + name, Saved(np.asarray(a, order="C"))) for name, a in arrays.items())
    state = collections.OrderedDict(items)
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    return state
