"""Checks a data set and a depth network N before hours are spent on a training.

    python -m trainers.check --dataset=folder --data_dir=photos --output_dir=runs/check
    python -m trainers.check --dataset=nyu --data_dir=/data/nyu --depth_net=compact \\
        --output_dir=runs/check

Looks at up to --max_images frames of each split: sizes, formats, depth, frames that cannot be read,
unusual ones, and those that both splits show. With --depth_net it also rates N on 20 frames, asks
whether its output means what --depth_kind says, and trains G for four steps to state time and
memory.

Writes report.html, frames.csv (the figures of every frame), summary.json and the pictures as PNG
into --output_dir.
"""

import dataclasses
from pathlib import Path

from tfdepthviz.data import survey
from tfdepthviz.models import DEFAULT_MASK_NET, MASK_NETS
from tfdepthviz.reports import check_page
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.utils.constants import INPUT_SIZE
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.tables import write_csv, write_json
from trainers.cli import flag_types, recipes, shared
from trainers.cli.check_findings import WORDS
from trainers.cli.checked_frames import checked_frames, read
from trainers.cli.checked_network import checked_network, checked_step
from trainers.cli.data import Data
from trainers.cli.ending import conclude, same_networks
from trainers.cli.flags import flag, main
from trainers.cli.mask_training import MaskTraining
from trainers.cli.program import command
from trainers.cli.target import Target
from trainers.engine.mask_run import networks
from trainers.engine.options import flat, replaced
from trainers.engine.output_folder import check_results, mark_output
from trainers.engine.run_record import last_part
from trainers.engine.sampled_frames import sample
from trainers.engine.source import Source
from trainers.engine.strategy import prepare
from trainers.engine.training_lines import in_words


@dataclasses.dataclass(frozen=True)
class Options:
    """Check."""

    output_dir: str | None = shared.output_dir()
    max_images: int = flag(
        1000,
        "Frames of each split to look at, evenly spread over it.",
        flag_types.positive_integer,
    )
    mask_net: str | None = flag(
        None,
        f"The mask generator G of the training that follows. Default: {DEFAULT_MASK_NET}.",
        flag_types.enum(MASK_NETS),
    )
    batch_size: int = shared.batch_size()
    input_size: tuple | None = shared.input_size()
    data: Data = Data()
    target: Target = Target(depth_net=None)


def run(options):
    """Checks, writes the page, and returns the contents of summary.json."""
    check_results(options.output_dir, "the report and tables")
    training = _training(options)
    prepare("float32", seed=0)
    target, mask_net = networks(training) if training else (None, None)
    source = Source(options.data)
    parts = [read(sample(source, split, options.max_images)) for split in WORDS]
    input_size = target.input_size if target else options.input_size or INPUT_SIZE
    checked = checked_frames(parts, input_size)
    if target:
        with source.named_files():
            checked.add(checked_network(target, parts[1].sampled.raw))
            checked.add(checked_step(training, target, mask_net, parts[0]))
    folder = Path(options.output_dir)
    commands = _next(options, parts)
    verdict = _verdict(checked)
    summary = {"findings": checked.findings, **checked.summary, "next": commands}
    _write(checked, parts, folder, verdict, summary, options)
    conclude(
        "\n".join([verdict, *(f"- {finding}" for finding in checked.findings)]),
        pictures=folder / "report.html",
        commands=commands,
    )
    return summary


def _verdict(checked):
    """The main figures in a sentence each."""
    summary = checked.summary
    frames = (f"{summary[split]['frames']:,} {word} frames" for split, word in WORDS.items())
    texts = [f"{' and '.join(frames)}."]
    network = summary.get("network")
    if network and network["rmse"] is not None:
        texts.append(f"RMSE of N: {network['rmse']:.3f} m on {network['images']} frames.")
    if step := summary.get("step"):
        texts.append(f"A training takes about {in_words(step['training_seconds'])}.")
    if not checked.findings:
        texts.append("Nothing stands in the way of a training.")
    return " ".join(texts)


def _training(options):
    """Options of the training that would follow; None without a network.

    Raises:
      InputError: flags of N without --depth_net.
    """
    if options.target.depth_net is None:
        for name, value in flat(options.target).items():
            if value is not None:
                raise InputError(f"--{name}={value}: needs --depth_net")
        return None
    training = MaskTraining(data=options.data, target=options.target)
    same = {name: getattr(options, name) for name in ("mask_net", "input_size", "batch_size")}
    return recipes.completed(replaced(training, **same))


def _next(options, parts):
    """(purpose, command line) of what to do after a check."""
    if any(part.sampled.problems for part in parts):
        options = replaced(options, skip_bad_examples=True)
    # Without N: Target's default is no flag.
    group = same_networks(replaced(options, depth_net=options.target.depth_net or "compact"))
    if options.target.depth_net is None:
        again = command(
            "check", *group, "--depth_net=compact", f"--output_dir={options.output_dir}"
        )
        return [("check a network on these frames as well", again)]
    group += [
        f"--{name}={getattr(options, name)}"
        for name in ("mask_net", "batch_size")
        if getattr(options, name) != getattr(Options, name)
    ]
    workdir = f"--workdir=runs/{options.data.dataset}"
    return [("train a G that shows which pixels N needs", command("train_mask", *group, workdir))]


def _write(checked, parts, folder, verdict, summary, options):
    """The page, its pictures as files, and the tables."""
    mark_output(folder)
    for heading, section in checked.sections.items():
        for number, (_, picture) in enumerate(section.pictures):
            name = heading.lower().replace(" ", "_")
            save_png(folder / f"{name}_{number}.png", picture)
    columns = [field.name for field in dataclasses.fields(survey.Frame)]
    rows = [dataclasses.asdict(frame) for part in parts for frame in part.frames]
    write_csv(folder / "frames.csv", columns, rows)
    write_json(folder / "summary.json", summary)
    data, network = (last_part(p) for p in (options.data.data_dir, options.target.depth_net))
    check_page.write_page(
        folder / "report.html",
        title=f"Check of {data or options.data.dataset}{f' and {network}' if network else ''}",
        verdict=verdict,
        findings=checked.findings,
        sections=checked.sections,
        commands=summary["next"],
    )


if __name__ == "__main__":
    main(run, Options, continues=False)
