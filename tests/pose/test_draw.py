"""Drawn skeletons: looked at by their pixels."""

from __future__ import annotations

from dataclasses import replace

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
pytest.importorskip("cv2", reason="needs the pose extra")

from pose.data.joints import COCO, MPII  # noqa: E402
from pose.telling.draw import LEFT, MIDDLE, PAPER, RIGHT, draw_people, joint_colour, limb_colour, sheet  # noqa: E402


def picture(height=200, width=150):
    return np.full((height, width, 3), 90, dtype=np.uint8)


def standing(*, shown=range(17)):
    """One person whose left side is at x = 100 and whose right side is at x = 50."""
    keypoints = np.zeros((1, 17, 3))
    for joint in range(17):
        side = 75 if joint == 0 else (100 if joint % 2 else 50)
        keypoints[0, joint] = side, 10 + 11 * joint, 0.9 if joint in shown else 0.1
    return keypoints


def near(image, point, colour, reach=3):
    """True if the colour is at the point, give or take `reach` pixels."""
    x, y = point
    around = image[y - reach : y + reach + 1, x - reach : x + reach + 1].astype(int)
    return bool((np.abs(around - colour).max(axis=-1) < 12).any())


def test_the_left_side_is_warm_the_right_cool_and_what_joins_them_green():
    drawn = draw_people(picture(), standing(), threshold=0.2)
    assert near(drawn, (100, 10 + 11 * 12), LEFT)  # left hip to left knee
    assert near(drawn, (50, 10 + 11 * 13), RIGHT)
    assert near(drawn, (75, 10 + int(11 * 5.5)), MIDDLE)  # between the shoulders


@pytest.mark.parametrize(
    ("limb", "colour"), [((5, 7), LEFT), ((6, 8), RIGHT), ((5, 6), MIDDLE), ((0, 1), LEFT), ((2, 0), RIGHT)]
)
def test_limbs_take_the_colour_of_their_side(limb, colour):
    assert limb_colour(COCO, *limb) == colour


def test_mpii_s_limbs_have_their_sides_colours():
    """The left side at x = 100, the right one at 50, the middle between; each joint at its own height."""
    keypoints = np.ones((1, 16, 3))
    for joint, name in enumerate(MPII.names):
        keypoints[0, joint, :2] = {"l": 100, "r": 50}.get(name[0], 75), 12 + 11 * joint
    drawn = draw_people(picture(), keypoints, threshold=0.2, joints=MPII)
    for a, b, colour in ((0, 1, RIGHT), (10, 11, RIGHT), (14, 15, LEFT), (3, 4, LEFT), (6, 7, MIDDLE)):
        x, y = keypoints[0, [a, b], :2].mean(axis=0)
        assert near(drawn, (int(x), int(y)), colour), (a, b)


def test_warm_is_more_red_than_blue_and_cool_the_other_way_round():
    blue, _, red = LEFT
    assert red > blue
    blue, _, red = RIGHT
    assert blue > red


def test_the_nose_belongs_to_no_side():
    assert [joint_colour(COCO, joint) for joint in (0, 15, 16)] == [MIDDLE, LEFT, RIGHT]


def test_joints_under_the_threshold_and_their_limbs_are_not_drawn():
    everything = draw_people(picture(), standing(), threshold=0.2)
    armless = draw_people(picture(), standing(shown=set(range(17)) - {9}), threshold=0.2)
    changed = (everything != armless).any(axis=-1)
    assert changed.any()
    _, columns = np.nonzero(changed)
    assert columns.min() > 80  # the left wrist alone, on its own side
    untouched = draw_people(picture(), standing(shown=()), threshold=0.2)
    np.testing.assert_array_equal(untouched, picture())


def test_a_joint_exactly_at_the_threshold_is_hidden():
    keypoints = standing()
    np.testing.assert_array_equal(draw_people(picture(), keypoints, threshold=0.9), picture())


def test_larger_people_get_stronger_lines():
    small, large = standing(), standing()
    small[..., :2] *= 0.4
    large[..., :2] *= 4

    def width_of_the_left_thigh(keypoints):
        drawn = draw_people(
            picture(900, 700), keypoints, threshold=0.2, joints=replace(COCO, skeleton=((11, 13),))
        )
        row = round(float(keypoints[0, 11, 1] + keypoints[0, 13, 1]) / 2)
        return int((np.abs(drawn[row].astype(int) - LEFT).max(axis=-1) < 12).sum())

    assert width_of_the_left_thigh(large) > 2 * width_of_the_left_thigh(small) > 0


def test_the_picture_itself_stays_clean_and_zoom_moves_the_skeleton_along():
    image = picture()
    drawn = draw_people(image, standing(), threshold=0.2, zoom=2)
    np.testing.assert_array_equal(image, picture())
    assert drawn.shape == (400, 300, 3)
    assert near(drawn, (200, 2 * (10 + 11 * 12)), LEFT)


def test_people_outside_the_picture_are_no_trouble():
    far = standing()
    far[..., :2] += 5000
    np.testing.assert_array_equal(draw_people(picture(), far, threshold=0.2), picture())


def test_a_sheet_holds_every_tile_whole_in_rows_with_captions_below():
    tiles = [np.full((20 + 10 * i, 30, 3), 10 * (i + 1), dtype=np.uint8) for i in range(5)]
    page = sheet(tiles, 2, ["a", "b", "c", "d", "e"])
    for value, tile in zip(range(10, 60, 10), tiles, strict=True):
        assert (page == value).all(axis=-1).sum() >= tile.shape[0] * tile.shape[1]
    assert page.shape[0] > 3 * 60
    assert (page[0] == PAPER).all()


def test_captions_leave_room_only_where_there_are_any():
    tiles = [picture(20, 20)] * 2
    assert sheet(tiles, 2).shape[0] < sheet(tiles, 2, ["one", "two"]).shape[0]
