"""Rankings rated: N's errors from the top shares of G's ranking, next to controls.

A ranking is a G whose scores, the numbers before its sigmoid, order the pixels. float32 grey levels
would not do: those of large scores are equal.
"""

from tfdepthviz.evaluation.comparison import compare
from tfdepthviz.evaluation.controls import CHEAP, RANDOM_SEEDS, control_scores
from tfdepthviz.models.scores import ends_in_sigmoid, scores_net
from tfdepthviz.models.target import as_target
from tfdepthviz.utils import graphs


def compiled(net):
    """A network as a function of (image, first), as `comparison.compare` takes it.

    Args:
      net: keras.Model of one image batch; it ignores the place `first` of the first image.
    """
    predict = graphs.compiled(lambda image: net(image, training=False))
    return lambda image, first=0: predict(image)


def ranking(mask_net):
    """The scores by which G ranks the pixels, as a function of (image, first).

    Args:
      mask_net: G. If its last layer is a sigmoid Activation, the scores are the numbers before it;
        otherwise they are its grey levels.
    """
    return compiled(scores_net(mask_net) if ends_in_sigmoid(mask_net) else mask_net)


def rate_shares(
    target,
    mask_nets,
    batches,
    shares,
    *,
    controls=CHEAP,
    untrained=None,
    mean_map=None,
    random_seeds=RANDOM_SEEDS,
    more_scores=None,
    **options,
):
    """Rates rankings and controls at any shares: N's errors from their top pixels, by image.

    N runs once for each image, share, ranking and control, and about five times more.

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres.
      mask_nets: dict of name -> G.
      batches: as for `comparison.compare`.
      shares: rising, in (0, 1); each mask keeps round(share*H*W) pixels.
      controls: some of `controls.SCORED`.
      untrained: G as it was before training, the control "untrained"; None: no such control.
      mean_map: (h, w, 1), of `mean_maps.mean_map`; None: no such control.
      random_seeds: draws of random pixels and blocks.
      more_scores: further controls, name -> function as `control_scores` gives.
      options: images, threshold, progress and store, as for `comparison.compare`.
    Returns:
      Comparison, of the view "insert" alone.
    Raises:
      InputError: as `comparison.compare` does.
    Example:
      comparison = rate_shares(target, {"M": mask_net}, batches, (0.05, 0.36))
      rmse = np.sqrt(comparison.squared_errors("M", "insert", "mse"))  # (images, 2), metres
      summary = summarise(comparison)  # intervals of the differences to every control
    """
    target = as_target(target)
    scores = control_scores(target.net, controls, random_seeds=random_seeds)
    if untrained is not None:
        scores["untrained"] = ranking(untrained)
    scores |= more_scores or {}
    return compare(
        target,
        batches,
        mask_functions={name: compiled(net) for name, net in mask_nets.items()},
        rankings={name: ranking(net) for name, net in mask_nets.items()},
        scores=scores,
        predictions={} if mean_map is None else {"mean_map": mean_map},
        shares=shares,
        views=("insert",),
        **options,
    )
