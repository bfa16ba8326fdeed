"""Networks of PyTorch and Hugging Face against their converted forms: depth and gradient.

    /where/torch/is/bin/python -m pytest tests/models/conversion

needs an environment with the extra `torch`; the tests are skipped in any other.
"""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tfdepthviz.models.conversion import comparison, hugging_face, torch_network
from tfdepthviz.models.conversion.convert import open_converted
from tfdepthviz.models.target import depth_target
from tfdepthviz.models.target_sources import open_network
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from tfdepthviz.utils.errors import InputError
from trainers.cli.target import Target

torch = pytest.importorskip(
    "torch", reason="NO PYTORCH: no converted network was compared with its original"
)
pytest.importorskip("onnxscript", reason="NO ONNXSCRIPT: PyTorch exports no network without it")
torch_nets = pytest.importorskip("torch_nets")
HELPERS = pathlib.Path(torch_nets.__file__).parent
ROOT = HELPERS.parents[1]
pytestmark = pytest.mark.filterwarnings("default")  # PyTorch's own

CODE = f"""
import sys
sys.path.insert(0, {str(HELPERS)!r})
import torch, torch_nets
def midas(): return torch_nets.seeded(torch_nets.MidasLike())
def monodepth2(): return torch_nets.seeded(torch_nets.Monodepth2Like())
def one_by_one(): return torch_nets.seeded(torch_nets.OneByOne())
class Sorted(torch.nn.Module):
    def forward(self, image): return torch.linalg.svd(image[:, 0])[0] * image[:, 1]
class Asks(torch.nn.Module):
    def forward(self, image):
        return image[:, 0] if image.mean() > 0 else image[:, 1]
def nested(): return lambda image: {{"a": [image[:, 0], image[:, 1] ** 2]}}
class Views(torch.nn.Module):
    def forward(self, image):
        return (image.view(len(image), -1) ** 2).view(image.shape)[:, 0]
def flat(): return lambda image: image.detach()[:, 0]
def loaded():
    network = torch_nets.OneByOne()
    network.load_state_dict(torch.load("weights.pt"))
    return network
"""


@pytest.fixture
def code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(CODE)
    return "torch:nets.py"


def own_answers(network, images, output=None):
    """Depth and gradient of PyTorch, written apart from the package's code."""
    image = torch.tensor(images.transpose(0, 3, 1, 2), requires_grad=True)
    depths = [network(one[None]) for one in image]
    depths = [d[output] if output else getattr(d, "predicted_depth", d) for d in depths]
    depth = torch.cat(depths).reshape(len(images), *depths[0].shape[-2:])
    weights = torch.from_numpy(comparison.weights_of(depth.detach()))
    (depth * weights).sum().backward()
    return comparison.Original(
        depth.detach().numpy(), image.grad.numpy().transpose(0, 2, 3, 1).copy()
    )


def check(opened, network, size, output=None):
    """Compares on seven images of another kind than those of the conversion."""
    images = np.random.default_rng(5).normal(size=(7, *size, 3)).astype("float32")
    original = own_answers(network, images, output)
    result = comparison.differences(lambda x: opened(x)["depth"], images, original)
    assert result.depth < 1e-4 and result.gradient < 1e-3, result
    print(result)


def test_midas_like(code):
    opened = open_network(f"{code}:midas", input_size=(64, 96))
    check(opened, torch_nets.seeded(torch_nets.MidasLike()), (64, 96))


def test_monodepth2_like(code):
    opened = open_network(f"{code}:monodepth2", input_size=(32, 64), normalisation="unit")
    check(opened, torch_nets.seeded(torch_nets.Monodepth2Like()), (32, 64), ("disp", 0))
    second = open_network(f"{code}:monodepth2", input_size=(32, 64), output="disp_1")
    check(second, torch_nets.seeded(torch_nets.Monodepth2Like()), (32, 64), ("disp", 1))


def test_one_image_at_a_time(code):
    opened = open_network(f"{code}:one_by_one", input_size=(16, 24))
    check(opened, torch_nets.seeded(torch_nets.OneByOne()), (16, 24))


def test_export_that_fixes_the_batch(code, monkeypatch):
    """As torch.onnx does to ZoeDepth: the batch's size is a number in the file."""
    export = torch_network._export
    monkeypatch.setattr(torch_network, "_export", lambda *a: export(*a[:3], None))
    opened = open_network(f"{code}:Views", input_size=(16, 24))
    images = np.random.default_rng(5).normal(size=(3, 16, 24, 3)).astype("float32")
    np.testing.assert_allclose(opened(images)["depth"][..., 0], images[..., 0] ** 2, rtol=1e-5)


