"""The page of an explained log: each cause with its place, the way out, and what follows from it."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from envcheck.explain.explain import Cause, Explanation
from envcheck.explain.scan import MOST
from envcheck.report.finding import MARKS, rows, told


def explain_screen(explanation: Explanation) -> RenderableType:
    """Return the explanation for people."""
    lines = f"{explanation.lines:,} line{'s' if explanation.lines != 1 else ''}"
    if not explanation.causes:
        mark, style = MARKS["unknown"]
        return Text.assemble((f"{mark} ", style), f"{lines}, and none shows a failure that is known here")
    parts: list[RenderableType] = []
    for cause in explanation.roots:
        parts += [_cause(cause, explanation), ""]
    mark, style = MARKS["error"]
    parts.append(Text.assemble((f"{mark} ", style), f"{_count(explanation)}, in {lines}"))
    return Group(*parts)


def _cause(cause: Cause, explanation: Explanation) -> RenderableType:
    at_least = "at least " if cause.times >= MOST else ""
    again = f"and {at_least}{cause.times - 1:,} more" if cause.times > 1 else ""
    return told(
        "error",
        cause.title,
        cause.id,
        rows=(*rows(f"line {cause.line:,}", cause.said, again), *rows("why", cause.cause)),
        fix=cause.fix,
        link=cause.link,
        followers=[f"{one.title} (line {one.line:,})" for one in explanation.consequences(cause)],
    )


def _count(explanation: Explanation) -> str:
    causes = len(explanation.roots)
    following = len(explanation.causes) - causes
    follows = f", {following} that follow{'s' if following == 1 else ''}" if following else ""
    return f"{causes} cause{'s' if causes > 1 else ''}{follows}"
