"""Decoding against a joint-by-joint reference, written from behaviour.md sections 4, 7, 9 and 10."""

from __future__ import annotations

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
cv2 = pytest.importorskip("cv2", reason="needs the pose extra")
torch = pytest.importorskip("torch", reason="needs the pose extra")


from pose.data.joints import COCO  # noqa: E402
from pose.judging.decode import decode, flip_back, pck_accuracy, peaks  # noqa: E402
from tests.pose import reference  # noqa: E402


def reference_decode(heatmaps, center, scale, *, post_process):
    """One sample (K, h, w): joints (K, 2) in the picture, values (K,)."""
    places, values = reference.cells(heatmaps, post_process=post_process)
    height, width = heatmaps.shape[1:]
    # The inverse crop, rotation 0: half the crop's width maps to half of 200 * scale in x.
    half = np.float32(scale[0]) * np.float32(200) / 2
    source = np.array(
        [[width / 2, height / 2], [width / 2, height / 2 - width / 2], [0, 0]], dtype=np.float32
    )
    target = np.array([center, [center[0], center[1] - half], [0, 0]], dtype=np.float32)
    for three in (source, target):
        direct = three[0] - three[1]
        three[2] = three[1] + [-direct[1], direct[0]]
    matrix = cv2.getAffineTransform(source, target)
    return np.array([matrix @ [x, y, 1] for x, y in places]).astype(np.float32), values


def some_crops(count):
    draw = np.random.default_rng(2)
    center = draw.uniform(20, 600, (count, 2)).astype(np.float32)
    scale = draw.uniform(0.2, 3, (count, 2)).astype(np.float32)
    return center, scale


@pytest.mark.parametrize("post_process", [False, True])
def test_a_batch_decodes_as_the_reference_does(post_process):
    draw = np.random.default_rng(1)
    maps = draw.normal(-0.6, 0.4, (5, 17, 16, 12)).astype(np.float32)
    maps[0, 3] = -1.0  # nothing positive
    maps[1, 4] = 0.5  # everything equal
    center, scale = some_crops(5)
    joints, values = decode(
        torch.from_numpy(maps), torch.from_numpy(center), torch.from_numpy(scale), post_process=post_process
    )
    for sample in range(5):
        wanted, wanted_values = reference_decode(
            maps[sample], center[sample], scale[sample], post_process=post_process
        )
        np.testing.assert_array_equal(joints[sample].numpy(), wanted)
        np.testing.assert_array_equal(values[sample].numpy(), wanted_values)


@pytest.mark.parametrize("cell", [(x, y) for x in (0, 1, 2, 9, 10, 11) for y in (0, 1, 2, 13, 14, 15)])
def test_the_quarter_step_stops_two_cells_from_the_border_on_one_side_and_one_on_the_other(cell):
    x, y = cell
    maps = np.tile(np.arange(16 * 12, dtype=np.float32).reshape(16, 12) / 1e4 + 0.1, (1, 1, 1, 1))
    maps[0, 0, y, x] = 1
    center, scale = some_crops(1)
    joints, _ = decode(
        torch.from_numpy(maps), torch.from_numpy(center), torch.from_numpy(scale), post_process=True
    )
    wanted, _ = reference_decode(maps[0], center[0], scale[0], post_process=True)
    np.testing.assert_array_equal(joints[0].numpy(), wanted)
    stepped, _ = reference_decode(maps[0], center[0], scale[0], post_process=False)
    assert (np.abs(wanted - stepped).max() > 0) == (2 <= x <= 10 and 2 <= y <= 14)


def test_a_map_without_a_positive_value_has_its_joint_in_the_first_cell_and_keeps_the_value():
    maps = torch.full((1, 2, 4, 4), -0.5)
    maps[0, 1, 2, 3] = 0.0
    cells, values = peaks(maps)
    assert cells.tolist() == [[[0, 0], [0, 0]]]
    assert values.tolist() == [[-0.5, 0.0]]


def test_of_equal_maxima_the_first_in_reading_order_wins():
    maps = torch.zeros(1, 1, 4, 5)
    maps[0, 0, 1, 4] = maps[0, 0, 2, 0] = maps[0, 0, 3, 3] = 2
    assert peaks(maps)[0].tolist() == [[[4, 1]]]


def test_flip_back_mirrors_swaps_the_sides_and_shifts_one_cell_keeping_the_first_column():
    maps = torch.arange(17 * 2 * 4, dtype=torch.float32).reshape(1, 17, 2, 4)
    plain = flip_back(maps, COCO.flip_pairs, shift=False)
    shifted = flip_back(maps, COCO.flip_pairs, shift=True)
    for joint in range(17):
        partner = joint if joint == 0 else (joint + 1 if joint % 2 else joint - 1)
        for row in range(2):
            mirrored = [float(maps[0, partner, row, 3 - column]) for column in range(4)]
            assert plain[0, joint, row].tolist() == mirrored
            assert shifted[0, joint, row].tolist() == [mirrored[0], *mirrored[:3]]


def test_accuracy_measures_x_by_the_height_and_y_by_the_width():
    def accuracy_when_off_by(dx, dy):
        target, output = torch.zeros(1, 1, 60, 40), torch.zeros(1, 1, 60, 40)
        target[0, 0, 30, 20] = output[0, 0, 30 + dy, 20 + dx] = 1
        return pck_accuracy(output, target)

    # Half of 60 / 10 cells in x, half of 40 / 10 in y; the border itself is outside.
    assert accuracy_when_off_by(2, 0) == (1.0, 1)
    assert accuracy_when_off_by(3, 0) == (0.0, 1)
    assert accuracy_when_off_by(0, 1) == (1.0, 1)
    assert accuracy_when_off_by(0, 2) == (0.0, 1)


def test_accuracy_is_a_mean_over_joints_and_leaves_out_targets_near_the_origin():
    target, output = torch.zeros(2, 3, 20, 20), torch.zeros(2, 3, 20, 20)
    target[0, 0, 10, 10] = output[0, 0, 10, 10] = 1  # joint 0: right once,
    target[1, 0, 10, 10] = output[1, 0, 18, 18] = 1  # wrong once
    target[0, 1, 1, 10] = output[0, 1, 1, 10] = 1  # joint 1: too near the top to count
    target[1, 2, 5, 5] = output[1, 2, 5, 5] = 1  # joint 2: right once, absent once
    assert pck_accuracy(output, target) == (0.75, 2)


def test_accuracy_without_any_joint_to_count_is_zero():
    assert pck_accuracy(torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 8)) == (0.0, 0)
