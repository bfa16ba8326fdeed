"""N and G in this process, with the methods of `client.MaskClient` and no SavedModel."""

from tfdepthviz.export.savedmodel import traced
from tfdepthviz.serving.local_model import InProcess


class MemoryModel(InProcess):
    """Two networks that answer as the model that `export_savedmodel` makes of them.

        from tfdepthviz.models import build_depth_net, build_mask_net

        model = MemoryModel(
            build_depth_net("compact", weights="default"), build_mask_net(weights="default")
        )
        for cut in model.keep(open("photo.jpg", "rb").read(), [0.05, 0.2, 0.36]):
            print(f"{cut.sparseness:.0%} of the pixels: off by {cut.fidelity_rmse:.2f} m")

    Args:
      target, mask_net, card: as for `export_savedmodel`.
    Raises:
      InputError: as `export_savedmodel`.
    """

    def __init__(self, target, mask_net, card=None):
        self._traced = traced(target, mask_net, card or {})  # keeps the variables
        super().__init__(self._traced.signatures)
