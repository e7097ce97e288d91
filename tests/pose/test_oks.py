"""Similarity and suppression: numbers worked out by hand from behaviour.md section 11."""

from __future__ import annotations

import pytest

np = pytest.importorskip("numpy", reason="needs the pose extra")
pytest.importorskip("cv2", reason="needs the pose extra")
pytest.importorskip("pycocotools", reason="needs the pose extra")

from pose.judging.oks import oks_matrix, oks_nms, soft_oks_nms  # noqa: E402
from tests.pose import reference  # noqa: E402


def people(*offsets):
    """One pose, moved to the right by each offset; the third number is nobody's business here."""
    base = np.random.default_rng(0).uniform(0, 100, (17, 3)).astype(np.float32)
    return np.stack([base + np.float32([offset, 0, 0]) for offset in offsets])


def test_similarity_is_the_mean_over_all_seventeen_joints_with_the_two_areas_averaged():
    poses, areas = people(0, 5), np.array([1000.0, 3000.0])
    by_hand = np.mean([np.exp(-25 / ((2 * sigma) ** 2 * 2000 * 2)) for sigma in reference.SIGMAS])
    matrix = oks_matrix(poses, areas)
    assert matrix[0, 1] == pytest.approx(by_hand, rel=1e-5)
    assert matrix[0, 1] == matrix[1, 0]
    assert matrix[0, 0] == 1


def test_who_is_too_similar_to_a_better_one_goes_and_the_rest_come_best_first():
    poses, areas = people(0, 0.5, 300), np.full(3, 5000.0)
    assert oks_nms(poses, np.array([0.3, 0.9, 0.5]), areas, 0.9) == [1, 2]


def test_similarity_equal_to_the_threshold_is_kept():
    poses, areas = people(0, 3), np.full(2, 2000.0)
    limit = oks_matrix(poses, areas)[0, 1]
    assert oks_nms(poses, np.array([0.9, 0.8]), areas, limit) == [0, 1]
    assert oks_nms(poses, np.array([0.9, 0.8]), areas, np.nextafter(limit, 0)) == [0]


def test_a_suppressed_person_suppresses_nobody():
    # 0 removes 1; 2 is similar to 1 alone, so it stays.
    poses, areas = people(0, 4, 8), np.full(3, 5000.0)
    matrix = oks_matrix(poses, areas)
    threshold = (matrix[0, 1] + matrix[0, 2]) / 2
    assert oks_nms(poses, np.array([0.9, 0.8, 0.7]), areas, threshold) == [0, 2]


def test_of_equal_scores_the_later_person_comes_first_as_upstream_s_reversed_sort_has_it():
    poses, areas = people(0, 300, 600), np.full(3, 5000.0)
    assert oks_nms(poses, np.array([0.5, 0.5, 0.5]), areas, 0.9) == [2, 1, 0]


def test_soft_suppression_reorders_by_lowered_scores_and_drops_nobody_below_twenty():
    # The double of the best has 0.8, lowered to 0.8 exp(-1 / 0.9) = 0.26: it falls behind 0.5.
    poses, areas = people(0, 0, 300), np.full(3, 5000.0)
    assert soft_oks_nms(poses, np.array([0.9, 0.8, 0.5]), areas, 0.9) == [0, 2, 1]


def test_soft_suppression_keeps_at_most_twenty():
    poses, areas = people(*np.arange(30) * 500.0), np.full(30, 5000.0)
    assert len(soft_oks_nms(poses, np.linspace(1, 0.1, 30), areas, 0.9)) == 20


@pytest.mark.parametrize("threshold", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("seed", range(8))
def test_a_crowd_keeps_whom_the_reference_keeps(seed, threshold):
    # Forty poses around ten people, so that some are doubles and most are not.
    draw = np.random.default_rng(seed)
    owner = draw.integers(0, 10, 40)
    poses = draw.uniform(0, 300, (10, 17, 3))[owner] + draw.normal(0, 6, (40, 17, 3))
    poses, scores, areas = poses.astype(np.float32), draw.random(40), draw.uniform(2e3, 2e4, 40)
    kept = oks_nms(poses, scores, areas, threshold)
    assert kept == reference.suppressed(poses, scores, areas, threshold)
    assert len(kept) < 40 or threshold == 0.9
    assert soft_oks_nms(poses, scores, areas, threshold) == reference.softly_suppressed(
        poses, scores, areas, threshold
    )
