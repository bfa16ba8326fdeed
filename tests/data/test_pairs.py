"""Any folder of pairs: wildcards, units, the split, and errors."""

import numpy as np
import pytest

from tfdepthviz.data import pairs
from tfdepthviz.utils.errors import InputError


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def pairs_in(root, image_glob, depth_glob, split=None):
    """(image, depth) relative to the folder."""
    options = {"image_glob": image_glob, "depth_glob": depth_glob, "depth_scale": 0.001}
    frames = pairs.files(str(root), split, **options)
    return [
        tuple(path.removeprefix(f"{root}/") for path in pair)
        for pair in zip(frames.images, frames.depths, strict=True)
    ]


def message_of(call, *arguments):
    """The message of the error, one line."""
    with pytest.raises(InputError) as raised:
        call(*arguments)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_scale_of_8_and_16_bits(tmp_path, write_image, write_depth, kind):
    values = np.random.default_rng(0).integers(0, 256, (6, 8)).astype(kind)
    write_image(tmp_path / "a_rgb.png", 12, 16)
    write_depth(tmp_path / "a_depth.png", values)
    frames = pairs.files(
        str(tmp_path), image_glob="*_rgb.png", depth_glob="*_depth.png", depth_scale=0.02
    )
    (example,) = frames.examples()
    np.testing.assert_allclose(example["depth"][..., 0], values * 0.02, rtol=1e-6)


@pytest.mark.parametrize(
    ("image_glob", "depth_glob", "made"),
    [
        ("*_rgb.jpg", "*_depth.png", [("1_rgb.jpg", "1_depth.png"), ("2_rgb.jpg", "2_depth.png")]),
        # Pairing by sorted order alone would swap these.
        (
            "rgb/*.jpg",
            "depth/*x.png",
            [("rgb/10.jpg", "depth/10x.png"), ("rgb/9.jpg", "depth/9x.png")],
        ),
        ("./rgb//*", "d/*.png", [("rgb/a", "d/a.png"), ("rgb/b.c", "d/b.c.png")]),
        (
            "**/*.rgb.jpg",
            "**/*.depth.png",
            [("1.rgb.jpg", "1.depth.png"), ("a/b/1.rgb.jpg", "a/b/1.depth.png")],
        ),
        (
            "images/**/*.jpg",
            "depths/**/*.png",
            [("images/a/1.jpg", "depths/a/1.png"), ("images/a/b/1.jpg", "depths/a/b/1.png")],
        ),
        ("*/rgb/?.jpg", "depth/*/?.png", [("s/rgb/1.jpg", "depth/s/1.png")]),
        ("**/i.jpg", "*/d.png", [("a/i.jpg", "a/d.png")]),
        ("a+(1)*.jpg", "a+(1)*.png", [("a+(1)x.jpg", "a+(1)x.png")]),
        ("[ab]*.jpg", "[ab]*.png", [("[ab]1.jpg", "[ab]1.png")]),
        (".hidden/*.jpg", ".hidden/*.png", [(".hidden/1.jpg", ".hidden/1.png")]),
    ],
)
def test_wildcards_of_a_pair_match_the_same_text(tmp_path, image_glob, depth_glob, made):
    touch(tmp_path, *(path for pair in made for path in pair))
    touch(tmp_path, "notes.txt", "._1_rgb.jpg", ".trash/1.rgb.jpg", ".trash/i.jpg")
    assert pairs_in(tmp_path, image_glob, depth_glob) == made


def test_the_last_tenth_is_held_out(tmp_path):
    made = [(f"{index:02}.jpg", f"{index:02}.png") for index in range(12)]
    touch(tmp_path, *(path for pair in made for path in pair))
    assert pairs_in(tmp_path, "*.jpg", "*.png", "train") == made[:-1]
    assert pairs_in(tmp_path, "*.jpg", "*.png", "validation") == made[-1:]


def test_files_without_a_partner_are_named(tmp_path):
    touch(tmp_path, *(f"rgb/a/{index}.jpg" for index in range(5)), "rgb/b/0.jpg")
    touch(tmp_path, *(f"depth/a/{index}.png" for index in range(1, 7)))
    message = message_of(pairs_in, tmp_path, "rgb/**/*.jpg", "depth/**/*.png")
    images, depths = message.split("; ")
    assert images == (
        "2 of 6 files have no partner of depth_glob=depth/**/*.png, such as rgb/a/0.jpg, which "
        "expects depth/a/0.png"
    )
    assert depths == (
        "2 of 6 files have no partner of image_glob=rgb/**/*.jpg, such as depth/a/5.png, which "
        "expects rgb/a/5.jpg"
    )
    # In the folder itself, where ** matches no folder.
    touch(tmp_path, "1.x.jpg", "2.y.png")
    assert "1.x.jpg, which expects 1.y.png" in message_of(
        pairs_in, tmp_path, "**/*.x.jpg", "**/*.y.png"
    )


@pytest.mark.parametrize(
    ("image_glob", "depth_glob", "says"),
    [
        ("/data/*.jpg", "*.png", "image_glob=/data/*.jpg: must stay inside of data_dir"),
        ("*.jpg", "../*.png", "depth_glob=../*.png: must stay inside of data_dir"),
        ("a/../*.jpg", "*.png", "image_glob=a/../*.jpg: must stay inside of data_dir"),
        ("**", "**", "image_glob=**: must end in the name of a file"),
        ("rgb/", "depth/", "image_glob=rgb/: must end in the name of a file"),
        ("**.jpg", "*.png", "image_glob=**.jpg: ** must stand between slashes"),
        ("", "*.png", "image_glob=: must end in the name of a file"),
        ("a.jpg", "a.png", "image_glob=a.jpg: needs a * where the files' names differ"),
        ("*.jpg", "*/*.png", "expected as many of *, ? and ** as in image_glob=*.jpg, 1; rec"),
        ("*.jpeg", "*.png", "image_glob=*.jpeg: matches no file in"),
        ("*.jpg", "d/*.png", "depth_glob=d/*.png: matches no file in"),
    ],
)
def test_unusable_patterns_are_named(tmp_path, image_glob, depth_glob, says):
    touch(tmp_path, "a.jpg", "a.png")
    assert says in message_of(pairs_in, tmp_path, image_glob, depth_glob)


def test_unusable_folder_scale_and_split(tmp_path):
    touch(tmp_path, "a.jpg", "a.png")
    globs = {"image_glob": "*.jpg", "depth_glob": "*.png"}
    for scale in (0.0, -1.0, float("nan"), float("inf")):
        message = message_of(lambda s=scale: pairs.files(str(tmp_path), **globs, depth_scale=s))
        assert message.startswith(f"depth_scale={scale:g}: expected metres of one step")
    nowhere = tmp_path / "nowhere"
    assert message_of(lambda: pairs.files(str(nowhere), **globs, depth_scale=1)) == (
        f"data_dir={nowhere}: no such folder"
    )
    assert "expected at least 2 pairs" in message_of(pairs_in, tmp_path, "*.jpg", "*.png", "train")
    with pytest.raises(ValueError, match="Received: 'test'"):
        pairs_in(tmp_path, "*.jpg", "*.png", "test")


def test_real_pairs(real_data):
    folder = real_data("pandaset")
    frames = pairs.files(
        str(folder), image_glob="**/*.rgb.jpg", depth_glob="**/*.depth.png", depth_scale=1 / 256
    )
    assert len(frames) == 57
    for image, depth in zip(frames.images, frames.depths, strict=True):
        assert image.removesuffix(".rgb.jpg") == depth.removesuffix(".depth.png")
    frames.check()
