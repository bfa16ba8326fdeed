"""Serves a page of Gradio on which others try your masks on their photographs.

    python -m trainers.share_page --mask_weights=runs/photos/mask_net.keras

N and G are those that come with the package, unless flags name others, as for trainers.explain. A
visitor gives a photograph and a share of the pixels, and sees these pixels and N's depth from all
and from these alone. By default only this machine sees the page. trainers.serve has a page as well,
which needs no further package; Gradio's can be embedded, called by its client, and made public.
"""

import dataclasses

from tfdepthviz.metrics import alignment
from tfdepthviz.reports import colours, strips
from tfdepthviz.reports.explanation import in_window
from tfdepthviz.reports.rendering import png
from tfdepthviz.serving.client import ServingError
from tfdepthviz.utils.errors import InputError
from trainers.cli import flag_types
from trainers.cli.explained_model import Exported, Masks, opened
from trainers.cli.flags import flag, main
from trainers.cli.target import Target

# Percent of the pixels that the page begins with.
SHARE = 20
GUIDE = (
    "G ranks the pixels of your photograph by how much the depth network N needs them. N then sees "
    "only the first of them. The closer its depth is to that of the whole photograph, the better "
    "these pixels explain N."
)


@dataclasses.dataclass(frozen=True)
class Options:
    """Page."""

    host: str = flag("127.0.0.1", "Address to listen on; 0.0.0.0 for other machines as well.")
    port: int = flag(7860, "Port of the page.", flag_types.port)
    public: bool = flag(
        False,
        "Ask Gradio for a public address, for a week at most. Photographs and answers then pass "
        "through its servers, and anybody who has the address can use this machine.",
        flag_types.switch,
    )
    masks: Masks = Masks()
    target: Target = Target(depth_net=None)
    exported: Exported = Exported()


def run(options):
    """Serves the page until it is interrupted."""
    gradio = load_gradio()
    try:
        model, name = opened(options.masks, options.target, options.exported)
        with model:
            page = build_page(gradio, model, name)
            try:
                page.launch(
                    server_name=options.host, server_port=options.port, share=options.public
                )
            except OSError as error:  # Gradio's words for a port that is taken
                raise InputError(f"--port={options.port}: cannot be used ({error})") from error
    except ServingError as error:
        raise InputError(str(error)) from error


def load_gradio():
    """The module `gradio`; InputError if it is not installed."""
    try:
        import gradio
    except ImportError as error:
        raise InputError('the page needs Gradio (pip install "tfdepthviz[share]")') from error
    return gradio


def build_page(gradio, model, name):
    """The page of a model.

    Args:
      gradio: the module.
      model: MaskSignatures.
      name: what the page calls it.
    Returns:
      gradio.Interface with one function: photograph and percent -> three pictures and a sentence.
    """
    card = model.card()
    kind, removal = card.get("depth_kind", "metric"), card.get("removal", "mean")

    def explain(photograph, percent):
        if photograph is None:
            raise gradio.Error("Give a photograph first.")
        try:
            return answer(model, photograph, percent / 100, kind, removal)
        except ServingError as error:
            raise gradio.Error(str(error)) from error

    return gradio.Interface(
        explain,
        inputs=[
            gradio.Image(type="numpy", label="Photograph"),
            gradio.Slider(1, 100, SHARE, step=1, label="Share of the pixels, %"),
        ],
        outputs=[
            gradio.Image(label="Pixels that N sees"),
            gradio.Image(label="N's depth from the whole photograph"),
            gradio.Image(label="N's depth from these pixels alone"),
            gradio.Textbox(label="Result"),
        ],
        title="Which pixels does a depth network look at?",
        description=GUIDE,
        article=f"Model: {name}.",
        # Neither kept here nor reported to Gradio.
        flagging_mode="never",
        analytics_enabled=False,
    )


def answer(model, photograph, share, depth_kind, removal):
    """What the page shows of one photograph.

    Args:
      model: MaskSignatures.
      photograph: (h, w, 3) uint8.
      share: of the pixels, in (0, 1].
      depth_kind, removal: of the model's card.
    Returns:
      three pictures (H, W, 3) uint8: the kept pixels, N(I), N(I * M'), both in the colours of
      N(I); and a sentence.
    """
    contents = png(photograph)
    cut, depth = model.keep(contents, share), model.explain(contents).depth
    full, masked = strips.drawable_pair(depth_kind, depth, cut.binary_depth)
    scale = colours.depth_range(full)
    unit = alignment.unit(depth_kind)
    text = (
        f"From {int(cut.binary_mask.sum())} of {cut.binary_mask.size} pixels, N is "
        f"{cut.fidelity_rmse:.3g} {unit} from its depth of the whole photograph."
    )
    if cut.covered < 1:
        text += f" N sees the middle {100 * cut.covered:.0f} % of this photograph."
    return (
        strips.as_seen(in_window(photograph, cut), cut.binary_mask, removal),
        *(colours.colourise_depth(y, *scale) for y in (full, masked)),
        text,
    )


if __name__ == "__main__":
    main(run, Options, continues=False)
