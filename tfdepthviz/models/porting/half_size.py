"""Half-size weight files: kernels as float16, for the networks that come with the package."""

import tempfile
from pathlib import Path

import h5py

from tfdepthviz.utils.files import whole_file


def save_half(model, path):
    """Writes a `.weights.h5` file of about half the size, which `load_weights` reads as any other.

    Kernels are stored as float16, compressed. Biases and batch statistics stay float32: they are
    few, and small variances would become 0.

        save_half(keras.saving.load_model("runs/n/depth_net.keras"), "compact.weights.h5")

    Args:
      model: keras.Model.
      path: path that ends in .weights.h5; a file there is replaced.
    """
    with tempfile.TemporaryDirectory() as folder, whole_file(Path(path)) as partial:
        full = Path(folder) / "full.weights.h5"
        model.save_weights(full)
        with h5py.File(full) as source, h5py.File(partial, "w") as target:
            target.attrs.update(source.attrs)
            source.visititems(lambda name, item: _copy(target, name, item))


def _copy(target, name, item):
    if isinstance(item, h5py.Group):
        target.require_group(name).attrs.update(item.attrs)
    elif item.ndim > 1 and item.dtype == "float32":
        target.create_dataset(
            name, data=item[()].astype("float16"), compression="gzip", shuffle=True
        )
    else:
        target.create_dataset(name, data=item[()])
