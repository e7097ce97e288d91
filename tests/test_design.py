"""docs/design.md and CONTRIBUTING.md, held against the code: pictures, hops of walks, and what is named."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

from tests import rooms

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
HOP = re.compile(r"(?m)^\d+\. (?P<leap>⇢ )?`(?P<file>[^`:]+)(?::(?P<name>[\w.]+))?` (?P<data>.+)$")
TEXT = rooms.DESIGN.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Hop:
    """One line of a walk."""

    file: Path
    name: str | None  # "Class.function"; None for a file that is no Python
    leaps: bool  # the data comes here by another way than a call

    @property
    def called(self) -> str | None:
        """The word by which other code speaks of it: of its class where Python itself calls it."""
        *owners, last = (self.name or "").split(".")
        return owners[-1] if owners and last.startswith("__") else last

    def __str__(self) -> str:
        return f"{self.file.relative_to(rooms.DESIGN.parent.parent)}:{self.name}"

    def speaks_of(self, other: Hop) -> bool:
        return other.called in words(self.file, self.name)


def walks() -> list[tuple[str, list[Hop]]]:
    section = TEXT.split("\n## Five walks\n")[1].split("\n## ")[0]
    found = []
    for part in section.split("\n### ")[1:]:
        title, _, body = part.partition("\n")
        numbered = [line for line in body.splitlines() if re.match(r"\d+\. ", line)]
        hops = [
            Hop(rooms.DESIGN.parent.parent / hop["file"], hop["name"], bool(hop["leap"]))
            for hop in HOP.finditer(body)
        ]
        assert len(hops) == len(numbered), f"not every hop of {title} can be read"
        found.append((title, hops))
    return found


@lru_cache
def definitions(file: Path) -> dict[str, ast.AST]:
    """Every function and class of a module by its qualified name."""

    def below(node: ast.AST, prefix: str):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, DEFINITIONS):
                yield f"{prefix}{child.name}", child
                yield from below(child, f"{prefix}{child.name}.")

    return dict(below(ast.parse(file.read_text(encoding="utf-8")), ""))


@lru_cache
def words(file: Path, name: str | None) -> frozenset[str]:
    """Every name that a definition speaks of; of a file that is no Python, none."""
    if name is None:
        return frozenset()
    nodes = ast.walk(definitions(file)[name])
    return frozenset(
        node.id if isinstance(node, ast.Name) else node.attr
        for node in nodes
        if isinstance(node, (ast.Name, ast.Attribute))
    )


WALKS = walks()


@pytest.mark.parametrize("package", rooms.GROUPS)
def test_the_picture_of_the_rooms_is_what_they_import(package):
    picture = rooms.picture(package)
    assert rooms.drawn(TEXT, package) == picture, "python -m tests.rooms draws it anew"


@pytest.mark.parametrize("package", rooms.GROUPS)
def test_what_the_arrows_leave_out_follows_from_them(package):
    arrows = re.findall(r"(\w+) -\.?-> (\w+)", rooms.drawn(TEXT, package))
    given: dict[str, set[str]] = {}
    for source, target in arrows:
        given.setdefault(target, set()).add(source)

    def reached(room: str) -> set[str]:
        return set().union(*({one} | reached(one) for one in given.get(room, ())))

    wanted = rooms.imports(rooms.rooms_graph(package)) | rooms.by_name(package)
    names = {(one.split(".")[1].strip("_"), other.split(".")[1].strip("_")) for one, other in wanted}
    assert len(names) > len(arrows) > 15
    for one, other in names:
        assert f"{package}_{other}" in reached(f"{package}_{one}"), f"{one} imports {other}"


@pytest.mark.parametrize("package", rooms.GROUPS)
def test_every_room_is_in_one_group_and_takes_from_none_below(package):
    order = [room for group in rooms.GROUPS[package].values() for room in group]
    graph = rooms.rooms_graph(package)
    assert sorted(order) == sorted(room.rpartition(".")[2] for room in graph.find_children(package))
    groups = {
        f"{package}.{room}": place
        for place, group in enumerate(rooms.GROUPS[package].values())
        for room in group
    }
    backwards = [(one, other) for one, other in rooms.imports(graph) if groups[one] < groups[other]]
    assert backwards == []


@pytest.mark.parametrize(
    ("package", "room", "value"),
    [
        (package, room, value)
        for package, groups in rooms.GROUPS.items()
        for group in groups.values()
        for room, value in group.items()
        if value
    ],
)
def test_the_value_in_a_rooms_picture_is_defined_there(root, package, room, value):
    place = root / package / room
    files = place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]
    assert any(value in definitions(file) for file in files)


@pytest.mark.parametrize("package", rooms.GROUPS)
def test_no_two_public_classes_of_a_package_share_a_name(root, package):
    owners: dict[str, list[str]] = {}
    for file in sorted((root / package).rglob("*.py")):
        for name, node in definitions(file).items():
            if isinstance(node, ast.ClassDef) and not name.startswith("_") and "." not in name:
                owners.setdefault(name, []).append(str(file.relative_to(root)))
    assert len(owners) > 50
    assert {name: files for name, files in owners.items() if len(files) > 1} == {}


def test_there_are_five_walks():
    assert [title.partition(".")[0] for title, _ in WALKS] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("hop", dict.fromkeys(hop for _, hops in WALKS for hop in hops), ids=str)
def test_every_hop_of_a_walk_is_there(hop):
    assert hop.file.is_file()
    assert hop.name in definitions(hop.file) if hop.file.suffix == ".py" else hop.name is None


@pytest.mark.parametrize("hops", [hops for _, hops in WALKS], ids=[title for title, _ in WALKS])
def test_every_hop_of_a_walk_is_called_by_another_or_calls_it(hops):
    """From the first hop and from those with ⇢, all others are reached by what the code itself names."""
    there = [hop for hop in hops if hop.leaps or hop is hops[0]]
    away = [hop for hop in hops if hop not in there]
    while near := [hop for hop in away if any(hop.speaks_of(one) or one.speaks_of(hop) for one in there)]:
        there += near
        away = [hop for hop in away if hop not in near]
    assert [str(hop) for hop in away] == []


@pytest.mark.parametrize("document", ["docs/design.md", "CONTRIBUTING.md"])
def test_every_path_that_a_document_names_is_there(root, document):
    named = re.findall(
        r"`((?:envcheck|pose|tests|recipes|docs|containers)/[\w./-]*)[:`]",
        (root / document).read_text("utf-8"),
    )
    assert len(named) > 10
    assert [path for path in named if not (root / path).exists()] == []


def test_every_command_of_make_that_contributing_names_is_one(root):
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    there = set(re.findall(r"(?m)^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8")))
    named = set(re.findall(r"(?m)(?:^|`|&& )make ([a-z-]+)", text))
    assert named >= {"test", "test-all", "lint", "format", "test-engines"}
    assert named <= there
