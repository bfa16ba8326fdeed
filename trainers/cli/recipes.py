"""Recipes: values for all flags of a mask training that the user leaves out."""

from tfdepthviz.models import DEFAULT_MASK_NET
from tfdepthviz.training.objective import Objective
from tfdepthviz.utils.errors import InputError
from trainers.engine.options import flat, replaced

RECIPES = {
    # Ours: one ranking for every share (docs/results.md).
    "ranking": {
        "mask_net": DEFAULT_MASK_NET,
        "keep": "0.02:0.9",
        "loss": ("l2",),
        "epochs": 6,
        "learning_rate": 5e-4,
        "learning_rate_decay": "cosine",
        "validation_frames": 96,
    },
    # As published: Hu, Zhang, Okatani 2019 (ICCV), section 4.1.
    "paper": {
        "mask_net": "drn_d_22",
        "sparsity_weight": 5.0,
        "loss": Objective.terms,
        "epochs": 10,
        "learning_rate": 1e-4,
        "learning_rate_decay": "none",
    },
}
# Flags of the published objective, which has a lambda, and those of a ranking, which has none.
PAPER_ONLY = ("sparsity_weight", "sparsity_warmup", "objective", "relaxation")
RANKING_ONLY = ("keep", "small_shares")


def completed(options):
    """Options of a mask training with the recipe's values for the flags that were left out.

    Args:
      options: trainers.cli.mask_training.MaskTraining, None where the user gave no value.
    Raises:
      InputError: a flag of the other recipe.
    """
    given = flat(options)
    other = PAPER_ONLY if options.recipe == "ranking" else RANKING_ONLY
    for name in other:
        if given[name] is not None:
            raise InputError(
                f"--{name}={given[name]}: --recipe={options.recipe} takes none; it belongs to "
                f"--recipe={'paper' if options.recipe == 'ranking' else 'ranking'}"
            )
    recipe = dict(RECIPES[options.recipe])
    if options.recipe == "ranking" and (given["mask_net"] or DEFAULT_MASK_NET) == DEFAULT_MASK_NET:
        # G starts from the N that it explains, or else from the G that comes with the package.
        recipe["mask_weights"] = "depth_net" if given["depth_net"] == "compact" else "default"
    return replaced(
        options, **{name: value for name, value in recipe.items() if given[name] is None}
    )
