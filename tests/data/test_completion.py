"""Depth completion against a literal double loop over pixels and SciPy's own solver."""

import numpy as np
import pytest
from PIL import Image
from scipy import sparse
from scipy.sparse.linalg import spsolve

from tfdepthviz.data import completion
from tfdepthviz.utils.errors import InputError


def frame(height, width, share=0.1, seed=0):
    """Random image with flat parts, and depth of 1 to 60 m at a share of its pixels."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (90, 120, 40)
    depth = rng.uniform(1, 60, (height, width)).astype("float32")
    depth[rng.uniform(size=depth.shape) > share] = 0
    depth[height // 3, width // 3] = 5
    return image, depth


def naive_weights(grey):
    """{(r, s): w_rs}, pixel by pixel as in the toolbox."""
    height, width = grey.shape
    weights = {}
    for i in range(height):
        for j in range(width):
            window = [
                (a, b)
                for a in range(max(i - 1, 0), min(i + 2, height))
                for b in range(max(j - 1, 0), min(j + 2, width))
            ]
            spread = 0.6 * np.var([grey[pixel] for pixel in window])
            window.remove((i, j))
            squared = [(grey[pixel] - grey[i, j]) ** 2 for pixel in window]
            spread = max(spread, -min(squared) / np.log(0.01), 2e-6)
            likeness = np.exp(-np.array(squared) / spread)
            for pixel, weight in zip(window, likeness / likeness.sum(), strict=True):
                weights[(i, j), pixel] = weight
    return weights


def naive_completion(image, depth, known):
    """(I - W + K) x = K d with d divided by its maximum, by SciPy's own ordering."""
    height, width = depth.shape
    grey = (0.2989 * image[..., 0] + 0.5870 * image[..., 1] + 0.1140 * image[..., 2]) / 255
    greatest = depth[known].max()
    matrix = sparse.lil_array((height * width, height * width))
    constants = np.zeros(height * width)
    for i in range(height):
        for j in range(width):
            matrix[i * width + j, i * width + j] = 1 + known[i, j]
            constants[i * width + j] = known[i, j] * depth[i, j] / greatest
    for ((i, j), (a, b)), weight in naive_weights(grey).items():
        matrix[i * width + j, a * width + b] = -weight
    return greatest * spsolve(matrix.tocsc(), constants).reshape(height, width)


