"""Region networks: the flag that names a file of train_region, and the network in it."""

from tfdepthviz.models import build_mask_net
from tfdepthviz.models.porting.weight_files import load_weights
from tfdepthviz.models.region_net import region_net as build_region_net
from trainers.cli.flags import flag


def region_net():
    return flag(
        None,
        "region_net.keras of train_region, which answers about a place in one pass instead of the "
        "search. N is that of its run, unless flags say otherwise.",
    )


def opened(file, input_size):
    """The region network in a file; None for None.

    Args:
      file: of --region_net.
      input_size: (H, W) that N takes.
    Raises:
      InputError: the file holds no region network, or cannot be read.
    """
    if not file:
        return None
    net = build_region_net(build_mask_net("compact_ranking", (*input_size, 3)))
    load_weights(net, file)
    return net
