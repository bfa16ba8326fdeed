"""Turns a published checkpoint into a Keras file, and says what does not fit.

    python -m trainers.port_weights --depth_net=hu_resnet50 --checkpoint=model_resnet \\
        --output=hu_resnet50.weights.h5
    python -m trainers.port_weights --mask_net=drn_d_22 --checkpoint=drn_d_22-4bd2f8ea.pth \\
        --encoder_only --output=drn_d_22_imagenet.weights.h5

Takes files of `torch.save` of any PyTorch, without needing PyTorch, and TensorFlow checkpoints.
--output takes the weights alone (.weights.h5) or the network with them (.keras). --encoder_only
puts ImageNet weights into the encoder and leaves the rest of the network random.
Where they are published: docs/published_weights.md.
"""

import dataclasses
import math
from pathlib import Path

from tfdepthviz.models import DEPTH_NETS, build_depth_net, build_mask_net, porting
from tfdepthviz.models.porting import weight_files
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import sha256
from trainers.cli import flag_types, shared
from trainers.cli.ending import conclude
from trainers.cli.flags import flag, main
from trainers.cli.program import command
from trainers.engine.fit import save_model
from trainers.engine.output_folder import check_output
from trainers.engine.strategy import prepare

ENDINGS = (".weights.h5", ".keras")


@dataclasses.dataclass(frozen=True)
class Options:
    """Weights to port."""

    checkpoint: str | None = flag(
        None, "Published weights: a file of torch.save, or a TensorFlow checkpoint."
    )
    depth_net: str | None = flag(None, f"The network, if it is an N: {', '.join(DEPTH_NETS)}.")
    mask_net: str | None = shared.mask_net(None)
    output: str | None = flag(
        None, "File to write: .weights.h5 for the weights, .keras for the network with them."
    )
    encoder_only: bool = flag(
        False,
        "The checkpoint is an ImageNet network: it fills the encoder alone.",
        flag_types.switch,
    )
    seed: int = shared.seed()


def run(options):
    """Ports the weights and returns the path of the Keras file."""
    if bool(options.depth_net) == bool(options.mask_net):
        raise InputError("--depth_net, --mask_net: give the one network that the weights are for")
    if not options.checkpoint:
        raise InputError("--checkpoint: needs the file, prefix or folder with published weights")
    if not options.output or not options.output.endswith(ENDINGS):
        raise InputError(
            f"--output: expected a name that ends in {' or '.join(ENDINGS)}. Received: "
            f"{options.output}"
        )
    path = Path(options.output)
    check_output(str(path.parent), "the weights", flag="output")
    model, arrays, aside = _ported(options)
    report(options.checkpoint, model, arrays, aside)
    save_model(model, path)
    conclude(f"wrote {path}", commands=[_next(options, path)])
    return path


def _next(options, path):
    """(purpose, command line) of what to do with the file."""
    if options.mask_net:
        flags = [f"--mask_net={options.mask_net}", f"--mask_weights={path}"]
        return "train this G", command("train_mask", *flags, "--workdir=runs/mask")
    flags = [f"--depth_net={options.depth_net}", f"--depth_weights={path}"]
    if options.encoder_only:
        return "train this N", command("train_depth", *flags, "--workdir=runs/depth")
    return "see what this N looks at", command("train_mask", *flags, "--workdir=runs/mask")


def _ported(options):
    """The network with the weights, arrays of the checkpoint, and names of those not used."""
    checkpoint = options.checkpoint
    arrays = weight_files.read_published(checkpoint)
    prepare("float32", options.seed)
    depth_net, mask_net = options.depth_net, options.mask_net
    model = build_depth_net(depth_net) if depth_net else build_mask_net(mask_net)
    aside = porting.left_aside(arrays)
    try:
        if options.encoder_only:
            aside += porting.port_encoder(model, arrays)
        else:
            porting.port_weights(model, arrays)
    except porting.DoesNotFit as error:
        for kind, names in error.entries.items():
            print(f"{kind}:", *names, sep="\n  ")
        raise InputError(
            f"--checkpoint={checkpoint}: made for another network than {model.name}: "
            f"{error.summary()}"
        ) from error
    return model, arrays, aside


def report(checkpoint, model, arrays, aside):
    """Prints files and checksums of the checkpoint, and how many of its arrays are used."""
    for file in weight_files.files_of(checkpoint):
        print(f"read {file}, sha256 {sha256(file)}")
    count = sum(array.size for name, array in arrays.items() if name not in set(aside))
    total = sum(math.prod(weight.shape) for weight in model.weights)
    print(f"{len(arrays) - len(aside)} arrays hold {count} of the {total} numbers of {model.name}")
    counters = [name for name in aside if name.endswith("num_batches_tracked")]
    others = [name for name in aside if name not in counters]
    if aside:
        print(
            f"left aside: {len(counters)} batch counters, {len(others)} others", *others, sep="\n  "
        )


if __name__ == "__main__":
    main(run, Options, continues=False)
