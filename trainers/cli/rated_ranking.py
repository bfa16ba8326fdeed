"""Rated ranking: a trained ranking and all its controls at several shares, measured once."""

import dataclasses
import hashlib
import json

from tfdepthviz import evaluation
from tfdepthviz.data import pipeline
from tfdepthviz.evaluation import comparison, ranking
from tfdepthviz.evaluation.controls import CHEAP, RANDOM_SEEDS
from tfdepthviz.evaluation.swapped import swapped
from tfdepthviz.models import build_mask_net
from tfdepthviz.models.target import DepthTarget
from trainers.cli.untrained import start_of, untrained_net
from trainers.engine.batch_store import BatchStore
from trainers.engine.options import flat
from trainers.engine.progress import bar
from trainers.engine.source import Source
from trainers.engine.strategy import prepare
from trainers.engine.training_frames import mean_map_of

# Name of the ranking in the comparison.
RANKING = "ranking"


@dataclasses.dataclass(frozen=True)
class RatedRanking:
    """What was rated, and the result.

    Attributes:
      target: N, not folded.
      mask_net: G.
      comparison: `evaluation.comparison.Comparison`.
      summary: result of `evaluation.summarise`; the ranking is called RANKING.
      frames: batch of some frames to draw.
      notes: sentences on the controls.
    """

    target: DepthTarget
    mask_net: object
    comparison: comparison.Comparison
    summary: dict
    frames: dict
    notes: list


def rated_ranking(folder, training, weights, shares):
    """Rates a ranking on the whole validation split; batches that are stored are read.

    Args:
      folder: pathlib.Path; measurements go into rated/ in it.
      training: trainers.cli.mask_training.MaskTraining: data, N, G, and frames to draw.
      weights: of G: the file mask_net.keras of its run, or "default".
      shares: rising.
    Returns:
      RatedRanking.
    """
    prepare("float32", training.training.seed)
    target = training.target.build(training.input_size)
    folded, size = target.folded(), target.input_size
    mask_net = build_mask_net(training.mask_net, (*size, 3), weights=weights)
    untrained = untrained_net(start_of(training.mask_net, weights), training.target, target)
    source = Source(training.data)
    raw = source.load("validation")
    sizes = {"input_size": size, "depth_size": size}
    batch_size = training.training.batch_size
    batches = pipeline.evaluation_batches(raw, **sizes, batch_size=batch_size)
    with source.named_files():
        mean_map, note = mean_map_of(source, folded, batch_size)
        others = {"swapped": swapped(ranking.ranking(mask_net), batches)}
        measured = _measured(
            _store(folder, training, mask_net, shares),
            folded,
            mask_net,
            batches,
            shares,
            len(raw),
            untrained=untrained,
            mean_map=mean_map,
            more_scores=others,
        )
        frames = pipeline.spread(raw, training.strips, **sizes)
    summary = evaluation.summarise(measured)
    return RatedRanking(target, mask_net, measured, summary, frames, [note])


def _measured(store, target, mask_net, batches, shares, images, **more):
    """The comparison, with a progress bar."""
    draws = sum(len(RANDOM_SEEDS) - 1 for name in CHEAP if name.startswith("random"))
    controls = len(CHEAP) + draws + 2  # and the untrained G, and the swapped mask
    views = comparison.forward_passes(1, controls, shares, ("insert",)) * images
    with bar(desc="rating", total=views, unit="image") as rated:
        return evaluation.rate_shares(
            target,
            {RANKING: mask_net},
            batches,
            shares,
            progress=rated.update,
            store=lambda number, measure: store(
                number,
                measure,
                lambda arrays: rated.update(views * len(arrays["image/"]) // images),
            ),
            **more,
        )


def _store(folder, training, mask_net, shares):
    """Store of the measurements; those of another G, N, data set or list of shares stay apart."""
    weights = b"".join(array.tobytes() for array in mask_net.get_weights())
    deciding = {
        **flat(training.target),
        **flat(training.data),
        "mask_net": training.mask_net,
        # Not that of the file, which a run that has finished writes anew.
        "weights": hashlib.sha256(weights).hexdigest(),
        "input_size": training.input_size,
        "batch_size": training.training.batch_size,
        "shares": shares,
    }
    key = hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:12]
    return BatchStore(folder / "rated" / key, deciding, "ratings")