@pytest.mark.parametrize("height, width", [(7, 5), (13, 31), (1, 6), (5, 2)])
def test_weights_of_the_definition(height, width):
    grey = frame(height, width)[0][..., 0] / 255
    weights = completion.affinities(grey)
    expected = np.zeros((height, width, 9))
    for ((i, j), (a, b)), weight in naive_weights(grey).items():
        expected[i, j, 3 * (a - i + 1) + b - j + 1] = weight
    np.testing.assert_allclose(weights, expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("height, width", [(7, 5), (24, 37), (41, 18), (1, 6)])
def test_blend_is_the_toolbox(height, width):
    image, depth = frame(height, width)
    dense = completion.complete(image, depth)
    assert dense.shape == depth.shape and dense.dtype == np.float32
    expected = naive_completion(image, depth.astype(float), depth != 0)
    np.testing.assert_allclose(dense, expected, rtol=1e-6)


def test_keep_solves_only_for_missing_pixels():
    image, depth = frame(24, 37)
    dense = completion.complete(image, depth[..., None], known_pixels="keep")
    assert dense.shape == (24, 37, 1)
    np.testing.assert_array_equal(dense[depth != 0, 0], depth[depth != 0])
    grey = image @ np.array([0.2989, 0.5870, 0.1140]) / 255
    mean = np.zeros_like(grey)
    for (r, s), weight in naive_weights(grey).items():
        mean[r] += weight * dense[s][0]
    np.testing.assert_allclose(dense[..., 0][depth == 0], mean[depth == 0], rtol=1e-5)
    assert np.abs(dense[..., 0] - mean)[depth != 0].max() > 1


@pytest.mark.parametrize("known_pixels", completion.KNOWN_PIXELS)
def test_depth_stays_between_the_measured_extremes(known_pixels):
    image, depth = frame(40, 23, share=0.03)
    dense = completion.complete(image, depth, known_pixels=known_pixels)
    measured = depth[depth != 0]
    assert measured.min() <= dense.min() < dense.max() <= measured.max()
    # A single measurement fills the whole map, however far the grey levels are apart.
    image[:, ::2], image[:, 1::2] = 0, 255
    depth[:] = 0
    depth[30, 20] = 7.25
    dense = completion.complete(image, depth, known_pixels=known_pixels)
    np.testing.assert_allclose(dense, 7.25, rtol=1e-6)


def test_keep_continues_a_plane_over_a_flat_image():
    image = np.full((21, 34, 3), 77, np.uint8)
    plane = 2 + 0.1 * np.arange(34) + 0.3 * np.arange(21)[:, None]
    depth = plane.copy()
    depth[1:-1, 1:-1] = 0
    dense = completion.complete(image, depth, known_pixels="keep")
    np.testing.assert_allclose(dense, plane, rtol=1e-6)


def test_depth_stops_at_an_edge_of_the_image():
    image = np.zeros((16, 30, 3), np.uint8)
    image[:, 15:] = 200
    depth = np.zeros((16, 30))
    depth[8, 3], depth[8, 26] = 2, 50
    dense = completion.complete(image, depth, known_pixels="keep")
    assert dense[:, :15].max() < 3 and dense[:, 15:].min() > 49


def test_saturated_depth_is_missing():
    image, depth = frame(12, 17, share=0.5)
    depth[3:6, 2:9] = np.float32(10000) * np.float32(0.001)
    missing = np.where(np.isclose(depth, 10), 0, depth)
    dense = completion.complete(image, depth, saturation=10.0)
    np.testing.assert_array_equal(dense, completion.complete(image, missing))
    assert not np.array_equal(dense, completion.complete(image, depth))


def test_dense_depth_and_arguments_are_unchanged():
    image, depth = frame(9, 12)
    before = depth.copy()
    dense = completion.complete(image, depth, known_pixels="keep")
    np.testing.assert_array_equal(depth, before)
    np.testing.assert_array_equal(completion.complete(image, dense, known_pixels="keep"), dense)


def test_repeated_calls_give_the_same_bits():
    image, depth = frame(45, 60)
    first = completion.complete(image, depth)
    completion.complete(*frame(30, 52, seed=1), known_pixels="keep")
    np.testing.assert_array_equal(completion.complete(image, depth), first)


@pytest.mark.parametrize("height, width", [(1, 1), (8, 9), (30, 47), (64, 3)])
def test_elimination_order_takes_every_pixel_once(height, width):
    order = completion.elimination_order(height, width)
    np.testing.assert_array_equal(np.sort(order), np.arange(height * width))


def test_first_cut_is_eliminated_last():
    order = completion.elimination_order(20, 33)
    np.testing.assert_array_equal(order[-20:], 16 + 33 * np.arange(20))
    halves = order[: 20 * 16] % 33, order[20 * 16 : -20] % 33
    assert halves[0].max() == 15 and halves[1].min() == 17


@pytest.mark.parametrize("first", [1e-20, 0.0])
def test_fallback_to_pivoting(first):
    matrix = sparse.csc_array([[first, 1.0], [1.0, 1.0]])
    np.testing.assert_allclose(completion.solve(matrix, np.array([2.0, 5.0])), [3, 2])


def test_fill_in_is_less_than_with_superlu_ordering():
    image, depth = frame(96, 130, share=0.04)
    known = depth != 0
    weights = completion.affinities(image[..., 0] / 255)
    pixels = completion.elimination_order(*depth.shape)
    dissected, _ = completion.equations(weights, depth * 1.0, known, pixels)
    rows, _ = completion.equations(weights, depth * 1.0, known, np.sort(pixels))
    natural = sparse.linalg.splu(
        dissected, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    assert natural.nnz < 0.8 * sparse.linalg.splu(rows).nnz


@pytest.mark.parametrize(
    "change, says",
    [
        ({"depth": np.zeros((6, 8))}, "every pixel is missing"),
        ({"depth": np.full((6, 8), 10.0), "saturation": 10.0}, "every pixel is missing"),
        ({"depth": np.ones((8, 6))}, r"the image's size \(6, 8\). Received: \(8, 6\)"),
        ({"depth": np.full((6, 8), np.nan)}, "finite and not negative"),
        ({"depth": np.full((6, 8), -1.0)}, "finite and not negative"),
        ({"image": np.zeros((6, 8), np.uint8)}, r"\(H, W, 3\) uint8. Received: shape \(6, 8\)"),
        ({"image": np.zeros((6, 8, 3))}, "uint8. Received: .* of float64"),
        ({"image": np.zeros((1, 1, 3), np.uint8), "depth": np.ones((1, 1))}, "two pixels or more"),
        ({"known_pixels": "clamp"}, "one of blend, keep. Received: 'clamp'"),
    ],
)
def test_wrong_input_is_named(change, says):
    good = {"image": np.zeros((6, 8, 3), np.uint8), "depth": np.ones((6, 8))}
    with pytest.raises(InputError, match=says):
        completion.complete(**{**good, **change})


@pytest.mark.parametrize(
    "folder, image, depth",
    [
        ("kitti/depth_selection/val_selection_cropped", "image/*", "groundtruth_depth/*"),
        ("pandaset/front_camera", "*.rgb.jpg", "*.depth.png"),
    ],
)
def test_real_frames(real_data, folder, image, depth):
    path = real_data(folder)
    pixels = np.asarray(Image.open(min(path.glob(image))).convert("RGB"))[-120:, :200]
    metres = np.asarray(Image.open(min(path.glob(depth)))).astype(float)[-120:, :200] / 256
    for known_pixels in completion.KNOWN_PIXELS:
        dense = completion.complete(pixels, metres, known_pixels=known_pixels)
        measured = metres[metres != 0]
        assert np.isfinite(dense).all()
        assert measured.min() - 1e-4 <= dense.min() and dense.max() <= measured.max() + 1e-4
        # One step of the 16-bit PNG is 3.9 mm.
        if known_pixels == "blend":
            expected = naive_completion(pixels, metres, metres != 0)
            np.testing.assert_allclose(dense, expected, rtol=0, atol=1e-4)
