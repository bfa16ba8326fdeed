"""Listing of folders: what they contribute, and what is left out and counted."""

import os

import pytest

from tfdepthviz.data import folder, listing, pairs
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import OUTPUT_MARK
from trainers.cli.data import Data
from trainers.engine.output_folder import check_results, mark_output
from trainers.engine.source import Source


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def taken(root, **options):
    images = listing.images_in(str(root), **options).images
    return [os.path.relpath(path, root) for path in images]


def test_what_is_left_out_is_counted(tmp_path):
    touch(tmp_path, "b.jpg", "sub/a.JFIF", "c.webp", "d.bmp", "e.TIFF", "notes.txt")
    touch(tmp_path, ".ipynb_checkpoints/b.jpg", "sub/@eaDir/b.jpg/S.jpg", "Trash/1.png", "._b.jpg")
    touch(tmp_path, "out/strip.png", "out/frames/1.png", f"out/{OUTPUT_MARK}", "raw.CR2", "x.gif")
    result = listing.images_in(str(tmp_path))
    assert taken(tmp_path) == ["b.jpg", "c.webp", "d.bmp", "e.TIFF", "sub/a.JFIF"]
    assert result.left_out == {listing.HIDDEN: 4, listing.RESULTS: 2, ".cr2": 1, ".gif": 1}
    words = result.left_out_in_words()
    assert words.startswith("left out: ") and "2 written by tfdepthviz" in words
    assert "; left out: " in folder.files(str(tmp_path)).note


def test_linked_folders_are_followed_once(tmp_path):
    data, other = tmp_path / "data", tmp_path / "other"
    touch(data, "a.jpg")
    touch(other, "b.jpg", "inner/c.jpg")
    (data / "link").symlink_to(other)
    (data / "again").symlink_to(other)
    (other / "circle").symlink_to(data)
    assert taken(data) == ["a.jpg"]
    assert listing.images_in(str(data)).left_out == {listing.LINKED: 2}
    followed = taken(data, follow_links=True)
    assert [os.path.basename(path) for path in followed] in (
        ["a.jpg", "b.jpg", "c.jpg"],
        ["b.jpg", "c.jpg", "a.jpg"],
    )


def test_an_output_folder_is_no_input(tmp_path, write_image):
    write_image(tmp_path / "1.png", 6, 8)
    mark_output(tmp_path)
    for read in (listing.images_in, folder.files):
        with pytest.raises(InputError, match="received an output folder of tfdepthviz"):
            read(str(tmp_path))


def test_pairs_leave_out_what_they_do_not_name(tmp_path):
    touch(tmp_path, "rgb/1.png", "depth/1.png", "done/rgb/2.png", f"done/{OUTPUT_MARK}")
    touch(tmp_path, "done/depth/1.png", ".trash/rgb/3.png")
    options = {"image_glob": "**/rgb/*.png", "depth_scale": 1.0}
    frames = pairs.files(str(tmp_path), depth_glob="**/depth/*.png", **options)
    assert frames.images == [str(tmp_path / "rgb/1.png")]
    options["image_glob"] = "rgb/*.png"
    named = pairs.files(str(tmp_path), depth_glob="done/depth/*.png", **options)
    assert named.depths == [str(tmp_path / "done/depth/1.png")]


def test_results_do_not_go_among_photographs(tmp_path):
    touch(tmp_path, "photos/sub/a.jpg", "earlier/strip.png", "earlier/table.json")
    with pytest.raises(
        InputError, match=r"--output_dir=.*holds images that no command wrote.*a\.jpg"
    ):
        check_results(str(tmp_path / "photos"), "pictures")
    for name in ("new", "earlier"):
        check_results(str(tmp_path / name), "pictures")
        assert not (tmp_path / "new").exists()
    mark_output(tmp_path / "new")
    touch(tmp_path, "new/strip.png")
    check_results(str(tmp_path / "new"), "pictures")


def test_the_frames_are_said(tmp_path, write_image, capsys):
    for number in range(12):
        write_image(tmp_path / f"{number:02}.png", 6, 8)
    touch(tmp_path, ".hidden/1.png")
    source = Source(Data("folder", str(tmp_path)))
    for split, says in (("validation", "the last 1 of 12"), ("train", "the first 11 of 12")):
        source.load(split)
        assert capsys.readouterr().out == (
            f"{split} of {tmp_path}: {says} images; left out: 1 in hidden or service folders\n"
        )


def test_one_photograph(tmp_path, write_image):
    path = tmp_path / "photo.png"
    write_image(path, 6, 8)
    for place in (path, tmp_path):
        assert folder.files(str(place), "validation").images == [str(path)]
        assert len(list(folder.files(str(place)).examples())) == 1
        with pytest.raises(InputError, match="expected at least 2 images to train"):
            folder.files(str(place), "train")


def test_all_frames_can_be_rated(tmp_path, write_image):
    for number in range(10):
        write_image(tmp_path / f"{number}.png", 6, 8)
    assert len(Source(Data("folder", str(tmp_path))).load("all")) == 10
    with pytest.raises(InputError, match="--split=all: --dataset=samples has a split of its own"):
        Source(Data("samples")).load("all")
