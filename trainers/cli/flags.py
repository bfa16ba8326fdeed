"""Flags of all commands, and the way from a command line to the command's `run`.

The keyword arguments of `run` are the command's flags and their defaults; this table says what
each flag means and what it accepts. A user's mistake ends in one line and exit code 1.
"""

import dataclasses
import inspect
import sys

from absl import app, flags, logging

from tfdepthviz.data.completion import KNOWN_PIXELS
from tfdepthviz.export.networks import WEIGHTS_DTYPES
from tfdepthviz.metrics.alignment import KINDS
from tfdepthviz.models import DEPTH_NETS, MASK_NETS
from tfdepthviz.models.target_sources import FORMS
from tfdepthviz.training.objective import OBJECTIVES
from tfdepthviz.training.optimizers import OPTIMIZERS
from tfdepthviz.training.relaxations import RELAXATIONS
from tfdepthviz.utils.errors import InputError, one_line
from trainers.cli import flag_types
from trainers.cli.data import DATASETS
from trainers.cli.serving_flags import SERVING
from trainers.engine.cluster import WorkerLost
from trainers.engine.signals import Interrupted
from trainers.engine.strategy import STRATEGIES

FLAGS = flags.FLAGS

TABLE = {
    # Data
    "dataset": (
        flag_types.enum(DATASETS),
        "Data set; samples is embedded, the others lie in --data_dir.",
    ),
    "data_dir": (flags.DEFINE_string, "Folder of the data set."),
    "depth_dir": (
        flags.DEFINE_string,
        "kitti, pandaset: folder of depth maps in place of the measured ones, laid out as the data "
        "set is; complete_depth writes such.",
    ),
    "image_list": (
        flags.DEFINE_string,
        "kitti: text file of the raw images to validate on; to train, two: TRAINING,VALIDATION.",
    ),
    "image_glob": (flags.DEFINE_string, "pairs: pattern of the images, such as '**/*_rgb.jpg'."),
    "depth_glob": (
        flags.DEFINE_string,
        "pairs: pattern of the depth maps, such as '**/*_depth.png'; its wildcards stand for what "
        "those of the images stand for.",
    ),
    "depth_scale": (
        flag_types.rate,
        "pairs: metres of one step of the depth files, such as 0.001.",
    ),
    "skip_bad_examples": (
        flags.DEFINE_bool,
        "Leave out frames that cannot be used, and name them at the end, in place of stopping.",
    ),
    "allow_outside_paths": (
        flags.DEFINE_bool,
        "Read files that the data set names by absolute paths, by .. or by links, outside of its "
        "folder; without it they are refused.",
    ),
    "input_size": (flag_types.size, "Height and width of the image that the networks see."),
    "max_zoom": (
        flag_types.zoom,
        "Training views are zoomed by up to this factor; 1 is the reference.",
    ),
    "batch_size": (flag_types.positive_integer, "Images a step, over all replicas."),
    # Networks
    "depth_net": (
        flags.DEFINE_string,
        f"The depth network N: {', '.join(DEPTH_NETS)}; where one is explained, also {FORMS}.",
    ),
    "depth_weights": (
        flags.DEFINE_string,
        "Weights of N: a .keras or .weights.h5 file, a published checkpoint, `nyu` for those that "
        "come with compact, `random`.",
    ),
    "depth_kind": (
        flag_types.enum(KINDS),
        "What the output of a network of your own means: metres, depth up to scale and shift, or "
        "inverse depth (more = nearer) up to scale and shift.",
    ),
    "depth_input": (
        flag_types.normalisation,
        "What a network of your own wants to see: ImageNet's normalisation, RGB from 0 to 1, from "
        "-1 to 1, from 0 to 255, or six numbers: mean R,G,B and std R,G,B of RGB from 0 to 1.",
    ),
    "depth_output": (flags.DEFINE_string, "Which of your network's outputs is the depth."),
    "depth_signature": (flags.DEFINE_string, "Signature of a SavedModel to call."),
    "encoder_weights": (flags.DEFINE_string, "Published ImageNet weights for the encoder of N."),
    "mask_net": (flag_types.enum(MASK_NETS), "The mask generator G."),
    "mask_weights": (
        flags.DEFINE_string,
        "Weights of G: a .keras or .weights.h5 file, or a published checkpoint; draw_masks, "
        "compare_masks and optimize_mask take several, separated by commas; for train_mask, "
        "`depth_net` starts compact_edges from N.",
    ),
    "checkpoint": (flags.DEFINE_string, "Published weights: file of torch.save, or TensorFlow's."),
    "encoder_only": (flags.DEFINE_bool, "The checkpoint is an ImageNet network: encoder only."),
    "output": (flags.DEFINE_string, "File to write: .weights.h5, or .keras with the network."),
    # Training
    "loss": (
        flag_types.terms,
        "Terms of the loss, added up: some of l1,l2,depth,gradient,normal.",
    ),
    "objective": (
        flag_types.enum(OBJECTIVES),
        "preserve N's depth with as few pixels as possible, or delete as few as possible so that "
        "it changes most.",
    ),
    "sparsity_weight": (
        flag_types.rate,
        "lambda: the price of a kept pixel; to delete, of a deleted one; with a target, at first.",
    ),
    "sparsity_warmup": (flag_types.rate, "Epochs over which lambda rises from 0 to its value."),
    "target_sparseness": (
        flag_types.share,
        "Share of the pixels to keep, M > 0.025: lambda is adapted while training, from "
        "--sparsity_weight on, until the masks keep it. Not given: lambda stays.",
    ),
    "relaxation": (
        flag_types.enum(RELAXATIONS),
        "What N sees of the mask while training: none is the mask, as published; concrete and "
        "stochastic are drawn from it, top_share is its highest --target_sparseness with a soft "
        "edge. Not given: top_share with a target, none without.",
    ),
    "edge_softness": (
        flag_types.rate,
        "Width of the soft edge of --relaxation=top_share, in standard deviations of the logits.",
    ),
    "sparsity_weights": (
        flag_types.numbers(0.0, sys.float_info.max, "1,2,3,4,5,6"),
        "sweep_sparsity: the values of lambda, one G for each.",
    ),
    "target_sparsenesses": (
        flag_types.numbers(*flag_types.SHARES, "0.1,0.2,0.36"),
        "sweep_sparsity: the values of --target_sparseness, one G for each.",
    ),
    "epochs": (
        flag_types.positive_integer,
        "Epochs to train in all, those of an interrupted run included.",
    ),
    "checkpoint_steps": (
        flag_types.positive_integer,
        "Save after so many steps of an epoch, and at the end of each epoch.",
    ),
    "skip_nonfinite_steps": (
        flags.DEFINE_bool,
        "Go on without the steps whose loss or gradient is not finite, in place of stopping.",
    ),
    "teacher_cache": (
        flags.DEFINE_string,
        "Folder that keeps what N says of whole validation frames, for runs and evaluations to "
        "come; entries belong to this very N and these very frames. Not given: training keeps them "
        "in memory. Training on several replicas takes none.",
    ),
    "optimizer": (
        flag_types.enum(OPTIMIZERS),
        "adam_l2 is the reference's Adam with coupled weight decay.",
    ),
    "learning_rate": (flag_types.rate, "Learning rate at the start."),
    "learning_rate_decay": (
        flag_types.enum(("none", "cosine")),
        "cosine lowers the rate to 0 at the end.",
    ),
    "weight_decay": (flag_types.rate, "Weight decay."),
    "workdir": (flags.DEFINE_string, "Folder of the run: config, checkpoints, logs, results."),
    "seed": (flag_types.seed, "Fixes initial weights, order and augmentation."),
    "precision": (
        flag_types.enum(("float32", "mixed_bfloat16")),
        "Type of the networks' arithmetic.",
    ),
    "strategy": (
        flag_types.enum(STRATEGIES),
        "auto mirrors over all GPUs if there are several; multi_worker trains on the machines that "
        "TF_CONFIG describes (docs/many_machines.md).",
    ),
    # Evaluation
    "threshold": (flag_types.rate, "M' = M > threshold."),
    "crop": (
        flag_types.enum(("none", "eigen")),
        "eigen rates rows 45 to 470 and columns 41 to 600 of NYU's 480x640, as is usual there.",
    ),
    "output_dir": (flags.DEFINE_string, "Folder for what the command writes."),
    "strips": (flag_types.positive_integer, "Number of validation frames to draw."),
    # Pictures of many masks
    "mask_names": (flags.DEFINE_list, "What the pictures call the masks, separated by commas."),
    "mask_nets": (
        flag_types.mask_nets,
        f"The mask generators, one for all or one for each: some of {','.join(MASK_NETS)}.",
    ),
    "frames": (
        flag_types.positive_integer,
        "Number of images to draw, evenly spread over the data set.",
    ),
    # Masks by optimisation
    "steps": (flag_types.positive_integer, "Steps of Adam on each mask, at most."),
    "patience": (
        flag_types.positive_integer,
        "Steps without gain after which a mask is left as it is.",
    ),
    "restarts": (flag_types.positive_integer, "Searches of each mask, from logits drawn anew."),
    "logit_stride": (
        flag_types.positive_integer,
        "Image pixels between logits; more: smoother masks.",
    ),
    # Comparison with controls
    "max_images": (
        flag_types.whole_number,
        "Images to compare or measure on at most, evenly spread over the set; for "
        "export_savedmodel, 0 measures nothing.",
    ),
    "saved_masks": (
        flags.DEFINE_string,
        "masks.npz of optimize_mask for the compared frames; several separated by commas.",
    ),
    "strip_share": (flag_types.share, "Share of the pixels that the strips show of each method."),
    "resamples": (
        flag_types.positive_integer,
        "Bootstrap samples of the images, for confidence.",
    ),
    # Completion of depth
    "split": (flag_types.enum(("train", "validation")), "Which part of the data set."),
    "known_pixels": (
        flag_types.enum(KNOWN_PIXELS),
        "blend pulls measured depth halfway to what its neighbours say, as the NYU toolbox does; "
        "keep leaves it as it is.",
    ),
    "workers": (
        flag_types.positive_integer,
        "Images at a time; one takes a core and 0.7 GB (1216x352).",
    ),
    # Clients of a server
    "server": (flags.DEFINE_string, "Address of the REST API, such as http://localhost:8501."),
    "model": (flags.DEFINE_string, "Name under which the server has the model."),
    "savedmodel": (
        flags.DEFINE_string,
        "Exported model to load in place of asking a server, such as savedmodels/NAME/1.",
    ),
    # Export
    "name": (
        flags.DEFINE_string,
        "What servers call the model; not given: as the run's folder, or the file of weights.",
    ),
    "savedmodel_dir": (flags.DEFINE_string, "Folder of all exported models."),
    "version": (
        flag_types.positive_integer,
        "Number of the new version; not given: the next free one.",
    ),
    "weights_dtype": (
        flag_types.enum(WEIGHTS_DTYPES),
        "What the SavedModel stores kernels as; everything is computed in float32.",
    ),
    "warmup": (flags.DEFINE_bool, "Whether a server shall run each signature once at the start."),
    **SERVING,
}


