"""Seconds of training until a mask generator G is a given part nearer to N(I) than edges are.

    python benchmarks/time_to_quality.py                             embedded frames, some minutes
    python benchmarks/time_to_quality.py --dataset=nyu --data_dir=DIR --images=0 --limit=36000

Trains a G by each recipe of train_mask, on the same N and frames. The clock runs while steps are
trained, tracing and input included; it stands still for validation, checkpoints, and the ratings
here. A rating shows N exactly 36 % of the pixels of each test image, those of the highest scores.
The goal is 0.88 times the distance from N(I) that as many Sobel edge pixels leave. The first rating
at the goal ends a recipe, and so does --limit: the result then says "not reached".

Writes the JSON file --output, the ratings as CSV and the curve as PNG next to it, and the runs into
the folder of the same name. The same command continues where it was interrupted, also with another
--limit or --every; what the first step of a process takes to be traced counts once.
"""

import json
import pathlib
import sys

from absl import app, flags
from common import record
from quality_works import curve
from quality_works.stopwatch import Setting, Stopwatch, ratings_of

from tfdepthviz.data import pipeline
from tfdepthviz.models import MASK_NETS
from tfdepthviz.utils.constants import SHARE
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import write_whole
from tfdepthviz.utils.tables import write_csv
from trainers.cli import recipes
from trainers.cli.mask_training import MaskTraining
from trainers.engine import mask_run
from trainers.engine.options import replaced
from trainers.engine.signals import Interrupted
from trainers.engine.source import DATASETS, Source

RECIPES = flags.DEFINE_list("recipes", list(recipes.RECIPES), "Recipes to train by, in turn.")
DATASET = flags.DEFINE_enum("dataset", "samples", list(DATASETS), "Data set.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of the data set.")
DEPTH_NET = flags.DEFINE_string("depth_net", "compact", "N.")
DEPTH_WEIGHTS = flags.DEFINE_string("depth_weights", None, "Weights of N.")
MASK_NET = flags.DEFINE_enum("mask_net", None, list(MASK_NETS), "G, instead of the recipe's own.")
HEIGHT = flags.DEFINE_integer("height", 228, "Rows of the image.", lower_bound=32)
WIDTH = flags.DEFINE_integer("width", 304, "Columns of the image.", lower_bound=32)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 8, "Images a batch.", lower_bound=1)
EPOCHS = flags.DEFINE_integer("epochs", None, "Epochs, instead of the recipe's.", lower_bound=1)
IMAGES = flags.DEFINE_integer(
    "images", 16, "Test images to rate on, evenly spread; 0: all.", lower_bound=0
)
TIMES = flags.DEFINE_float("times", 0.88, "The goal, times the distance of edges.", lower_bound=0)
EVERY = flags.DEFINE_float(
    "every", 10.0, "Least seconds of training between ratings.", lower_bound=0.0
)
LIMIT = flags.DEFINE_float("limit", 120.0, "Seconds of training of a recipe.", lower_bound=0.0)
SEED = flags.DEFINE_integer("seed", 0, "Of the trainings.", lower_bound=0)
OUTPUT = flags.DEFINE_string(
    "output", "runs/benchmarks/time_to_quality.json", "Where to write the JSON."
)


def training(recipe, folder):
    """Options of train_mask for a recipe."""
    values = {
        "recipe": recipe,
        "workdir": str(folder),
        "dataset": DATASET.value,
        "data_dir": DATA_DIR.value,
        "depth_net": DEPTH_NET.value,
        "depth_weights": DEPTH_WEIGHTS.value,
        "mask_net": MASK_NET.value,
        "input_size": (HEIGHT.value, WIDTH.value),
        "batch_size": BATCH_SIZE.value,
        "epochs": EPOCHS.value,
        "seed": SEED.value,
        "checkpoint_steps": 50,
    }
    return recipes.completed(replaced(MaskTraining(), **values))


def test_batches(options):
    """Batches of the test images to rate on."""
    raw = Source(options.data).load("validation")
    frames = pipeline.evenly(raw, IMAGES.value or len(raw))[0]
    size = options.input_size
    return pipeline.evaluation_batches(frames, input_size=size, depth_size=size, batch_size=8)


