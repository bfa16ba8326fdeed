"""Hostile files of Keras: each is refused with the reason, and not loaded."""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from tfdepthviz.models import build_depth_net, build_mask_net
from tfdepthviz.models.porting.keras_safety import check_code, check_sizes
from tfdepthviz.models.porting.weight_files import load_encoder
from tfdepthviz.models.target_sources import open_network
from tfdepthviz.utils.errors import InputError

LAYER = {"module": "keras.layers", "class_name": "Dense", "config": {}}


def keras_file(path, config=None, weights=None, compression=zipfile.ZIP_STORED):
    """A .keras file made of these parts."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(config or LAYER))
        archive.writestr("model.weights.h5", weights or b"")
    return path


@pytest.mark.parametrize(
    "config, says",
    [
        ({"module": "os", "class_name": "function", "config": "system"}, "os.function"),
        ({"module": "keras.utils", "class_name": "get_file"}, "keras.utils.get_file"),
        ({"module": "keras.src.saving.saving_lib", "class_name": "f"}, "saving_lib.f"),
        ({**LAYER, "class_name": "Lambda"}, "holds a Lambda"),
        ({**LAYER, "class_name": "__lambda__"}, "holds a __lambda__"),
        ({**LAYER, "class_name": "TFSMLayer"}, "holds a TFSMLayer"),
        ({**LAYER, "class_name": "StringLookup"}, "holds a StringLookup"),
    ],
)
def test_names_of_code_and_files(config, says, tmp_path):
    nested = {**LAYER, "config": {"layers": [{"deep": [config]}]}}
    for number, whole in enumerate((config, nested)):
        path = keras_file(tmp_path / f"{number}.keras", whole)
        with pytest.raises(InputError, match=says):
            check_code(path)
        with h5py.File(tmp_path / "w.h5", "w"):
            pass
        full = keras_file(path, whole, (tmp_path / "w.h5").read_bytes())
        with pytest.raises(InputError, match=rf"does not load as a .keras model \(it .*{says}"):
            open_network(str(full))


def test_harmless_networks_pass(tmp_path):
    for build in (build_depth_net, build_mask_net):
        net, path = build("compact", (32, 48, 3)), tmp_path / f"{build.__name__}.keras"
        net.compile(keras.optimizers.Adam(), "mse")
        net.save(path)
        check_sizes(path)
        check_code(path)


def _huge(file):
    file.create_dataset("a", (1 << 20, 1 << 20), "f4", chunks=(1024, 1024))


def _outside(file):
    file.create_dataset("a", (64,), "u1", external=[("secret", 0, 64)])


def _virtual(file):
    layout = h5py.VirtualLayout((64,), "u1")
    layout[:] = h5py.VirtualSource("secret", "a", (64,), "u1")
    file.create_virtual_dataset("a", layout)


def _linked(file):
    file["deep/a"] = h5py.ExternalLink("secret", "/a")


@pytest.mark.parametrize(
    "fill, says",
    [
        (_huge, "it would unpack to 4398046511104 bytes"),
        (_outside, "its a lies in another file"),
        (_virtual, "its a lies in another file"),
        (_linked, "its deep/a lies in another file"),
    ],
)
def test_huge_and_foreign_arrays(fill, says, tmp_path):
    path = tmp_path / "n.weights.h5"
    with h5py.File(path, "w") as file:
        fill(file)
    with pytest.raises(InputError, match=f"weights of compact_mask: .*n.weights.h5: {says}"):
        build_mask_net("compact", (32, 48, 3), weights=path)
    with pytest.raises(InputError, match=says):
        load_encoder(build_depth_net("compact", (32, 48, 3)), path)
    keras_path = keras_file(tmp_path / "n.keras", weights=path.read_bytes())
    with pytest.raises(InputError, match=says):
        open_network(str(keras_path))


def test_zip_bomb(tmp_path):
    zeros = np.zeros(1 << 26, np.uint8).tobytes()
    path = keras_file(tmp_path / "n.keras", weights=zeros, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(InputError, match="n.keras: it would unpack to 67108"):
        build_mask_net("compact", (32, 48, 3), weights=path)
