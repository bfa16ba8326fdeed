"""Kinds of weight files, recognised by content, because names are unreliable."""

import contextlib
import zipfile

KERAS = "a .keras file"
HDF5 = "an HDF5 file"
TORCH_ZIP = "a file of torch.save"
TORCH_LEGACY = "a file of torch.save from before PyTorch 1.6"
TORCH_TAR = "a file of torch.save from before PyTorch 0.1.10"
SAFETENSORS = "a safetensors file"
TENSORFLOW = "a TensorFlow checkpoint"

# Little-endian bytes of the number that torch.save began with, whatever pickle wraps it.
TORCH_MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
# The last eight bytes of a sorted table, of which TensorFlow makes its checkpoints.
TABLE_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
BEGINNINGS = (
    (b"\x89HDF\r\n\x1a\n", HDF5),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x1f\x8b", "a gzip archive, to be unpacked first"),
    (b"Rar!", "a RAR archive, to be unpacked first"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"version https://git-lfs", "a Git LFS pointer instead of the file itself"),
)


def file_kind(path):
    """Looks into a file and says of which kind it is.

    Args:
      path: an existing file.
    Returns:
      one of the constants above, or a few words about what else it looks like.
    """
    with open(path, "rb") as file:
        head = file.read(512)
        end = file.seek(0, 2)
        file.seek(max(0, end - 8))
        tail = file.read()
    for beginning, kind in BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head.startswith(b"PK"):
        return _archive_kind(path)
    if TORCH_MAGIC in head[:32]:
        return TORCH_LEGACY
    if head[257:262] == b"ustar":
        first = head.split(b"\0", 1)[0]
        is_torch = first in (b"sys_info", b"pickle", b"storages", b"tensors")
        return TORCH_TAR if is_torch else "a tar archive, to be unpacked first"
    if tail == TABLE_MAGIC:
        return TENSORFLOW
    return _other_kind(head)


def _archive_kind(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # a damaged directory makes zipfile raise anything
        return "the beginning of a zip archive, cut off or damaged"
    if any(name.rpartition("/")[2] == "data.pkl" for name in names):
        return TORCH_ZIP
    if "model.weights.h5" in names:
        return KERAS
    if names and all(name.endswith(".npy") for name in names):
        return "NumPy arrays"
    return "a zip archive, to be unpacked first"


def _other_kind(head):
    if not head:
        return "an empty file"
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":
        return "a Python pickle that torch.save did not write"
    if head[8:9] == b"{":
        return SAFETENSORS
    with contextlib.suppress(UnicodeDecodeError):
        text = head[:-4].decode() if len(head) == 512 else head.decode()
        page = text.lstrip().lower().startswith(("<!doctype", "<html"))
        return "a web page, saved instead of the file" if page else "text"
    return "of no kind that is known here"
