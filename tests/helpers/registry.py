"""The networks of the conformance tests, each with the golden file that pins its architecture."""

from tfdepthviz.models import build_depth_net, build_mask_net

BUILDERS = {"depth": build_depth_net, "mask": build_mask_net}
# Registry and name -> the golden file.
GOLDEN = {
    ("depth", "hu_resnet50"): "hu_resnet50",
    ("depth", "hu_densenet161"): "hu_densenet161",
    ("depth", "hu_senet154"): "hu_senet154",
    ("depth", "fcrn_resnet50"): "fcrn_resnet50",
    ("mask", "drn_d_22"): "mask_drn_d_22",
}
# No reference exists for these.
OUR_OWN = (
    ("depth", "compact"),
    ("mask", "compact"),
    ("mask", "compact_edges"),
    ("mask", "compact_ranking"),
)
NETWORKS = (*GOLDEN, *OUR_OWN)


def build(kind, name, size):
    """A network with random weights for images of (height, width)."""
    return BUILDERS[kind](name, input_shape=(*size, 3))
