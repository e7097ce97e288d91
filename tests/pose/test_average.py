"""A running mean and what it shows where there is none."""

from __future__ import annotations

import pytest

from pose.average import Average


def test_a_mean_is_weighted_and_values_over_nothing_change_it_not():
    average = Average()
    assert average.shown(3) == "- (-)"
    average.add(0.5, 1)
    average.add(0.25, 3)
    assert average.mean == pytest.approx(0.3125)
    assert average.shown(4) == "0.2500 (0.3125)"
    average.add(0.0, 0)
    assert average.shown(4) == "- (0.3125)"
