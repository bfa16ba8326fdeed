"""Every name that others rely on can be imported from where it always was."""

import importlib

import pytest

NAMES = {
    "tfdepthviz": (
        *("InputError", "WriteError", "MaskTrainer", "build_depth_net", "build_mask_net"),
        *("build_optimizer", "depth_target", "evaluate_masks", "export_savedmodel"),
    ),
    "tfdepthviz.models": ("build_depth_net", "build_mask_net", "DEPTH_NETS", "MASK_NETS"),
    "tfdepthviz.models.layers": ("aligned_resize", "AlignedResize"),
    "tfdepthviz.models.porting": ("read_torch_checkpoint", "read_tf_checkpoint", "port_weights"),
    "tfdepthviz.models.target": ("depth_target", "DepthTarget"),
    "tfdepthviz.models.folding": ("fold_batch_norm",),
    "tfdepthviz.losses": ("depth_term", "gradient_term", "normal_term"),
    "tfdepthviz.masks": ("apply_mask", "binarise", "top_share_mask", "edge_strength"),
    "tfdepthviz.metrics": ("depth_errors", "fidelity_mse", "sparseness"),
    "tfdepthviz.mask_training": ("MaskTrainer", "SparsityWarmup"),
    "tfdepthviz.training": ("MaskTrainer", "SparsityWarmup", "DepthTrainer", "build_optimizer"),
    "tfdepthviz.evaluation": ("evaluate_masks", "evaluate_depth", "Evaluation"),
    "tfdepthviz.export": ("export_savedmodel", "MemoryModel"),
    "tfdepthviz.serving.client": ("MaskClient",),
}
COMMANDS = (
    *("train_depth", "train_mask", "evaluate", "export_savedmodel", "serve", "demo"),
    *(
        "explain",
        "explain_video",
        "explain_region",
        "optimize_mask",
        "compare_masks",
        "sweep_sparsity",
    ),
    *(
        "draw_masks",
        "complete_depth",
        "port_weights",
        "check",
        "audit_masks",
        "train_evaluator",
        "train_region",
        "share_page",
    ),
)


@pytest.mark.parametrize("module", NAMES)
def test_names(module):
    loaded = importlib.import_module(module)
    assert [name for name in NAMES[module] if not hasattr(loaded, name)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command):
    assert callable(importlib.import_module(f"trainers.{command}").run)
