"""Card of a training in TensorBoard: command, networks and data, and its hyperparameters."""

import shlex

from tfdepthviz.reports.run_card import RunCard
from trainers.engine.options import MAY_CHANGE, as_typed, changed, flat

# Options that HPARAMS shows, where a run has them.
HYPERPARAMETERS = (
    *("recipe", "dataset", "depth_net", "depth_weights", "mask_net", "mask_weights", "keep"),
    *("small_shares", "removal", "sparsity_weight", "objective", "relaxation", "loss", "epochs"),
    *("batch_size", "learning_rate", "learning_rate_decay", "optimizer", "weight_decay", "seed"),
)
# What a continued run may change but for the epochs, without which it is another training.
LEFT_OUT = tuple(name for name in MAY_CHANGE if name != "epochs")


def run_card(command, options, run, net, hparams=True):
    """The callback that writes the card.

    Args:
      command: name of the command, such as "train_mask".
      options: the command's dataclass of flags, completed.
      run: Run.
      net: the network that the run trains.
      hparams: whether HPARAMS shows the run by itself.
    """
    values = flat(options)
    rows = {
        "command": f"`{_command_line(command, options)}`",
        "N": _named(values["depth_net"], values["depth_weights"]),
    }
    if "mask_net" in values:
        rows["G"] = _named(values["mask_net"], values["mask_weights"])
    parameters = sum(weight.shape.num_elements() for weight in net.trainable_variables)
    training, validation = (len(run.raw[split]) for split in ("train", "validation"))
    rows |= {
        "parameters to train": f"{parameters:,}",
        "data": f"{values['dataset']}: {training} frames to train on, {validation} to validate on",
        "steps": f"{run.steps} of {values['batch_size']} frames",
    }
    hyperparameters = _hyperparameters(values) if hparams else None
    return RunCard(run.workdir / "logs", run.workdir.name, rows, hyperparameters)


def _command_line(command, options):
    """The command that trains the same again, in a new folder: where a run lies changes nothing."""
    words = ["python", "-m", f"trainers.{command}", *changed(options, LEFT_OUT)]
    return shlex.join([*words, "--workdir=runs/again"])


def _hyperparameters(values):
    shown = {name: values[name] for name in HYPERPARAMETERS if values.get(name) is not None}
    return {k: v if isinstance(v, (bool, int, float)) else as_typed(v) for k, v in shown.items()}


def _named(name, weights):
    return f"{name}, weights {weights}" if weights else name