def measure(recipe, folder):
    """Trains by a recipe until its goal or the limit, and returns its ratings."""
    options = training(recipe, folder)
    setting = Setting(SHARE, TIMES.value, EVERY.value, LIMIT.value)
    done = ratings_of(folder)
    if done and setting.done(done):
        print(f"{recipe}: {said(result(recipe, done))}, measured before", flush=True)
        return done
    watch = Stopwatch(recipe, folder, setting, test_batches(options))
    try:
        mask_run.train(options, reports=[watch])
    except Interrupted:
        if not watch.stopped:
            raise
    return watch.ratings or done  # none where the last epoch was trained before


def result(recipe, ratings):
    """Figures of one recipe."""
    last = ratings[-1]
    return {
        "recipe": recipe,
        "reached": last["times_edges"] <= TIMES.value,
        **{name: last[name] for name in ("seconds", "step", "fidelity_rmse", "times_edges")},
    }


def said(figures):
    """The result of a recipe in words."""
    where = f"at distance {figures['fidelity_rmse']:.3f}, {figures['times_edges']:.2f} times edges'"
    if figures["reached"]:
        return f"reached after {figures['seconds']:.0f} s ({figures['step']} steps), {where}"
    return f"not reached within {figures['seconds']:.0f} s ({figures['step']} steps), {where}"


def ratio(results):
    """Sentence on the time of our recipe over that of the paper's; None unless ours is there."""
    by_recipe = {figures["recipe"]: figures for figures in results}
    ours, papers = by_recipe.get("ranking"), by_recipe.get("paper")
    if not (ours and papers and ours["reached"] and papers["seconds"]):
        return None
    part = f"{ours['seconds'] / papers['seconds']:.3f} of the paper's recipe's time"
    return part if papers["reached"] else f"less than {part}, which has not reached the goal"


def check_setting(folder):
    """Ends with an error if the folder holds ratings of other images or another goal."""
    setting = {f.name: f.value for f in (DATASET, DATA_DIR, IMAGES, TIMES, HEIGHT, WIDTH)}
    path = folder / "setting.json"
    held = json.loads(path.read_text()) if path.exists() else setting
    for name, value in setting.items():
        if held[name] != value:
            sys.exit(
                f"error: --output={OUTPUT.value}: {folder} holds ratings with --{name}="
                f"{held[name]}, not {value}; give another file"
            )
    write_whole(path, json.dumps(setting, indent=2) + "\n")


def main(_):
    output = pathlib.Path(OUTPUT.value)
    folder = output.with_suffix("")
    unknown = set(RECIPES.value) - set(recipes.RECIPES)
    if unknown or not RECIPES.value:
        known = ",".join(recipes.RECIPES)
        sys.exit(f"error: --recipes={','.join(RECIPES.value)}: expected some of {known}")
    try:
        check_setting(folder)
        ratings = {recipe: measure(recipe, folder / recipe) for recipe in RECIPES.value}
    except InputError as error:
        sys.exit(f"error: {error}")
    except Interrupted as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(stopped.exit_code)
    results = [result(recipe, rows) for recipe, rows in ratings.items()]
    edges = next(iter(ratings.values()))[0]["edges"]
    goal = {"share": SHARE, "times_edges": TIMES.value, "edges": edges}
    goal["distance"] = TIMES.value * edges
    print(f"goal: {goal['distance']:.3f} from N(I); edges leave {edges:.3f}")
    for figures in results:
        print(f"{figures['recipe']:8s} {said(figures)}")
    if text := ratio(results):
        print(f"our recipe took {text}")
    rows = [{"recipe": recipe, **row} for recipe, of in ratings.items() for row in of]
    write_csv(output.with_suffix(".csv"), list(rows[0]), rows)
    curve.save(output.with_suffix(".png"), ratings, goal)
    figures = {"goal": goal, "results": results, "ratio": ratio(results), "ratings": rows}
    record.write(output, figures, ["tensorflow", "keras"])


if __name__ == "__main__":
    app.run(main)
