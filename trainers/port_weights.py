"""Turns a published checkpoint into a Keras file, and says what fits and what does not.

    python -m trainers.port_weights --depth_net=hu_resnet50 --checkpoint=model_resnet \\
        --output=hu_resnet50.weights.h5
    python -m trainers.port_weights --mask_net=drn_d_22 --checkpoint=drn_d_22-4bd2f8ea.pth \\
        --encoder_only --output=drn_d_22_imagenet.weights.h5

Takes files of `torch.save` of any PyTorch, without needing PyTorch, and TensorFlow checkpoints.
--output takes the weights alone (.weights.h5) or the network with them (.keras). --encoder_only
puts ImageNet weights into the encoder and leaves the rest of the network random.
Where they are published: docs/published_weights.md. --help lists the flags.
"""

import math
from pathlib import Path

from tfdepthviz.models import build_depth_net, build_mask_net, porting
from tfdepthviz.models.porting import weight_files
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import sha256
from trainers.cli import flags
from trainers.engine.fit import save_model
from trainers.engine.output_folder import check_output
from trainers.engine.strategy import prepare

ENDINGS = (".weights.h5", ".keras")


def run(
    *,
    depth_net=None,
    mask_net=None,
    checkpoint=None,
    output=None,
    encoder_only=False,
    seed=0,
):
    """Ports the weights and returns the path of the Keras file."""
    if bool(depth_net) == bool(mask_net):
        raise InputError("--depth_net, --mask_net: give the one network that the weights are for")
    if not checkpoint:
        raise InputError("--checkpoint: needs the file, prefix or folder with published weights")
    if not output or not output.endswith(ENDINGS):
        raise InputError(
            f"--output: expected a name that ends in {' or '.join(ENDINGS)}. Received: {output}"
        )
    check_output(str(Path(output).parent), "the weights", flag="output")
    arrays = weight_files.read_published(checkpoint)
    prepare("float32", seed)
    model = build_depth_net(depth_net) if depth_net else build_mask_net(mask_net)
    aside = porting.left_aside(arrays)
    try:
        if encoder_only:
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
    report(checkpoint, model, arrays, aside)
    path = Path(output)
    save_model(model, path)
    print(f"wrote {path}", flush=True)
    return path


def report(checkpoint, model, arrays, aside):
    """Prints what was read, by file and checksum, and what became of it."""
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
    flags.main(run, continues=False)
