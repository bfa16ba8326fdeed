"""Cases of wrong input that several commands share; bad_input_cases.py has the table of all.

Paths are relative to the folder that bad_inputs.py sets up:

    nyu/                    a data set as it should be
    cut/ size/ colours/     the same with one unusable file
    images/                 three images; broken/: three .jpg files without any; empty/: nothing
    runs/mask runs/depth    finished runs of `tiny` networks, two checkpoints each
    served/tiny/1           what export_savedmodel made of runs/mask
    other.pth               weights of an unknown network
    mask_net.weights.h5     the weights of its G, which do not say which N they explain
    file                    a text file
"""

import dataclasses
import functools
import pathlib
import shutil

RUN = "--dataset=nyu --data_dir=nyu --input_size=32,40 --batch_size=2 --epochs=2"
NETS = "--depth_net=tiny --depth_weights=random --mask_net=tiny"
# Weights that any N may go with, and the file of the run.
G = "--mask_weights=mask_net.weights.h5"
OF_RUN = "--mask_weights=runs/mask/mask_net.keras"
DATA = "--dataset=nyu --data_dir=nyu --input_size=32,40"

# Flags of each command; those of a case are added, and may override them.
USUAL = {
    "train_mask": f"{RUN} {NETS} --mask_weights=random --strips=1 --workdir=w",
    "train_depth": f"{RUN} --depth_net=tiny --workdir=w",
    "check": f"{DATA} --output_dir=out",
    "train_evaluator": f"{RUN} --depth_net=tiny --depth_weights=random --workdir=w",
    "train_region": f"{RUN} --depth_net=tiny --depth_weights=random --mask_weights=random "
    "--workdir=w",
    "evaluate": f"{DATA} {NETS} {G} --strips=1 --output_dir=out",
    "compare_masks": f"{DATA} --depth_net=tiny --depth_weights=random --mask_nets=tiny {G} "
    "--max_images=2 --steps=1 --strips=1 --output_dir=out",
    "audit_masks": f"{DATA} {NETS} {G} --max_images=2 --resamples=5 --tests=swap --output_dir=out",
    "draw_masks": f"{DATA} --mask_nets=tiny {G} --frames=1 --output_dir=out",
    "optimize_mask": f"{DATA} {NETS} --frames=1 --steps=1 --restarts=1 --output_dir=out",
    "sweep_sparsity": f"{RUN} {NETS} --strips=1 --sparsity_weights=1 --workdir=w",
    "explain": "--savedmodel=served/tiny/1 --output_dir=out",
    "explain_video": "--savedmodel=served/tiny/1 --output_dir=out",
    "explain_region": "--depth_net=tiny --depth_weights=random --input_size=32,40 --steps=1 "
    "--restarts=1 --output_dir=out",
    "export_savedmodel": f"{OF_RUN} --savedmodel_dir=out --max_images=0 --nowarmup",
    "port_weights": "--mask_net=tiny --checkpoint=other.pth --output=out/a.weights.h5",
    "complete_depth": "--dataset=nyu --data_dir=nyu --output_dir=out",
    "share_page": "--savedmodel=served/tiny/1",
    "serve": "--model_base_path=served/tiny --port=0 --rest_api_port=0",
    "demo": "--workdir=w --output_dir=out",
}


@dataclasses.dataclass(frozen=True)
class Case:
    """One way to be wrong.

    Attributes:
      wrong: what is wrong, in words.
      arguments: the case's own arguments.
      says: part of the message.
      prepare: function that makes the wrong input in the current folder.
      code: exit code.
      disk: options of a tmpfs that is mounted on w and out; needs the right to mount.
    """

    wrong: str
    arguments: str
    says: str
    prepare: object = None
    code: int = 1
    disk: str = ""


def truncate(*paths):
    """Cuts the last third off files, each named by a pattern."""
    for pattern in paths:
        for path in pathlib.Path().glob(pattern):
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def copied(command, *patterns, emptied=None):
    """Makes w a copy of a finished run, with some of its files cut short or one emptied."""

    def prepare():
        shutil.copytree(f"runs/{command.removeprefix('train_')}", "w")
        truncate(*patterns)
        if emptied:
            pathlib.Path("w", emptied).write_text("")

    return prepare


def old_layout():
    folder = pathlib.Path("w/checkpoints")
    folder.mkdir(parents=True)
    for name in ("ckpt-3.index", "ckpt-3.data-00000-of-00001", "checkpoint"):
        (folder / name).write_bytes(b"of an older version")


def behind(words, cases):
    """The same cases, whose arguments follow words that a command needs."""
    return [
        dataclasses.replace(case, arguments=f"{words} {case.arguments}".strip()) for case in cases
    ]


def written(path, text):
    def prepare():
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(path).write_text(text)

    return prepare


