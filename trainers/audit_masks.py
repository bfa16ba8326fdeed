"""Tries to prove the masks of a G wrong, and grades them.

    python -m trainers.audit_masks --dataset=nyu --data_dir=/data/nyu \\
        --mask_weights=runs/mask/mask_net.keras

tests whether N needs the pixels that G keeps: against every control, with other images' masks, with
all pixels in one colour, with five fills instead of removed pixels, with noise, shifts and JPEG,
and by readers that see nothing but the mask. docs/audit.md says what each test means.

Further tests need networks of yours: --evaluator, an N trained by train_evaluator on images with
holes; --seed_masks, Gs of other seeds; --sanity_masks, Gs of an N that knows nothing.

Writes audit.html, audit.json, figures.csv, per_image.csv and pictures into --output_dir. The result
of each test is kept there, too: the same command runs only those that are missing.
export_savedmodel and explain find audit.json in the folder audit next to the weights, and give
the grade.
"""

import dataclasses
import hashlib
import itertools
import json
import re
import sys
from pathlib import Path

import numpy as np

from tfdepthviz.data import pipeline
from tfdepthviz.data.frame_files import FrameFiles
from tfdepthviz.evaluation import audit
from tfdepthviz.evaluation.ranking import ranking
from tfdepthviz.models import build_mask_net
from tfdepthviz.reports import audit_figures, audit_page
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.utils.constants import SHARE, VERSION
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import sha256
from tfdepthviz.utils.tables import write_json
from trainers.cli import audited, flag_types, shared, trained_masks
from trainers.cli.data import Data
from trainers.cli.ending import conclude, same_networks
from trainers.cli.explained_net import completed, mask_net_of
from trainers.cli.flags import command_line, flag, main
from trainers.cli.program import command
from trainers.cli.target import Target
from trainers.cli.untrained import start_of, untrained_net
from trainers.engine.evaluators import evaluator_of
from trainers.engine.options import flat
from trainers.engine.output_folder import check_results, mark_output
from trainers.engine.progress import bar
from trainers.engine.source import Source
from trainers.engine.strategy import prepare
from trainers.engine.training_frames import training_images

# Test -> the flag that names what it needs.
NEEDED = {"evaluator": "evaluator", "seeds": "seed_masks", "sanity": "sanity_masks"}
# Flags that change no result, or whose files' contents count.
SHOWN_ONLY = (
    *("output_dir", "tests", "batch_size", "mask_weights", "depth_weights", "depth_net"),
    *NEEDED.values(),
)
# Numbers of files of neighbouring frames of a video differ by no more.
NEIGHBOURS = 5


@dataclasses.dataclass(frozen=True)
class Options:
    """Audit."""

    mask_weights: str = flag(
        "default",
        "Weights of G: a .keras or .weights.h5 file, a published checkpoint, or `default`, those "
        "that come with the package.",
    )
    mask_net: str | None = shared.mask_net()
    evaluator: str | None = flag(
        None, "evaluator.keras of train_evaluator for this N; the test evaluator needs it."
    )
    seed_masks: str | None = flag(
        None, "Weights of Gs trained with other seeds, separated by commas; the test seeds."
    )
    sanity_masks: str | None = flag(
        None,
        "Weights of Gs trained for an N that knows nothing (train_mask --depth_weights=random), "
        "separated by commas; the test sanity.",
    )
    tests: tuple | None = flag(
        None,
        f"Tests to run: some of {','.join(audit.TESTS)}. Default: all whose networks are named.",
        flag_types.some_of(audit.TESTS),
    )
    output_dir: str | None = flag(
        None, "Folder for the results. Default: audit, in the folder of the run that trained G."
    )
    max_images: int = flag(
        100,
        "Images to audit on at most, evenly spread over the set.",
        flag_types.positive_integer,
    )
    share: float = flag(SHARE, "Share of the pixels that the audited masks keep.", flag_types.share)
    resamples: int = flag(
        1000, "Bootstrap samples of the images, for confidence.", flag_types.positive_integer
    )
    seed: int = flag(0, "Fixes random pixels, noise and bootstrap samples.", flag_types.seed)
    split: str = shared.split("validation")
    input_size: tuple | None = shared.input_size()
    batch_size: int = shared.batch_size()
    data: Data = Data()
    target: Target = Target(depth_net=None)


def run(options):
    """Audits, and returns the content of audit.json."""
    options = _completed(options)
    check_results(options.output_dir, "results and the page")
    folder = Path(options.output_dir)
    prepare("float32", options.seed)
    unfolded = options.target.build(options.input_size)
    source = Source(options.data)
    raw, places = pipeline.evenly(source.load(options.split), options.max_images)
    mask_net = _net(options.mask_net, options.mask_weights, unfolded)
    with source.named_files(), bar(desc="auditing", unit="image") as shown:
        subject, note = _subject(options, unfolded, mask_net, source, raw, places, shown.update)
        mark_output(folder)
        sums = audited.sums(unfolded, mask_net)
        results = _results(options, folder, subject, sums, unfolded)
        verdicts = {name: result.verdict for name, result in results.items()}
        grade = audit.grade(verdicts, len(places))
        pictures = _pictures(subject, places)
        examples = audit_figures.examples(subject, places, results)
    for name, (_, picture) in zip(("typical", "worst"), pictures, strict=True):
        save_png(folder / f"{name}.png", picture)
    commands = _next(options)
    content = audit_page.write_audit(
        folder,
        title=f"Audit of masks for {options.target.depth_net} on {options.data.dataset}",
        grade=grade,
        results=results,
        about={
            "sha256": sums,
            "data": options.data.dataset,
            "share": options.share,
            "removal": unfolded.removal,
            "places": places,
        },
        pictures=pictures,
        examples=examples,
        unit=subject.unit,
        commands=[("This page", command_line("audit_masks")), *commands],
        notes=[*source.sentences, note],
    )
    lines = [audit_page.in_one_line(grade, results)]
    lines += [f"{name}: {r.verdict}. {r.says}." for name, r in results.items()]
    conclude("\n".join(lines), pictures=folder / "audit.html", commands=commands)
    return content


