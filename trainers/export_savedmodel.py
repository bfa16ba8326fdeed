"""Exports a trained mask generator G with its depth network N for TensorFlow Serving.

    python -m trainers.export_savedmodel --mask_weights=runs/mask/mask_net.keras --name=my_masks

writes savedmodels/my_masks/<next version>/. If the weights lie in the work folder of train_mask,
N, input size and data set are those of that run, unless flags say otherwise. What signatures the
model has, and how to serve it: savedmodels/README.md.

The card in it (assets.extra/card.json) says which networks these are and what was measured: on
--max_images images of the validation split, N running seven times an image. With the 43 embedded
ones the compact pair took 56 s on two busy cores (Intel Xeon; 2026-11-24). --help lists the flags.
"""

import dataclasses
import re
from pathlib import Path

from tfdepthviz import evaluation, export
from tfdepthviz.data import pipeline
from tfdepthviz.export import card, networks
from tfdepthviz.export.rounding import rounding_loss
from tfdepthviz.models import build_mask_net
from tfdepthviz.utils.errors import InputError
from trainers import evaluate
from trainers.cli import data as datasets
from trainers.cli import flags, mask_files, trained_masks
from trainers.cli import target as targets
from trainers.engine.output_folder import check_output
from trainers.engine.strategy import prepare


def run(
    *,
    data=datasets.Data(dataset=None, skip_bad_examples=None),
    input_size=None,
    batch_size=8,
    max_images=100,
    target=targets.Target(depth_net=None),
    mask_net=None,
    mask_weights=None,
    name=None,
    savedmodel_dir="savedmodels",
    version=None,
    weights_dtype="float32",
    warmup=True,
):
    """Exports and returns the folder of the new version."""
    if not mask_weights:
        raise InputError("--mask_weights: needs the weights of the mask generator to export")
    trained = trained_masks.options_of(mask_weights)
    target = trained_masks.completed(target, trained, leader="depth_net")
    data = trained_masks.completed(data, trained, leader="dataset")
    mask_net = mask_net or trained.get("mask_net", "compact")
    name = name or mask_files.name_of(mask_weights)
    base_path = Path(savedmodel_dir) / _checked(name)
    export.free_version(base_path, version)
    check_output(savedmodel_dir, "all exported models", flag="savedmodel_dir")
    # The seed decides where a sanity check had N's weights drawn at random.
    prepare("float32", trained.get("seed", 0))
    explained = target.build(input_size or trained.get("input_size"))
    g = build_mask_net(mask_net, explained.net.input_shape[1:], weights=mask_weights)
    as_trained = bool(trained) and flags.flat({"": target}).items() <= trained.items()
    whence = ", as in the run that trained G" if as_trained else ""
    print(f"G: {mask_net}, {mask_weights}; N: {target.depth_net}{whence}", flush=True)
    card = {
        "name": name,
        "depth_net": {
            "name": trained_masks.last_part(target.depth_net),
            "weights": trained_masks.last_part(target.weights),
            "input": target.depth_input or "imagenet",
        },
        "mask_net": {"name": mask_net, "weights": trained_masks.last_part(mask_weights)},
        "lambda": trained_masks.final_lambda(mask_weights, trained),
        "target_sparseness": trained.get("target_sparseness"),
        "training": trained_masks.told(trained),
        **_measured(explained, g, data, batch_size, max_images, weights_dtype),
    }
    path = export.export_savedmodel(
        explained,
        g,
        base_path,
        card=card,
        version=version,
        weights_dtype=weights_dtype,
        warmup=warmup,
    )
    print(f"wrote {path}", flush=True)
    return path


def _checked(name):
    """The name, if a folder and a URL can have it."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise InputError(
            f"--name={name}: expected letters, digits, '_', '.' and '-', as it becomes part of "
            "paths and URLs"
        )
    return name


def _measured(target, g, data, batch_size, max_images, weights_dtype):
    """The card's fields `validation` and `rounding`."""
    half = weights_dtype != "float32"
    if not max_images:
        print("nothing measured (--max_images=0); the card says so", flush=True)
        return {
            "validation": {"measured": False},
            "rounding": {"measured": False} if half else None,
        }
    size = target.input_size
    source = datasets.Source(data)
    try:
        raw = source.load("validation")
    except InputError as error:
        raise InputError(f"{error} (--max_images=0 exports without measuring)") from error
    batches = pipeline.evaluation_batches(
        pipeline.evenly(raw, max_images)[0],
        input_size=size,
        depth_size=size,
        batch_size=batch_size,
    )
    with source.named_files():
        result = evaluation.evaluate_masks(target, g, batches, progress=evaluate.progress_bar)
        print(evaluation.format_table(result), end="", flush=True)
        rounding = half and _rounding(target, g, batches, weights_dtype)
    named = ":".join(filter(None, (data.dataset, trained_masks.last_part(data.data_dir))))
    figures = card.validation_figures(result, data=named, images_in_set=len(raw))
    return {"validation": {"measured": True, **figures}, "rounding": rounding or None}


def _rounding(target, g, batches, weights_dtype):
    size, nets, unit = target.input_size, (target.net, g), target.unit
    rounded = [networks.store(net, size, weights_dtype) for net in nets]
    n, g = (networks.store(net, size) for net in nets)
    loss = rounding_loss(dataclasses.replace(target, net=n), g, rounded, batches)
    before, after = loss["fidelity_rmse"]["binary_mask"]
    print(
        f"{weights_dtype} against float32: depth {loss['depth_rmse']:.2g} {unit} apart, "
        f"{loss['binary_mask_changed']:.2%} of M' changed, fidelity of M' {after:.4f} {unit} in "
        f"place of {before:.4f}",
        flush=True,
    )
    return {"measured": True, **loss}


if __name__ == "__main__":
    flags.main(run, continues=False)
