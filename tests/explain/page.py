"""docs/symptoms.md: `python -m tests.explain.page > docs/symptoms.md` writes it anew."""

from __future__ import annotations

import sys

from envcheck.symptoms import SYMPTOMS, Symptom

HEAD = """# What `envcheck explain` knows

In this order, the most fundamental first: what a line shows is the first that it has a text of, and what
is said to follow from something else is folded under it where both are seen. `...` stands for anything
within the line. This page is made from `envcheck/symptoms/`; a test keeps them the same.
"""


def page() -> str:
    """Return the page."""
    return "\n".join((HEAD, *map(_section, SYMPTOMS)))


def _section(one: Symptom) -> str:
    commands = ["", *(f"    $ {command}" for command in one.fix.commands)] if one.fix.commands else []
    follows = ["", f"Follows from {', '.join(one.caused_by)}."] if one.caused_by else []
    texts = ["", *(f"    {text}" for text in one.in_log), ""]
    return "\n".join(
        (
            *(f"## {one.id}", "", f"{one.title}. {one.why}".rstrip(), "", one.fix.text),
            *(*commands, *follows, "", "Texts:", *texts),
        )
    )


if __name__ == "__main__":
    sys.stdout.write(page())