FULL = "No space left on device"
DATA_CASES = [
    Case("no data folder", "--data_dir=", "data_dir"),
    Case("the data folder is not there", "--data_dir=nowhere", ": expected nyu2_t"),
    Case("the data folder is empty", "--data_dir=empty", "empty: expected nyu2_t"),
    Case("the data folder is a file", "--data_dir=file", "file: expected nyu2_t"),
    Case("an image is cut short", "--data_dir=cut", "nyu2_t"),
    Case("a depth map has another size than its image", "--data_dir=size", "nyu2_test/1.png"),
    Case("a depth map has colours", "--data_dir=colours", "nyu2_test/1.png"),
    Case("an unknown data set", "--dataset=sun", "--dataset=sun"),
]
WORKDIR_CASES = [
    Case("no work folder", "--workdir=", "--workdir: needs a folder"),
    Case("the work folder is a file", "--workdir=file", "--workdir=file: cannot be used"),
    Case("the work folder lies below a file", "--workdir=file/w", "--workdir=file/w: cannot be"),
    Case("the work folder is read-only", "", "--workdir=w: cannot be used", disk="ro"),
    Case("the disk is full before the run", "", FULL, disk="size=4k"),
    Case("the disk becomes full in the run", "", "MB are free there", disk="size=24k"),
]


def of_training(command):
    """Cases of train_mask and train_depth."""
    damaged = functools.partial(copied, command)
    return [
        *DATA_CASES[:7],
        *WORKDIR_CASES,
        Case("another run is in the work folder", "--workdir=locked", "another run is using it"),
        Case(
            "the work folder holds a run with other options",
            "--learning_rate=0.5",
            "--learning_rate=0.5 here, 0.000",
            damaged(),
        ),
        Case(
            "the newest checkpoint is cut short; the one before is used",
            "",
            "going back to epoch-00001-step-0000000",
            damaged("w/checkpoints/epoch-00002-*/variables.data*"),
            code=0,
        ),
        Case(
            "all checkpoints are cut short",
            "",
            "no checkpoint is whole",
            damaged("w/checkpoints/*/variables.data*"),
        ),
        Case("checkpoints as older versions wrote them", "", "ckpt-3.index", old_layout),
        Case(
            "config.json is empty", "", "w/config.json: is damaged", damaged(emptied="config.json")
        ),
        Case(
            "replicas cannot share the batch",
            "--strategy=mirrored --batch_size=3",
            "2 replicas share a batch",
        ),
        Case("a size that is none", "--input_size=64", "--input_size=64: "),
        Case("a size too small for any network", "--input_size=10,10", "both at least 32"),
        Case("no epochs", "--epochs=0", "--epochs=0"),
        Case("a learning rate that is no number", "--learning_rate=fast", "--learning_rate=fast"),
        Case("a learning rate that is NaN", "--learning_rate=nan", "--learning_rate=nan"),
        Case("a negative seed", "--seed=-1", "--seed=-1"),
        Case("an unknown optimiser", "--optimizer=lion", "--optimizer=lion"),
        Case(
            "several machines, but nothing says which",
            "--strategy=multi_worker",
            "TF_CONFIG is not set",
        ),
        Case("an unknown strategy", "--strategy=tpu", "--strategy=tpu"),
        Case("an argument that is no flag", "stray", "unexpected argument 'stray'"),
        Case("a misspelt flag", "--epoch=1", "epoch"),
    ]


N_CASES = [
    Case("an unknown N", "--depth_net=resnet", "--depth_net=resnet: expected one of"),
    Case("N without weights", "--depth_net=hu_resnet50 --depth_weights=", "--depth_weights"),
    Case(
        "the weights of N are not there", "--depth_weights=nowhere.keras", "no such file: nowhere"
    ),
    Case("the weights of N are no weights", "--depth_weights=bad.keras", "bad.keras"),
    Case(
        "the weights are those of G",
        "--depth_weights=runs/mask/mask_net.keras",
        "runs/mask/mask_net.keras",
    ),
    Case(
        "a network of one's own without its unit",
        "--depth_net=runs/depth/depth_net.keras --depth_weights=",
        "--depth_kind: --depth_net=runs/depth/depth_net.keras needs it",
    ),
    Case(
        "a network of one's own that takes another size",
        "--depth_net=runs/depth/depth_net.keras --depth_weights= --depth_kind=metric "
        "--depth_input=imagenet --input_size=64,80",
        "64",
    ),
    Case(
        "a network of one's own with weights",
        "--depth_net=runs/depth/depth_net.keras --depth_weights=nyu",
        "brings its own",
    ),
    Case("an unknown input of N", "--depth_input=bgr", "--depth_input=bgr"),
    Case("a unit for a network that has one", "--depth_kind=inverse", "takes none"),
]
G_CASES = [
    Case("the weights of G are not there", "--mask_weights=nowhere.keras", "nowhere.keras"),
    Case("the weights of G are cut short", "--mask_weights=cut.keras", "cut.keras"),
    Case(
        "the weights are those of N",
        "--mask_weights=runs/depth/depth_net.keras",
        "runs/depth/depth_net.keras",
    ),
]
OUTPUT_CASES = [
    Case("no output folder", "--output_dir=", "--output_dir"),
    Case("the output folder is a file", "--output_dir=file", "--output_dir=file: cannot be used"),
    Case("the output folder is read-only", "", "Read-only file system", disk="ro"),
    Case("the disk is full", "", FULL, disk="size=4k"),
]
PAIRS = "--dataset=pairs --data_dir=broken --image_glob=*.jpg --depth_glob=*.txt"