def _completed(options):
    """Options with N, G and the folder of the run that trained G where the user gave none."""
    weights = options.mask_weights
    if not weights:
        raise InputError("--mask_weights: needs the weights of the mask generator to audit")
    options = dataclasses.replace(
        completed(options, [weights]),
        mask_net=mask_net_of(weights, options.mask_net),
        output_dir=options.output_dir or audited.folder_of(weights),
    )
    for test, name in NEEDED.items():
        if options.tests and test in options.tests and not getattr(options, name):
            raise InputError(f"--tests={test}: needs --{name}")
        for file in trained_masks.listed(getattr(options, name)):
            if not Path(file).exists():
                raise InputError(f"--{name}={file}: no such file")
    return options


def _net(name, weights, target):
    return build_mask_net(name, target.net.input_shape[1:], weights=weights)


def _subject(options, unfolded, mask_net, source, raw, places, progress):
    """The Subject, and a sentence about the images that its readers learn from."""
    target = unfolded.folded()
    size = {"input_size": target.input_size, "depth_size": target.input_size}
    batches = pipeline.evaluation_batches(raw, **size, batch_size=options.batch_size)
    images = np.concatenate([batch["image"].numpy() for batch in batches])
    training, note = training_images(source, target, options.batch_size)
    start = start_of(options.mask_net, options.mask_weights)
    subject = audit.Subject(
        target,
        ranking(mask_net),
        images,
        share=options.share,
        untrained=ranking(untrained_net(start, options.target, unfolded)),
        training_images=training,
        neighbours=_neighbours(source, options.split, places),
        resamples=options.resamples,
        seed=options.seed,
        batch_size=options.batch_size,
        progress=progress,
    )
    return subject, note


def _results(options, folder, subject, sums, unfolded):
    """Test -> Result; of tests that the folder holds already, those."""
    binding = {name: value for name, value in flat(options).items() if name not in SHOWN_ONLY}
    binding |= {"version": VERSION, "sha256": sums, "removal": unfolded.removal}
    results = {}
    for name in audit.TESTS:
        needed = NEEDED.get(name)
        files = trained_masks.listed(getattr(options, needed)) if needed else []
        if (needed and not files) or (options.tests and name not in options.tests):
            continue
        key = binding | {"files": [sha256(file) for file in files]}
        key = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()
        path = folder / "tests" / f"{name}.json"
        results[name] = _kept(path, key)
        if results[name] is None:
            results[name] = audit.run_test(name, subject, *_further(name, files, options, unfolded))
            write_json(path, {"key": key, "result": dataclasses.asdict(results[name])})
        print(f"{name}: {results[name].verdict}", flush=True)
    return results


def _kept(path, key):
    """The Result in a file, if it is of the same networks, data and flags; else None."""
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
        return audit.Result(**content["result"]) if content["key"] == key else None
    except (OSError, ValueError, TypeError, KeyError) as error:
        print(f"{path}: cannot be read ({error!r}); measuring it again", file=sys.stderr)
        return None


def _further(name, files, options, target):
    """What a test needs next to the Subject."""
    if name == "evaluator":
        return [evaluator_of(files[0], target)]
    return [[ranking(_net(options.mask_net, file, target)) for file in files]] if files else []


def _neighbours(source, split, places):
    """Pairs of numbers of audited frames that follow each other in a video, by their file names."""
    frames = source.open(split)
    if not isinstance(frames, FrameFiles) or max(places) >= len(frames.images):
        return []
    names = [Path(frames.images[place]).with_suffix("").as_posix() for place in places]
    names = [re.fullmatch(r"(.*?)(\d+)", name) for name in names]
    pairs = []
    for place, (one, other) in enumerate(itertools.pairwise(names)):
        if one and other and one[1] == other[1]:
            if 0 < int(other[2]) - int(one[2]) <= NEIGHBOURS:
                pairs.append((place, place + 1))
    return pairs


def _pictures(subject, places):
    """The typical frame, of middle distance from N(I), and the worst."""
    order = np.argsort(subject.squares, kind="stable")
    pictures = []
    for words, number in (
        ("A typical frame", order[len(order) // 2]),
        ("The worst frame", order[-1]),
    ):
        drawn = audit_page.draw_frame(subject.target, subject.images[number], subject.mask[number])
        distance = float(np.sqrt(subject.squares[number]))
        caption = f"{words}, number {places[number]}: {distance:.3f} {subject.unit} from N(I)"
        pictures.append((caption, drawn))
    return pictures


def _next(options):
    """(purpose, command line) of what to do after an audit."""
    weights = (
        [] if options.mask_weights == "default" else [f"--mask_weights={options.mask_weights}"]
    )
    commands = []
    if not options.evaluator:
        commands.append(
            (
                "train an N that has seen masks, for the test evaluator",
                command("train_evaluator", *same_networks(options), "--workdir=runs/evaluator"),
            )
        )
    if weights:
        commands.append(
            ("export these masks with their grade", command("export_savedmodel", *weights))
        )
    return commands


if __name__ == "__main__":
    main(run, Options)