def main(run, continues=True):
    """Defines the flags that `run` takes, parses the command line, and runs.

    Args:
      run: function of keyword-only arguments, each a name in `TABLE` with its default, or a
        dataclass whose fields are such names: flags that several commands share. If it declares
        `*arguments`, it also gets what stands on the command line besides flags.
      continues: whether the command, stopped and given again, takes up what it had done.
    """
    parameters = inspect.signature(run).parameters.values()
    takes_arguments = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    defaults = {p.name: p.default for p in parameters if p.kind is not p.VAR_POSITIONAL}
    # Flags may come after the other arguments.
    FLAGS.set_gnu_getopt(takes_arguments)
    again = f"the same command {'continues' if continues else 'starts over'}"
    for name, default in flat(defaults).items():
        define, text = TABLE[name]
        define(name, default, text)
        FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS[name])

    def start(argv):
        values = FLAGS.flag_values_dict()
        try:
            if len(argv) > 1 and not takes_arguments:
                raise InputError(f"unexpected argument {argv[1]!r}; flags are --name=value")
            run(*argv[1:], **_grouped(defaults, values))
        except OSError as error:  # WriteError, or else the machine's doing: no mistake of the code
            print(f"error: {error}; once that is mended, {again}", file=sys.stderr)
            return 1
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except (Interrupted, WorkerLost) as stopped:
            print(stopped, file=sys.stderr)
            return stopped.exit_code
        except KeyboardInterrupt:
            print(f"\nstopped; {again}", file=sys.stderr)
            return 130
        return 0

    app.run(start, flags_parser=_parsed)


