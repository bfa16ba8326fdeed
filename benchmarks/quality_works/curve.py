"""The curve of a benchmark of quality over time, as a picture."""

from matplotlib.figure import Figure

from tfdepthviz.reports.rendering import DPI, rendered, save_png

COLOURS = {"ranking": "#d95f02", "paper": "#1f77b4"}
NAMES = {"ranking": "ours, --recipe=ranking", "paper": "the paper's, --recipe=paper"}


def save(path, ratings, goal):
    """Draws the distance from N(I) over the seconds of training.

    Args:
      path: of the PNG file.
      ratings: recipe -> its ratings, as of `stopwatch.Stopwatch`.
      goal: dict of share, times_edges, edges and distance.
    """
    figure = Figure(figsize=(8.4, 5.0), dpi=DPI, layout="constrained")
    ax = figure.subplots()
    for recipe, rows in ratings.items():
        points = [(row["seconds"], row["fidelity_rmse"]) for row in rows]
        ax.plot(*zip(*points, strict=True), color=COLOURS[recipe], marker="o", ms=4, lw=1.8)
        reached = rows[-1]["fidelity_rmse"] <= goal["distance"]
        end = f"{points[-1][0]:.0f} s" + ("" if reached else ", not reached")
        ax.plot([], [], color=COLOURS[recipe], marker="o", ms=4, label=f"{NAMES[recipe]}: {end}")
    lines = {
        f"as many Sobel edge pixels: {goal['edges']:.3f}": (goal["edges"], "--", "#7a7a7a"),
        f"goal, {goal['times_edges']:g} times that: {goal['distance']:.3f}": (
            *(goal["distance"], ":", "#000000"),
        ),
    }
    for label, (height, style, colour) in lines.items():
        ax.axhline(height, color=colour, ls=style, lw=1.2, label=label)
    # Seconds from 0 on, though recipes may differ by orders of magnitude.
    first = min((row["seconds"] for rows in ratings.values() for row in rows[1:]), default=1.0)
    ax.set_xscale("symlog", linthresh=max(first, 0.1))
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("seconds of training (linear up to the first rating, then logarithmic)")
    ax.set_ylabel(f"distance from N(I) with {goal['share']:.0%} of the pixels")
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=9)
    save_png(path, rendered(figure))
