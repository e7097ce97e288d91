"""Crops: numbers worked out by hand from behaviour.md, sections 5 and 7, and the warp's arithmetic."""

from __future__ import annotations

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
cv2 = pytest.importorskip("cv2", reason="needs the pose extra")
pytest.importorskip("pycocotools", reason="needs the pose extra")

from pose.data import crop  # noqa: E402
from pose.errors import PoseError  # noqa: E402
from tests.pose import reference  # noqa: E402

SIZE = (256, 192)  # (height, width): aspect 0.75


def test_a_tall_box_grows_sideways_to_the_crop_s_aspect_and_then_by_a_quarter():
    center, scale = crop.box_to_center_scale((10, 20, 30, 400), SIZE)
    assert center.tolist() == [25, 220]
    # 400 high needs 300 across; in units of 200: 1.5 x 2, padded 1.875 x 2.5.
    assert scale.tolist() == [1.875, 2.5]
    assert center.dtype == scale.dtype == np.float32


def test_a_wide_box_grows_upwards():
    _, scale = crop.box_to_center_scale((10, 20, 300, 100), SIZE)
    assert scale.tolist() == [1.875, 2.5]


def test_a_centre_at_exactly_minus_one_is_not_padded():
    _, scale = crop.box_to_center_scale((-151, 0, 300, 400), SIZE)
    assert scale.tolist() == [1.5, 2.0]


def test_the_matrix_maps_the_box_s_centre_to_the_crop_s_middle_and_half_the_width_up():
    matrix = crop.affine_matrix(np.float32([100, 200]), np.float32([1, 9]), 0, SIZE)
    points = crop.map_points(np.array([[100.0, 200.0], [100.0, 100.0], [0.0, 200.0]]), matrix)
    np.testing.assert_allclose(points, [[96, 128], [96, 32], [0, 128]], atol=1e-9)


def test_the_scale_s_height_does_not_matter():
    one = crop.affine_matrix(np.float32([5, 6]), np.float32([1.2, 1.6]), 33, SIZE)
    other = crop.affine_matrix(np.float32([5, 6]), np.float32([1.2, 7]), 33, SIZE)
    np.testing.assert_array_equal(one, other)


def test_a_quarter_turn_brings_what_is_right_of_the_centre_to_the_top():
    # The point above the centre, (0, -100), turns by +90 degrees to (100, 0): that lands half a width up.
    matrix = crop.affine_matrix(np.float32([100, 200]), np.float32([1, 1]), 90, SIZE)
    np.testing.assert_allclose(crop.map_points(np.array([[200.0, 200.0]]), matrix), [[96, 32]], atol=1e-4)


@pytest.mark.parametrize("rotation", [0, -71.3, 40])
def test_the_inverse_matrix_leads_back(rotation):
    center, scale = np.float32([123.4, 88.8]), np.float32([0.7, 1.1])
    there = crop.affine_matrix(center, scale, rotation, SIZE)
    back = crop.affine_matrix(center, scale, rotation, SIZE, inverse=True)
    points = np.random.default_rng(3).uniform(-50, 300, (20, 2))
    np.testing.assert_allclose(crop.map_points(crop.map_points(points, there), back), points, atol=1e-3)


def test_the_matrix_is_the_references_within_a_billionth():
    draw = np.random.default_rng(8)
    for _ in range(200):
        center = draw.uniform(-50, 2000, 2).astype(np.float32)
        scale = draw.uniform(0.05, 9, 2).astype(np.float32)
        degrees = float(draw.uniform(-80, 80))
        size = tuple(int(side) for side in draw.integers(1, 13, 2) * 32)
        matrix = crop.affine_matrix(center, scale, degrees, size)
        wanted = reference.affine(center, scale, degrees, size[1], size[0])
        np.testing.assert_allclose(matrix, wanted, rtol=1e-9, atol=1e-9)


def warp_in_fixed_point(image, matrix, size):
    """OpenCV 4's bilinear warp as behaviour.md section 17 describes it, in whole numbers."""
    height, width = size
    (a, b, c), (d, e, f) = matrix
    determinant = 1.0 / (a * e - b * d)
    a, b, d, e = e * determinant, -b * determinant, -d * determinant, a * determinant
    c, f = -a * c - b * f, -d * c - e * f
    columns, rows = np.arange(width), np.arange(height)[:, None]

    def coordinate(along_x, along_y, offset):
        start = np.rint((along_y * rows + offset) * 1024).astype(int) + 16  # half of 1/32 in 1/1024
        return (start + np.rint(along_x * columns * 1024).astype(int)) >> 5

    x, y = coordinate(a, b, c), coordinate(d, e, f)
    padded = np.pad(image.astype(int), ((1, 2), (1, 2), (0, 0)))

    def pixel(dx, dy):
        px, py = (x >> 5) + dx, (y >> 5) + dy
        inside = (px >= -1) & (px <= image.shape[1]) & (py >= -1) & (py <= image.shape[0])
        return padded[np.where(inside, py, -1) + 1, np.where(inside, px, -1) + 1]

    fx, fy = (x & 31)[..., None], (y & 31)[..., None]
    total = (32 - fy) * ((32 - fx) * pixel(0, 0) + fx * pixel(1, 0)) + fy * (
        (32 - fx) * pixel(0, 1) + fx * pixel(1, 1)
    )
    return ((total * 32 + 2**14) >> 15).astype(np.uint8)


@pytest.mark.parametrize("seed", range(6))
def test_the_warp_has_the_bits_of_opencv_4_s_fixed_point_arithmetic(seed):
    draw = np.random.default_rng(seed)
    image = draw.integers(0, 256, (120, 160, 3), dtype=np.uint8)
    matrix = crop.affine_matrix(
        draw.uniform(20, 120, 2).astype(np.float32),
        draw.uniform(0.2, 1.5, 2).astype(np.float32),
        draw.uniform(-80, 80),
        (64, 48),
    )
    np.testing.assert_array_equal(
        crop.warp(image, matrix, (64, 48)), warp_in_fixed_point(image, matrix, (64, 48))
    )


def test_opencv_5_is_refused_with_the_version_that_is_wanted(monkeypatch):
    monkeypatch.setattr(cv2, "__version__", "5.0.0")
    with pytest.raises(PoseError, match=r"OpenCV 5\.0\.0") as caught:
        crop.require_fixed_point_warp()
    assert "<5" in caught.value.hint