def with_flags_of(other, *, without=()):
    """Decorator: a `run` that takes the flags of another command, too, as its `**options`.

    Args:
      other: the other command's `run`.
      without: names of its arguments that are not taken.
    """

    def extend(run):
        own = inspect.signature(run).parameters
        named = [p for p in own.values() if p.kind is p.KEYWORD_ONLY]
        more = inspect.signature(other).parameters.values()
        more = [p for p in more if p.name not in (*own, *without)]
        run.__signature__ = inspect.Signature([*named, *more])
        return run

    return extend


def flat(options):
    """Options by flag name: the fields of dataclasses beside the other options."""
    found = {}
    for name, value in options.items():
        found |= dataclasses.asdict(value) if dataclasses.is_dataclass(value) else {name: value}
    return found


def _grouped(defaults, values):
    """The flags' values as `run` takes them."""
    return {
        name: dataclasses.replace(default, **{k: values[k] for k in dataclasses.asdict(default)})
        if dataclasses.is_dataclass(default)
        else values[name]
        for name, default in defaults.items()
    }


def _parsed(argv):
    try:
        arguments = FLAGS(argv)
        # absl would turn on what libraries say at level INFO; --verbosity=0 still does.
        if FLAGS["verbosity"].using_default_value:
            FLAGS.verbosity = logging.WARNING
        return arguments
    except flags.Error as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(1)
