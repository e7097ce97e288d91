"""Heat maps against a joint-by-joint reference, written from behaviour.md section 8 and nothing else."""

from __future__ import annotations

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
pytest.importorskip("cv2", reason="needs the pose extra")
torch = pytest.importorskip("torch", reason="needs the pose extra")


from pose.judging.targets import heatmap_targets  # noqa: E402

IMAGE, HEATMAP = (256, 192), (64, 48)  # (height, width)


def reference(joints, visible, image_size, heatmap_size, sigma):
    """One sample (K, 2), (K,): a patch per joint, pasted cell by cell."""
    height, width = heatmap_size
    stride_x, stride_y = image_size[1] / width, image_size[0] / height
    tmp = 3 * sigma
    maps = np.zeros((len(joints), height, width), dtype=np.float32)
    weights = np.zeros((len(joints), 1), dtype=np.float32)
    steps = np.arange(2 * tmp + 1, dtype=np.float32)
    middle = tmp
    patch = np.exp(-((steps[None, :] - middle) ** 2 + (steps[:, None] - middle) ** 2) / (2 * sigma**2))
    for joint, (x, y) in enumerate(joints):
        weights[joint] = visible[joint]
        mu_x, mu_y = int(x / stride_x + 0.5), int(y / stride_y + 0.5)  # int() truncates toward zero
        left, top, right, bottom = mu_x - tmp, mu_y - tmp, mu_x + tmp + 1, mu_y + tmp + 1
        if left >= width or top >= height or right < 0 or bottom < 0:
            weights[joint] = 0
            continue
        if weights[joint] > 0.5:
            for row in range(max(0, top), min(height, bottom)):
                for column in range(max(0, left), min(width, right)):
                    maps[joint, row, column] = patch[row - top, column - left]
    return maps, weights


def compare(joints, visible, image_size=IMAGE, heatmap_size=HEATMAP, sigma=2):
    joints, visible = np.asarray(joints, dtype=np.float64), np.asarray(visible, dtype=np.float32)
    targets, weight = heatmap_targets(
        torch.from_numpy(joints), torch.from_numpy(visible), image_size, heatmap_size, sigma
    )
    for sample in range(len(joints)):
        maps, weights = reference(joints[sample], visible[sample], image_size, heatmap_size, sigma)
        np.testing.assert_array_equal(targets[sample].numpy(), maps)
        np.testing.assert_array_equal(weight[sample].numpy(), weights)
    return targets, weight


@pytest.mark.parametrize(
    ("image_size", "heatmap_size", "sigma"),
    [((256, 192), (64, 48), 2), ((384, 288), (96, 72), 3), ((96, 64), (24, 16), 1)],
)
def test_a_batch_has_the_reference_s_bits_inside_and_around_the_map(image_size, heatmap_size, sigma):
    draw = np.random.default_rng(8)
    joints = draw.uniform(-60, max(image_size) + 60, (6, 17, 2))
    compare(joints, draw.integers(0, 2, (6, 17)), image_size, heatmap_size, sigma)


def test_joints_exactly_between_two_cells_round_as_the_reference_does():
    halves = np.arange(-30, 222) * 2.0  # every half cell of a stride of 4
    joints = np.stack(
        [np.stack([halves, np.full_like(halves, 100)], 1), np.stack([halves * 0 + 90, halves], 1)]
    )
    compare(joints, np.ones(joints.shape[:2]))


def test_coordinates_left_of_the_map_truncate_to_its_first_cell():
    # -5 / 4 + 0.5 = -0.75: floor would say cell -1, int() says cell 0.
    targets, _ = compare([[[-5.0, 100.0]]], [[1]])
    assert targets[0, 0].argmax() == 25 * 48
    assert targets[0, 0, 25, 0] == 1


def test_a_joint_whose_patch_ends_exactly_at_the_border_keeps_its_weight_over_an_empty_map():
    # Cell -7, reach 6: the patch ends before cell 0 (br == 0).
    targets, weight = compare([[[-30.0, 100.0]]], [[1]])
    assert weight.item() == 1
    assert targets.abs().sum() == 0


def test_a_joint_one_cell_farther_out_loses_its_weight():
    _, weight = compare([[[-34.0, 100.0]]], [[1]])
    assert weight.item() == 0


def test_a_joint_outside_the_map_but_near_still_counts():
    # Cell 50 of 48: the peak is outside, its slope is in.
    targets, weight = compare([[[200.0, 100.0]]], [[1]])
    assert weight.item() == 1
    assert 0 < targets.max() < 1


def test_an_unlabelled_joint_has_neither_map_nor_weight():
    targets, weight = compare([[[96.0, 100.0]]], [[0]])
    assert targets.abs().sum() == 0
    assert weight.item() == 0
