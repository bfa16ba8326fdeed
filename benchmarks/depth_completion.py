"""Seconds per image of depth completion: our solver and others on the same equations.

    OMP_NUM_THREADS=1 python benchmarks/depth_completion.py

gives each solver one core, as each of several workers has, in about a minute. Measured are one
frame of KITTI (1216x352) and one of PandaSet (640x360) from ../shared/data, or the folder that
TFDEPTHVIZ_DATA names; without them a synthetic frame of KITTI's size and share of measured pixels.
Solvers whose library is missing are left out: pip install pyamg pypardiso.

Prints a table and writes it, with machine and versions, to --output as JSON. CPU time is that of
all threads; on a busy machine it is the one to compare. Residuals are relative, in the norm;
differences are the greatest from the naive solution, SuperLU after COLAMD and with pivoting.
"""

import os
import pathlib
import statistics
import time

import numpy as np
import scipy.sparse.linalg
from absl import app, flags
from common import record
from PIL import Image

from tfdepthviz.data import completion
from tfdepthviz.utils.constants import GREY_WEIGHTS

KNOWN_PIXELS = flags.DEFINE_enum("known_pixels", "blend", completion.KNOWN_PIXELS, "What to solve.")
REPETITIONS = flags.DEFINE_integer("repetitions", 1, "Timed runs of each solver.", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", "runs/benchmarks/depth_completion.json", "The JSON file.")

NAIVE = "scipy.sparse.linalg.spsolve (naive)"
FOLDERS = {
    "KITTI": ("kitti/depth_selection/val_selection_cropped", "image/*", "groundtruth_depth/*"),
    "PandaSet": ("pandaset/front_camera", "*.rgb.jpg", "*.depth.png"),
}


def frames():
    """Name -> image (H, W, 3) uint8 and depth (H, W) metres."""
    root = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data"
    root = pathlib.Path(os.environ.get("TFDEPTHVIZ_DATA") or root)
    frames = {}
    for name, (folder, images, depths) in FOLDERS.items():
        if (root / folder).is_dir():
            image = Image.open(min((root / folder).glob(images))).convert("RGB")
            depth = Image.open(min((root / folder).glob(depths)))
            frames[name] = np.asarray(image), np.asarray(depth) / 256.0
    return frames or {"synthetic": synthetic()}


def synthetic(height=352, width=1216):
    """Blurred noise under fine noise; 3.9 % of the pixels measured, none in the upper third."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (height // 16, width // 16, 3), np.uint8))
    image = np.asarray(coarse.resize((width, height))) // 2
    image = (image + rng.integers(0, 16, image.shape)).astype("uint8")
    road = 9000.0 / np.arange(1, height + 1) - 20
    depth = np.repeat(road[:, None], width, axis=1)
    depth[rng.uniform(size=depth.shape) > 0.039 * 1.5] = 0
    depth[: height // 3] = 0
    return image, depth


def minimum_degree(matrix, b):
    options = {"diag_pivot_thresh": 0.0, "options": SYMMETRIC}
    return scipy.sparse.linalg.splu(matrix, "MMD_AT_PLUS_A", **options).solve(b)


def pardiso(matrix, b):
    import pypardiso

    solver = pypardiso.PyPardisoSolver()
    solution = solver.solve(scipy.sparse.csr_matrix(matrix), b)
    solver.free_memory(everything=True)
    return solution


def multigrid(kind):
    def solution(matrix, b):
        import pyamg

        rows = scipy.sparse.csr_matrix(matrix)
        options = {"symmetry": "nonsymmetric"} if kind == "smoothed_aggregation_solver" else {}
        return krylov(matrix, b, getattr(pyamg, kind)(rows, **options).aspreconditioner())

    return solution


def incomplete(matrix, b):
    factors = scipy.sparse.linalg.spilu(
        matrix, 1e-2, 5, permc_spec="NATURAL", diag_pivot_thresh=0.0, options=SYMMETRIC
    )
    return krylov(matrix, b, scipy.sparse.linalg.LinearOperator(matrix.shape, factors.solve))


def krylov(matrix, b, preconditioner):
    solution, _ = scipy.sparse.linalg.bicgstab(matrix, b, rtol=1e-8, M=preconditioner, maxiter=500)
    return solution


SYMMETRIC = {"SymmetricMode": True}
# Name -> in nested dissection order?, function (matrix, constants) -> solution.
SOLVERS = {
    NAIVE: (False, scipy.sparse.linalg.spsolve),
    "SuperLU, nested dissection (ours)": (True, completion.solve),
    "SuperLU, minimum degree": (False, minimum_degree),
    "PARDISO (MKL)": (False, pardiso),
    "BiCGStab, smoothed aggregation": (False, multigrid("smoothed_aggregation_solver")),
    "BiCGStab, Ruge-Stuben multigrid": (False, multigrid("ruge_stuben_solver")),
    "BiCGStab, incomplete LU": (True, incomplete),
}


def measure(image, depth):
    """Rows of the table for one frame: solver -> what was measured."""
    known = depth != 0
    weights = completion.affinities(image @ np.array(GREY_WEIGHTS) / 255.0)
    dissected = completion.elimination_order(*known.shape)
    if KNOWN_PIXELS.value == "keep":
        dissected = dissected[~known.ravel()[dissected]]
    systems = {}
    for own, pixels in ((True, dissected), (False, np.sort(dissected))):
        systems[own] = pixels, *completion.equations(weights, depth, known, pixels)
    rows, solutions = {}, {}
    for _ in range(REPETITIONS.value):
        for name, (own, solver) in SOLVERS.items():
            pixels, matrix, b = systems[own]
            times = -time.process_time(), -time.perf_counter()
            try:
                solution = solver(matrix, b)
            except ImportError:
                continue
            row = rows.setdefault(name, {"cpu": [], "wall": []})
            row["cpu"].append(times[0] + time.process_time())
            row["wall"].append(times[1] + time.perf_counter())
            row["residual"] = float(np.linalg.norm(matrix @ solution - b) / np.linalg.norm(b))
            solutions[name] = solution[np.argsort(pixels)]
    for name, row in rows.items():
        row |= {clock: statistics.median(row[clock]) for clock in ("cpu", "wall")}
        row["difference"] = float(np.abs(solutions[name] - solutions[NAIVE]).max())
    times = -time.process_time(), -time.perf_counter()
    completion.complete(image, depth, known_pixels=KNOWN_PIXELS.value)
    whole = {"cpu": times[0] + time.process_time(), "wall": times[1] + time.perf_counter()}
    return rows, whole


def main(_):
    figures = {"known_pixels": KNOWN_PIXELS.value, "frames": {}}
    for frame, (image, depth) in frames().items():
        height, width = depth.shape
        print(f"{frame}, {width}x{height}, {(depth != 0).mean():.1%} measured")
        print(f"  {'':36s}{'CPU s':>8s}{'wall s':>8s}{'residual':>10s}{'difference, m':>15s}")
        rows, whole = measure(image, depth)
        for name, row in rows.items():
            print(
                f"  {name:36s}{row['cpu']:8.2f}{row['wall']:8.2f}"
                f"{row['residual']:10.0e}{row['difference']:15.0e}"
            )
        print(f"  {'whole of completion.complete':36s}{whole['cpu']:8.2f}{whole['wall']:8.2f}")
        figures["frames"][frame] = {"size": [height, width], "solvers": rows, "complete": whole}
    record.write(OUTPUT.value, figures, ("numpy", "scipy", "pyamg", "pypardiso"))


if __name__ == "__main__":
    app.run(main)
