"""train_region as a user runs it: a short run, continued, and the file that it leaves."""

import csv

import commands
import numpy as np
import tiny_nets

from tfdepthviz.models import build_mask_net
from tfdepthviz.models.porting.weight_files import load_weights
from tfdepthviz.models.region_net import HEAD, region_net
from trainers import train_region


def test_continued_run(finished_run, tiny_networks, tmp_path, capsys):
    options, _ = finished_run
    flags = {name: options[name] for name in ("dataset", "data_dir")}
    flags |= {"depth_net": "tiny", "depth_weights": "random", "input_size": tiny_nets.SIZE}
    flags |= {"mask_weights": "random", "batch_size": 2, "workdir": str(tmp_path / "region")}
    commands.run(train_region, **flags, epochs=1)
    folder = commands.run(train_region, **flags, epochs=2)
    assert "of the pixels from its depth in random" in capsys.readouterr().out
    page = (folder / "report.html").read_text()
    assert "of the pixels from its depth in random" in page and "data:image" in page
    assert (folder / "frame_0.png").stat().st_size > 1000
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
