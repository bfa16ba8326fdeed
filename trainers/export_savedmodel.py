"""Exports a mask generator G and its depth network N for TensorFlow Serving.

    python -m trainers.export_savedmodel --mask_weights=runs/mask/mask_net.keras --name=my_masks

writes savedmodels/my_masks/<next version>/. If the weights lie in the work folder of train_mask,
N, input size and data set are those of that run, unless flags say otherwise. What signatures the
model has, and how to serve it: savedmodels/README.md.

The card in it (assets.extra/card.json) says which networks these are and what was measured on
--max_images images of the validation split: errors and fidelity of the mask at its threshold, and
fidelity at 5 shares of the pixels next to controls. N runs about 40 times on each of them, and once
on each of up to 200 training frames, for its mean map.
"""

import dataclasses
import re
from pathlib import Path

from tfdepthviz import evaluation, export
from tfdepthviz.data import pipeline
from tfdepthviz.export import card, networks
from tfdepthviz.export.rounding import rounding_loss
from tfdepthviz.models import build_mask_net
from tfdepthviz.training.ranking_trainer import RATED_SHARES
from tfdepthviz.utils.constants import SHARE
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.tables import text_table
from trainers.cli import audited, flag_types, region_networks, shared, trained_masks
from trainers.cli.data import Data
from trainers.cli.ending import conclude
from trainers.cli.explained_net import completed, mask_net_of
from trainers.cli.flags import flag, main
from trainers.cli.program import command
from trainers.cli.progress import progress_bar
from trainers.cli.target import Target
from trainers.engine.options import flat
from trainers.engine.output_folder import check_output
from trainers.engine.run_record import last_part, recorded
from trainers.engine.source import Source
from trainers.engine.strategy import prepare
from trainers.engine.training_frames import mean_map_of

# Controls at equal shares on the card, next to the mean map.
CONTROLS = ("sobel", "blurred_edges", "random", "random_blocks")


@dataclasses.dataclass(frozen=True)
class Options:
    """Export."""

    mask_weights: str | None = flag(
        None, "Weights of G: a .keras or .weights.h5 file, or a published checkpoint."
    )
    mask_net: str | None = shared.mask_net(None)
    name: str | None = flag(
        None,
        "Name of the model on servers. Default: the name of the run's folder, or of the file of "
        "weights.",
    )
    savedmodel_dir: str = flag("savedmodels", "Folder of all exported models.")
    version: int | None = flag(
        None,
        "Number of the new version. Default: the next free one.",
        flag_types.positive_integer,
    )
    weights_dtype: str = flag(
        "float32",
        "Type in which the SavedModel stores kernels; it computes in float32.",
        flag_types.enum(networks.WEIGHTS_DTYPES),
    )
    warmup: bool = flag(
        True, "Whether a server runs each signature once at its start.", flag_types.switch
    )
    region_net: str | None = region_networks.region_net()
    max_images: int = flag(
        100,
        "Images to measure on at most, evenly spread over the set; 0 measures nothing.",
        flag_types.whole_number,
    )
    input_size: tuple | None = shared.input_size()
    batch_size: int = shared.batch_size()
    data: Data = Data(dataset=None, skip_bad_examples=None)
    target: Target = Target(depth_net=None)


def run(options):
    """Exports and returns the folder of the new version."""
    options, trained = _completed(options)
    base_path = Path(options.savedmodel_dir) / _checked(options.name)
    export.free_version(base_path, options.version)
    check_output(options.savedmodel_dir, "all exported models", flag="savedmodel_dir")
    # The seed decides where a sanity check had N's weights drawn at random.
    prepare("float32", trained.get("seed", 0))
    target = options.target.build(options.input_size, in_graph=True)
    shape = target.net.input_shape[1:]
    mask_net = build_mask_net(options.mask_net, shape, weights=options.mask_weights)
    region_net = region_networks.opened(options.region_net, target.input_size)
    as_trained = bool(trained) and flat(options.target).items() <= trained.items()
    print(
        f"G: {options.mask_net}, {options.mask_weights}; N: {options.target.depth_net}"
        f"{', as in the run that trained G' if as_trained else ''}",
        flush=True,
    )
    try:
        networks.store(target.net, target.input_size)  # before minutes of measuring
    except InputError as error:
        raise InputError(f"--depth_net={options.target.depth_net}: {error}") from error
    measured = _measured(target, mask_net, options)
    path = export.export_savedmodel(
        target,
        mask_net,
        base_path,
        card={
            **_described(options, trained),
            **measured,
            "audit": audited.on_card(options.mask_weights, target, mask_net),
        },
        version=options.version,
        weights_dtype=options.weights_dtype,
        warmup=options.warmup,
        region_net=region_net,
    )
    text = f"exported {options.name}, version {path.name}"
    if measured["validation"]["measured"]:
        row = next(row for row in measured["fidelity_at_shares"] if row["share"] == SHARE)
        text += (
            f": N(I * M') is {row['fidelity_rmse']:.3f} {target.unit} from N(I) with "
            f"{SHARE:.0%} of the pixels (validation images: {measured['validation']['images']})"
        )
    commands = [
        (
            "explain photographs with it",
            command("explain", "photos", f"--savedmodel={path}"),
        ),
        (
            "serve it, with a page for the browser",
            command("serve", f"--model_name={options.name}", f"--model_base_path={base_path}"),
        ),
    ]
    conclude(text, pictures=path / export.CARD_FILE, commands=commands)
    return path


