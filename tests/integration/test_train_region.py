"""train_region as a user runs it: a short run, continued, its file, and an answer by that."""

import csv

import commands
import keras
import numpy as np
import tiny_nets
from PIL import Image

from tfdepthviz.data.transforms import normalise
from tfdepthviz.masks import top_share_mask
from tfdepthviz.models import build_mask_net
from tfdepthviz.models.porting.weight_files import load_weights
from tfdepthviz.models.region_net import HEAD, region_net
from tfdepthviz.models.scores import scores_net
from trainers import explain_region, train_region


def test_continued_run(finished_run, tiny_networks, tmp_path, capsys):
    options, _ = finished_run
    flags = {name: options[name] for name in ("dataset", "data_dir")}
    flags |= {"depth_net": "tiny", "depth_weights": "random", "input_size": tiny_nets.SIZE}
    flags |= {"mask_weights": "random", "batch_size": 2, "workdir": str(tmp_path / "region")}
    commands.run(train_region, **flags, epochs=1)
    folder = commands.run(train_region, **flags, epochs=2)
    said = capsys.readouterr().out
    assert "of the pixels from its depth in random" in said and "explain_region photo.jpg" in said
    assert (folder / "report.html").is_file() and (folder / "frame_0.png").is_file()
    with open(folder / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert all(float(row["val_fidelity/share_05"]) > 0 for row in rows)
    net = region_net(build_mask_net("compact_ranking", (*tiny_nets.SIZE, 3)))
    before = net.get_layer(HEAD).get_weights()
    load_weights(net, folder / "region_net.keras")
    assert any(
        (a != b).any() for a, b in zip(before, net.get_layer(HEAD).get_weights(), strict=True)
    )
    assert all(np.isfinite(weights).all() for weights in net.get_weights())

    photo = np.random.default_rng(0).integers(0, 256, (*tiny_nets.SIZE, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    rows = commands.run(
        explain_region,
        image=(str(tmp_path / "photo.png"),),
        box=((4.0, 3.0, 12.0, 9.0),),
        keep=(0.2,),
        region_net=str(folder / "region_net.keras"),
        depth_weights="random",
        output_dir=str(tmp_path / "answer"),
    )
    assert "search" not in capsys.readouterr().out  # no longer search is offered
    assert [row["mask"] for row in rows][0] == "network" and rows[0]["pixels"] == 64
    place = np.zeros((1, *tiny_nets.SIZE, 1), np.float32)
    place[:, 3:9, 4:12] = 1
    image = normalise(photo / np.float32(255))[np.newaxis]
    scores = scores_net(net)([image, keras.ops.convert_to_tensor(place)])
    with np.load(tmp_path / "answer/masks.npz") as held:
        np.testing.assert_array_equal(held["masks_1"], top_share_mask(scores, [0.2])[..., 0])
