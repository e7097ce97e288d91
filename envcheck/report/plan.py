"""The plan, for people: what was done, then the steps that are left, the primary cause's first."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from envcheck.doctor.plan import Done, FixPlan, Step
from envcheck.report.disarm import few, one_line
from envcheck.report.page import demands


def plan_screen(plan: FixPlan) -> RenderableType:
    """Return the plan; each command stands on a line of its own, to be copied."""
    lines: list[RenderableType] = [line for one in plan.done for line in _done(one)]
    if plan.done:
        lines += [Text(f"  changed: {one_line(one)}") for one in plan.changed]
        lines += [] if plan.changed else [Text("  changed: nothing that a check sees")]
        lines += [Text("")]
    if not plan.steps:
        return Group(*lines, Text("Plan:  nothing to mend."))
    lines += [Text("Plan:", style="bold")]
    for number, step in enumerate(plan.steps, 1):
        lines += _step(number, step)
    if plan.actions:
        lines += [Text(""), Text("envcheck doctor --fix --yes takes the steps marked envcheck.")]
    else:
        lines += [Text(""), Text("No step is one that envcheck takes itself; the commands are yours.")]
    return Group(*lines)


def _step(number: int, step: Step) -> list[RenderableType]:
    fix = step.fix
    asks = demands(fix) or ("no root, and it can be undone" if fix.action is not None else "")
    who = [f"by {'envcheck' if step.by_envcheck else 'you'}", asks]
    who += [f"{step.follows_from} explains it, and may be all"] if step.follows_from else []
    lines: list[RenderableType] = [
        Text.assemble(
            f"{number:3}. ", (one_line(step.title), "bold"), (f"   {', '.join(step.findings)}", "dim")
        ),
        Padding(Text(one_line(fix.text)), (0, 0, 0, 5)),
        Padding(Text("; ".join(filter(None, who)), style="cyan"), (0, 0, 0, 5)),
        *(_whole(f"     {command}") for command in few(fix.commands)),
    ]
    if fix.action is not None:
        lines.append(_whole(f"     undone by: {one_line(fix.action.undo)}"))
    return lines


def _done(one: Done) -> list[Text]:
    words = one_line(one.action.words)
    if one.failure:
        return [Text(f"Tried to {words}: {one_line(one.failure)}")]
    return [Text(f"Done: {words}"), _whole(f"  undone by: {one_line(one.action.undo)}")]


def _whole(line: str) -> Text:
    """Return a line that is not broken: what is copied from the screen stays one."""
    return Text(line, no_wrap=True, overflow="ignore")