def smooth_photo(size):
    """A photograph without black and white, where resizing would be cut off."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    waves = [np.sin(rows / 4 + i) * np.cos(columns / 5 - i) for i in range(3)]
    return np.uint8(128 + 60 * np.stack(waves, -1))


@pytest.mark.parametrize(
    "kind, size",
    [("depth_anything", (42, 56)), ("dpt", (64, 64))],
)
def test_hugging_face(kind, size, tmp_path):
    transformers = pytest.importorskip("transformers", reason="NO TRANSFORMERS: not compared")
    network = getattr(torch_nets, kind)()
    network.save_pretrained(tmp_path / "model")
    shape = {"height": size[0], "width": size[1]}
    keeps = {"keep_aspect_ratio": True, "ensure_multiple_of": 14} if size[0] % 14 == 0 else {}
    processor = transformers.DPTImageProcessor(size=shape, **keeps)
    processor.save_pretrained(tmp_path / "model")
    target = Target(f"hf:{tmp_path / 'model'}", depth_kind="inverse").build((30, 45))
    photo = smooth_photo((30, 45))
    pixels = processor(photo, return_tensors="pt")["pixel_values"].numpy()
    source = hugging_face.opened(str(tmp_path / "model"), "N")
    (mean, std), matrices = source.normalisation, source.resized((30, 45))
    resized = np.einsum("ij,jkc,lk->cil", matrices[0], (photo / 255 - mean) / std, matrices[1])
    # Pillow rounds to whole numbers after each side, and the second one widens the first's error.
    most = 0.5 + 0.5 * np.abs(matrices[0]).sum(1).max()
    assert np.abs(resized - pixels[0]).max() * std[0] * 255 < most + 1e-3
    with torch.no_grad():
        expected = network(torch.tensor(resized[None], dtype=torch.float32)).predicted_depth.numpy()
    seen = (photo / 255 - IMAGENET_MEAN) / IMAGENET_STD
    depth = target.net(seen[None].astype("float32"))[..., 0]
    assert np.abs(depth - expected).max() < 1e-4 * expected.std()


def test_weights_that_are_missing(tmp_path):
    """Transformers makes them up; those that the network does not use may be missing."""
    pytest.importorskip("transformers", reason="NO TRANSFORMERS: not compared")
    network = torch_nets.depth_anything()
    weights = network.state_dict()
    del weights["head.conv2.weight"]
    network.save_pretrained(tmp_path, state_dict=weights)
    (tmp_path / "preprocessor_config.json").write_text('{"size": {"height": 42, "width": 56}}')
    with pytest.raises(InputError, match="lack 1 weights that it uses: head.conv2.weight"):
        open_converted(f"hf:{tmp_path}", input_size=(42, 56))


def test_second_run_needs_no_pytorch(code, tmp_path):
    first = open_network(f"{code}:one_by_one", input_size=(16, 24))
    script = (
        "import sys\n"
        "sys.modules |= dict.fromkeys(['torch', 'onnx', 'jax', 'transformers'])\n"
        "from tfdepthviz.models.target_sources import open_network\n"
        "import numpy as np\n"
        "opened = open_network('torch:nets.py:one_by_one', input_size=(16, 24))\n"
        "print(float(opened(np.ones((2, 16, 24, 3), 'float32'))['depth'][1, 3, 4, 0]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    images = np.ones((2, 16, 24, 3), "float32")
    assert float(ran.stdout) == pytest.approx(float(first(images)["depth"][1, 3, 4, 0]), rel=1e-6)


def test_changed_files_are_converted_again(code, tmp_path):
    image = np.ones((1, 16, 24, 3), "float32")
    depths = []
    for seed in (0, 1):
        network = torch_nets.seeded(torch_nets.OneByOne(), seed)
        torch.save(network.state_dict(), tmp_path / "weights.pt")
        depths.append(open_network(f"{code}:loaded", input_size=(16, 24))(image)["depth"])
        with torch.no_grad():
            expected = network(torch.from_numpy(image.transpose(0, 3, 1, 2)))[:, 0]
        np.testing.assert_allclose(depths[-1][..., 0], expected, rtol=1e-4, atol=1e-5)
    assert np.abs(depths[0] - depths[1]).max() > 0.1


@pytest.mark.parametrize(
    "name, says",
    [
        ("Sorted", "torch.onnx does not translate the operation aten.*linalg_svd.*replace it"),
        ("Asks", "asks for a value of the image .*nets.py:[0-9]+.*replace it"),
        ("nested", "one of a_0, a_1"),
        ("flat", "clause 'gradient'"),
        ("nothing", "nets.py: defines no nothing"),
    ],
)
def test_refusals(name, says, code, cache):
    with pytest.raises(InputError, match=says):
        open_converted(f"{code}:{name}", input_size=(16, 16))
    assert not list(cache.rglob("saved_model.pb"))


def test_contract_stays_in_force(code):
    opened = open_network(f"{code}:one_by_one", input_size=(16, 24))
    with pytest.raises(InputError, match="clause 'input size'"):
        depth_target(opened, depth_kind="inverse", input_size=(32, 32))
