"""Stage `check-data`: everything that is wrong with a dataset, in one table, before a training meets it.

Shows what the check of the dataset's kind finds. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from pose.command.arguments import Arguments
from pose.errors import FAILED, PoseError
from pose.faults import coco_check, mpii_check
from pose.faults.data_checks import Finding
from pose.report import Result, data

CHECKS = {"coco": coco_check.check_set, "mpii": mpii_check.check_set}  # by DATASET.DATASET
EXAMPLES = 3
LONGEST = 300


def run(arguments: Arguments, result: Result) -> None:
    """Prints the table, and stops with exit code 1 where there is an error in it."""
    config, _ = arguments.configuration
    check_set = CHECKS[config.DATASET.DATASET]
    findings: list[Finding] = []
    for image_set in dict.fromkeys((config.DATASET.TRAIN_SET, config.DATASET.TEST_SET)):
        findings += check_set(config, image_set, is_decoding="--decode" in arguments.values)
    for line in table(findings):
        data(line)
    errors = sum(finding.is_error for finding in findings)
    remarks = len(findings) - errors
    result.metrics = {"errors": float(errors), "remarks": float(remarks)}
    data(f"{_counted(errors, 'error')}, {_counted(remarks, 'remark')}")
    if errors:
        raise PoseError(
            f"{_counted(errors, 'error')} in {config.DATASET.ROOT} would stop or spoil a training",
            "the table names the first of each kind; remarks do no harm",
            FAILED,
        )


def table(findings: Iterable[Finding]) -> list[str]:
    """Errors first: how many of a kind, and the first few of them; nothing where nothing was found."""
    kinds: dict[tuple[bool, str], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((not finding.is_error, finding.kind), []).append(finding)
    width = max((len(kind) for _, kind in kinds), default=0)
    lines = []
    for (is_remark, kind), members in sorted(kinds.items(), key=lambda item: item[0][0]):
        head = f"{'remark' if is_remark else 'error':<7} {kind:<{width}} {len(members):>7}"
        for member in members[:EXAMPLES]:
            lines.append(_plain(f"{head}   {member.where}: {member.what}"))
            head = " " * len(head)
        if len(members) > EXAMPLES:
            lines.append(f"{head}   ...")
    return lines


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _plain(line: str) -> str:
    """Names out of files cannot move the cursor or fill the screen."""
    shown = "".join(character if character.isprintable() else "?" for character in line)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
