"""The table of checks in docs/checks.md, made from the checks and from the cases they are tried on.

`python -m tests.doctor.table` writes it anew.
"""

from __future__ import annotations

from pathlib import Path

from envcheck.doctor.checks.on_request import ALL
from envcheck.symptoms import SYMPTOMS
from tests.doctor.cases import Case, cases

FILE = Path(__file__).parents[2] / "docs" / "checks.md"

_HEAD = """# What doctor checks

One line for each check: its id, the worst it can say, what is so when all is well, and on which
machines the answer is tested (`tests/doctor/cases/`; the machines lie in `tests/hosts/`, `+` is one
with a fact changed, and in brackets stands a repository of `tests/doctor/projects/`). A check that is
*seen in logs* shares its words with `envcheck explain` ([symptoms.md](symptoms.md)).

Made by `python -m tests.doctor.table`; a test holds it against the checks.

| id | worst | all is well when | in trouble on | fine on | cannot be known on | seen in logs |
| --- | --- | --- | --- | --- | --- | --- |
"""


def table() -> str:
    """Return the file's text."""
    tried = cases()
    in_logs = {symptom.id for symptom in SYMPTOMS}
    lines = []
    for check in ALL:
        own = [case for case in tried if case.check == check.id]
        cells = (
            f"`{check.id}`",
            check.worst,
            check.title,
            _machines(own, "error", "warn", "info"),
            _machines(own, "ok", "skip"),
            _machines(own, "unknown"),
            "yes" if check.id in in_logs else "",
        )
        lines.append(f"| {' | '.join(cells)} |\n")
    return _HEAD + "".join(lines)


def _machines(own: list[Case], *wanted: str) -> str:
    told = (_told(case) for status in wanted for case in own if case.status == status)
    return "; ".join(dict.fromkeys(told))


def _told(case: Case) -> str:
    if case.never:
        return case.never
    changed = " +" if case.changes or case.without else ""
    return case.host + changed + (f" ({case.project})" if case.project else "")


if __name__ == "__main__":
    FILE.write_text(table(), encoding="utf-8")