def _completed(options):
    """Options with those of the run that trained G where the user gave none, and the run's."""
    if not options.mask_weights:
        raise InputError("--mask_weights: needs the weights of the mask generator to export")
    trained = trained_masks.options_of(options.mask_weights)
    filled = dataclasses.replace(
        completed(options, [options.mask_weights, options.region_net]),
        data=trained_masks.completed(options.data, trained, leader="dataset"),
        mask_net=mask_net_of(options.mask_weights, options.mask_net),
        name=options.name or trained_masks.name_of(options.mask_weights),
    )
    return filled, trained


def _described(options, trained):
    """The card's fields about the networks and their training."""
    return {
        "name": options.name,
        "depth_net": {
            "name": last_part(options.target.depth_net),
            "weights": last_part(options.target.weights),
            "input": options.target.depth_input or "imagenet",
        },
        "mask_net": {
            "name": options.mask_net,
            "weights": last_part(options.mask_weights),
        },
        "lambda": trained.get("sparsity_weight"),
        "keep": trained.get("keep"),
        "training": recorded(trained) or None,
    }


def _checked(name):
    """The name, if a folder and a URL can have it."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise InputError(
            f"--name={name}: expected letters, digits, '_', '.' and '-', as it becomes part of "
            "paths and URLs"
        )
    return name


def _measured(target, mask_net, options):
    """The card's fields `validation`, `fidelity_at_shares` and `rounding`."""
    weights_dtype, data = options.weights_dtype, options.data
    half = weights_dtype != "float32"
    if not options.max_images:
        print("nothing measured (--max_images=0); the card says so", flush=True)
        return {
            "validation": {"measured": False},
            "fidelity_at_shares": None,
            "rounding": {"measured": False} if half else None,
        }
    source = Source(data)
    try:
        raw = source.load("validation")
    except InputError as error:
        raise InputError(f"{error} (--max_images=0 exports without measuring)") from error
    batches = pipeline.evaluation_batches(
        pipeline.evenly(raw, options.max_images)[0],
        input_size=target.input_size,
        depth_size=target.input_size,
        batch_size=options.batch_size,
    )
    with source.named_files():
        mean_map, note = mean_map_of(source, target, options.batch_size)
        result = evaluation.evaluate_masks(
            target, mask_net, batches, mean_map=mean_map, progress=progress_bar
        )
        print(evaluation.format_table(result) + note, flush=True)
        at_shares = _at_shares(target, mask_net, mean_map, batches)
        rounding = half and _rounding(target, mask_net, batches, weights_dtype)
    name = ":".join(filter(None, (data.dataset, last_part(data.data_dir))))
    figures = card.validation_figures(result, data=name, images_in_set=len(raw))
    return {
        "validation": {"measured": True, **figures},
        "fidelity_at_shares": at_shares,
        "rounding": rounding or None,
    }


def _at_shares(target, mask_net, mean_map, batches):
    """The card's field `fidelity_at_shares`."""
    comparison = evaluation.rate_shares(
        target,
        {"G": mask_net},
        batches,
        RATED_SHARES,
        controls=CONTROLS,
        mean_map=mean_map,
        random_seeds=(0,),
    )
    rows = card.fidelity_at_shares(comparison)
    lines = [
        [f"{share:.0%}", *(f"{v:.4f}" for v in values)] for share, *values in map(dict.values, rows)
    ]
    print(f"distance from N(I) in {target.unit} with a share of the pixels:")
    print(text_table(list(rows[0]), lines), end="", flush=True)
    return rows


def _rounding(target, mask_net, batches, weights_dtype):
    """The card's field `rounding`: how far kernels of this type are from float32."""
    size, nets, unit = target.input_size, (target.net, mask_net), target.unit
    rounded = [networks.store(net, size, weights_dtype) for net in nets]
    depth_net, mask_net = (networks.store(net, size) for net in nets)
    whole = dataclasses.replace(target, net=depth_net)
    loss = rounding_loss(whole, mask_net, rounded, batches)
    before, after = loss["fidelity_rmse"]["binary_mask"]
    print(
        f"{weights_dtype} against float32: depth {loss['depth_rmse']:.2g} {unit} apart, "
        f"{loss['binary_mask_changed']:.2%} of M' changed, fidelity of M' {after:.4f} {unit}, "
        f"before {before:.4f} {unit}",
        flush=True,
    )
    return {"measured": True, **loss}


if __name__ == "__main__":
    main(run, Options, continues=False)
