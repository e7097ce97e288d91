"""The rooms of envcheck and pose as a picture, drawn from what their modules really import.

`python -m tests.rooms` draws docs/design.md's pictures anew; test_design.py fails while they differ. What is
written by hand is how the rooms are grouped, and the one value by which each is known to the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import grimp

from pose.command.arguments import STAGES

DESIGN = Path(__file__).resolve().parent.parent / "docs" / "design.md"
# What is read goes down this list: a room has its values from rooms of its own group and of those above.
GROUPS: dict[str, dict[str, dict[str, str]]] = {
    "envcheck": {
        "everybody's": {
            "errors": "EnvcheckError",
            "versions": "Spelled",
            "documents": "",
            "paths": "",
            "digests": "",
            "symptoms": "Symptom",
            "relay": "Relay",
            "processes": "Outcome",
        },
        "what is here": {"engine": "Ended", "host": "Host"},
        "what fits, and what is chosen": {
            "compat": "Reason",
            "recipes": "Recipe",
            "choice": "Choice",
            "situation": "Situation",
        },
        "where it runs": {"uv": "PinnedWheel", "locks": "Resolved", "environments": "Place"},
        "what is asked of it": {
            "doctor": "Finding",
            "runs": "Record",
            "bundle": "Manifest",
            "repeat": "Replay",
            "explain": "Explanation",
            "measure": "Measured",
            "trials": "Visit",
            "audit": "Result",
            "data": "Got",
            "cache": "Contents",
            "sbom": "",
        },
        "what people meet": {"report": "", "cli": ""},
    },
    "pose": {
        "everybody's": {
            "errors": "PoseError",
            "digests": "",
            "writing": "",
            "report": "Result",
            "average": "Average",
        },
        "who is in which picture": {"data": "Record", "drawn": "Figure"},
        "what was asked for": {"command": "Config"},
        "what learns, and on what": {"networks": "PoseResNet", "machines": "Devices"},
        "what is found, and how good it is": {
            "judging": "Found",
            "predicting": "Seen",
            "telling": "Journal",
            "faults": "Finding",
        },
        "what can be asked": {"stages": "", "__main__": "", "launch": ""},
    },
}


def rooms_graph(package: str) -> grimp.ImportGraph:
    """The rooms of a package and who imports whom: the package's own modules, each with all below it."""
    graph = grimp.build_graph(package, cache_dir=None)
    for room in graph.find_children(package):
        graph.squash_module(room)
        graph.remove_import(importer=room, imported=package)  # its version number, which anybody may ask for
        graph.remove_import(importer=room, imported=room)  # what squashing leaves of a package's own imports
    return graph


def imports(graph: grimp.ImportGraph) -> set[tuple[str, str]]:
    """Every pair of rooms (who imports, what)."""
    return {(one, other) for one in graph.modules for other in graph.find_modules_directly_imported_by(one)}


def by_name(package: str) -> set[tuple[str, str]]:
    """The rooms that pose's command line imports by a name, when it is called: those of its stages."""
    if package != "pose":
        return set()
    modules = {stage.module for stage in STAGES}
    return {("pose.__main__", ".".join(module.split(".")[:2])) for module in modules}


def needed(graph: grimp.ImportGraph) -> list[tuple[str, str]]:
    """The imports without those that follow from others: the fewest arrows that say the same."""
    kept = []
    for one, other in sorted(imports(graph)):
        graph.remove_import(importer=one, imported=other)
        if not graph.chain_exists(importer=one, imported=other):
            graph.add_import(importer=one, imported=other)
            kept.append((one, other))
    return kept


def picture(package: str) -> str:
    """The mermaid text: an arrow leads from a room to the room that takes its values."""
    graph, late = rooms_graph(package), by_name(package)
    for one, other in late:
        graph.add_import(importer=one, imported=other)
    return "\n".join([*_groups(package), *_arrows(package, needed(graph), late)])


def _groups(package: str) -> Iterator[str]:
    yield "flowchart TD"
    for number, (title, rooms) in enumerate(GROUPS[package].items()):
        yield f'  subgraph {package}{number}["{title}"]'
        for room, value in rooms.items():
            label = f"{room}<br/><i>{value}</i>" if value else room
            yield f'    {_id(package, room)}["{label}"]'
        yield "  end"


def _arrows(package: str, pairs: list[tuple[str, str]], late: set[tuple[str, str]]) -> Iterator[str]:
    for one, other in sorted(pairs, key=lambda pair: (pair[1], pair[0])):
        line = "-.->" if (one, other) in late else "-->"
        here, there = (_id(package, room.partition(".")[2]) for room in (other, one))
        yield f"  {here} {line} {there}"


def _id(package: str, room: str) -> str:
    """A node's name; mermaid has words of its own, and underscores at the ends mean something there."""
    return f"{package}_{room.strip('_')}"


def drawn(text: str, package: str) -> str:
    """The picture of a package as it stands in a document."""
    found = _block(package).search(text)
    assert found is not None, f"no picture of {package}"
    return found["picture"]


def redrawn(text: str) -> str:
    """The document with its pictures as they should be."""
    for package in GROUPS:
        text = _block(package).sub(
            lambda found, package=package: found["before"] + picture(package) + found["after"], text
        )
    return text


def _block(package: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?P<before><!-- rooms of {package} -->\n```mermaid\n)(?P<picture>.*?)(?P<after>\n```)", re.DOTALL
    )


if __name__ == "__main__":
    DESIGN.write_text(redrawn(DESIGN.read_text(encoding="utf-8")), encoding="utf-8")
