"""Formats of `torch.save`: the zip format, the one before it, and the first one.

Each is a context manager of a path that gives the saved object, tensors being notes of where they
lie (`torch_tensors`), and a function that reads the bytes of a storage. Sizes that a file claims
are compared with its own before anything is read or allocated.
"""

import contextlib
import struct
import tarfile
import zipfile

from tfdepthviz.models.porting.file_kinds import TORCH_LEGACY, TORCH_MAGIC, TORCH_TAR, TORCH_ZIP
from tfdepthviz.models.porting.torch_pickle import unpickle
from tfdepthviz.models.porting.torch_tensors import (
    ITEM_BYTES,
    MOST_AXES,
    Refused,
    Storage,
    Tensor,
    shown,
    whole_number,
)

MAGIC = int.from_bytes(TORCH_MAGIC, "little")
PROTOCOL = 1001
ENDIANNESS = {b"little": "<", b"big": ">"}
MOST_ENTRIES, STEPS_OF_ENTRY = 1 << 16, 100
TAR_MEMBERS = ("storages", "tensors", "pickle")


@contextlib.contextmanager
def _zip(path):
    """PyTorch 1.6 and later: a pickle `data.pkl` and a member `data/<key>` for each storage."""
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: member for member in archive.infolist()}
        pickles = [name for name in members if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise Refused(f"expected one data.pkl in the archive, found {len(pickles)}")
        claimed, present = sum(m.file_size for m in archive.infolist()), path.stat().st_size
        if claimed > present:
            raise Refused(
                f"would unpack to {claimed} bytes from {present}; torch.save does not compress"
            )
        folder = pickles[0][: -len("data.pkl")]

        def read(name):
            if folder + name not in members:
                raise Refused(f"damaged (it lacks {shown(folder + name)})")
            return archive.read(members[folder + name])

        order = "<"
        if f"{folder}byteorder" in members:
            order = ENDIANNESS.get(read("byteorder"))
            if order is None:
                raise Refused("damaged (unknown byte order)")

        described = {}
        with archive.open(members[pickles[0]]) as stream:
            content = unpickle(stream, lambda what: _described(what, described))
        yield content, lambda storage: (read(f"data/{storage.key}"), order)


@contextlib.contextmanager
def _legacy(path):
    """PyTorch 0.1.10 to 1.5: pickles in a row, then the storages in a row, little-endian."""
    with open(path, "rb") as file:
        if unpickle(file) != MAGIC or unpickle(file) != PROTOCOL:
            raise Refused("of a version of torch.save that is not known")
        unpickle(file)  # sizes of C types where it was written
        described, places = {}, {}
        content = unpickle(file, lambda what: _described(what, described))
        for key in unpickle(file):
            if not isinstance(key, str) or key not in described:
                raise Refused(f"damaged (storage {shown(key)} belongs to nothing)")
            count, places[key] = _next_storage(file, described[key].dtype)
            if count != described[key].total:
                raise Refused(
                    f"damaged (storage {shown(key)} has {count} elements instead of "
                    f"{described[key].total})"
                )
        yield content, lambda storage: (_read_at(file, places[storage.key], storage), "<")


@contextlib.contextmanager
def _tar(path):
    """PyTorch before 0.1.10: a tar of storages, tensors, and a pickle that calls them by number."""
    with tarfile.open(path, "r:") as archive, open(path, "rb") as file:
        starts = {}
        for _, member in zip(range(16), archive, strict=False):
            if member.name in TAR_MEMBERS and member.isfile() and not member.issparse():
                starts[member.name] = member.offset_data
        if len(starts) != len(TAR_MEMBERS):
            raise Refused(f"a tar without {', '.join(TAR_MEMBERS)}: not a file of torch.save")
        file.seek(starts["storages"])
        objects, places = _tar_storages(file)
        file.seek(starts["tensors"])
        for _ in range(_number_of_entries(file)):
            key, storage, _ = unpickle(file, most_steps=STEPS_OF_ENTRY)
            (axes,) = struct.unpack("<i4x", file.read(8))
            if not 0 <= axes <= MOST_AXES:
                raise Refused(f"damaged (a tensor has {axes} axes)")
            numbers = struct.unpack(f"<{2 * axes + 1}q", file.read(8 * (2 * axes + 1)))
            numbers = tuple(whole_number(n) for n in numbers)
            size, stride = numbers[:axes], numbers[axes:-1]
            storage = objects[whole_number(storage)]
            objects[whole_number(key)] = Tensor(storage, numbers[-1], size, stride)
        file.seek(starts["pickle"])
        content = unpickle(file, lambda what: objects[whole_number(int(what))])
        yield content, lambda storage: (_read_at(file, places[storage.key], storage), "<")


def _tar_storages(file):
    """Number -> `Storage`, and number -> where its elements lie."""
    storages, places = {}, {}
    for _ in range(_number_of_entries(file)):
        key, _, dtype = unpickle(file, most_steps=STEPS_OF_ENTRY)
        if not _is_dtype(dtype):
            raise Refused(f"it holds a storage of {shown(dtype, 40)}, which is no tensor")
        count, places[whole_number(key)] = _next_storage(file, dtype)
        storages[key] = Storage(dtype, key, count, 0, count)
    for target, root, offset, count in unpickle(file):
        root = storages[whole_number(root)]
        storages[whole_number(target)] = _part(root, offset, count)
    return storages, places


def _number_of_entries(file):
    count = whole_number(unpickle(file, most_steps=STEPS_OF_ENTRY))
    if count > MOST_ENTRIES:
        raise Refused(f"damaged (it says that it holds {count} entries)")
    return count


def _described(what, described):
    """("storage", type, key, device, number of elements[, view or None]) -> `Storage`."""
    kind, dtype, key, _, count, *view = what
    if kind != "storage" or not _is_dtype(dtype) or not isinstance(key, str):
        raise Refused(f"it holds a {shown(kind, 40)!r} of {shown(dtype, 40)}, which is no tensor")
    storage = Storage(dtype, key, whole_number(count), 0, count)
    if described.setdefault(key, storage) != storage:
        raise Refused(f"damaged (storage {shown(key)} is described in two ways)")
    if not view or view[0] is None:
        return storage
    _, first, count = view[0]
    return _part(storage, first, count)


def _is_dtype(value):
    # Only a string is looked up: to hash a nest of tuples may take for ever.
    return isinstance(value, str) and value in ITEM_BYTES


def _part(storage, first, count):
    if whole_number(first) + whole_number(count) > storage.total:
        raise Refused("damaged (a view reaches beyond its storage)")
    return storage._replace(first=first, count=count)


def _next_storage(file, dtype):
    """Number of elements and place of the storage at the file's position, which moves past it."""
    (count,) = struct.unpack("<q", file.read(8))
    start = file.tell()
    end, present = start + whole_number(count) * ITEM_BYTES[dtype], file.seek(0, 2)
    if end > present:
        raise Refused(f"cut off: a storage ends at byte {end}, and the file has {present}")
    file.seek(end)
    return count, start


def _read_at(file, start, storage):
    file.seek(start)
    return file.read(storage.total * ITEM_BYTES[storage.dtype])


# Kind of file -> its format.
FORMATS = {TORCH_ZIP: _zip, TORCH_LEGACY: _legacy, TORCH_TAR: _tar}
