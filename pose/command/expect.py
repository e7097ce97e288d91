"""`test --expect`: the figure that a test must reach, told before the work, held against it after.

Knows the numbers of a test by name only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pose.command.arguments import Arguments
from pose.command.config import Config
from pose.command.published import Known, Published, listed, nearest
from pose.errors import FAILED, PoseError

TOLERANCE = 0.002  # of the whole scale, either way: a published figure is rounded, and libraries differ
SCORES = {"coco": ("AP", 1.0), "mpii": ("Mean", 100.0)}  # the number that counts, and the most it can be


@dataclass(frozen=True)
class Expectation:
    """What a metric should be, where that figure is from, and how far off it may be."""

    metric: str
    figure: float
    source: str
    tolerance: float

    def hold(self, metrics: Mapping[str, float]) -> None:
        """Nothing, or a PoseError of exit code 1 that names both figures."""
        found = metrics[self.metric]
        apart = abs(found - self.figure)
        if round(apart, 9) > self.tolerance:  # 0.704 - 0.702 is a little more than 0.002 in binary
            side = "below" if found < self.figure else "above"
            raise PoseError(
                f"{self.metric} {found:.5f} is {apart:.5f} {side} {self.figure:g}, the figure {self.source}; "
                f"--expect allows {self.tolerance:g}",
                "table and results file are complete; other weights, boxes or pictures give other figures",
                FAILED,
            )


def expectation(arguments: Arguments, config: Config, known: Known | None) -> Expectation | None:
    """What `--expect` asks for, or None without it.

    Raises:
        PoseError: where there is nothing to hold the test against, or only a figure of another test; with the
            changes that would make it comparable.
    """
    if not arguments.expects:
        return None
    metric, most = SCORES[config.DATASET.DATASET]
    if "test" in config.DATASET.TEST_SET:
        raise PoseError(
            f"--expect: there will be no {metric}, the truth of {config.DATASET.TEST_SET} is not public",
            f"DATASET.TEST_SET {nearest(config)[0].conditions['DATASET.TEST_SET']}",
        )
    figure = arguments.expected_figure
    if figure is None:
        row = _comparable(config, known)
        return Expectation(metric, row.metrics[metric], f"published for {row.name}", TOLERANCE * most)
    if figure > most:
        raise PoseError(f"--expect {figure:g}: {metric} is at most {most:g}", f"--expect {figure / 100:g}")
    return Expectation(metric, figure, "given", TOLERANCE * most)


def _comparable(config: Config, known: Known | None) -> Published:
    if known is None:
        row, unlike = nearest(config)
        raise PoseError(
            f"--expect: nothing is published for this config; of {row.name}, the nearest, {listed(unlike)}",
            "--expect FIGURE holds the test against a figure of yours",
        )
    if known.differences:
        raise PoseError(
            f"--expect: {known.row.name} is published under other conditions: {listed(known.differences)}",
            " ".join(difference.change for difference in known.differences),
        )
    return known.row
