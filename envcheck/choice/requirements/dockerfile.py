"""Reads a Dockerfile: the image that its last stage starts from, and what its RUN lines install.

A stage that starts from another is followed to it; stages that only lend files are not read. Nothing is
executed: of a RUN line, `pip install` and `conda install` are read where they are plain words, and a
requirements file that they name is read where it lies beside the Dockerfile.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from packaging.specifiers import SpecifierSet

from envcheck.choice.requirements import pip
from envcheck.choice.requirements.asked import Said
from envcheck.choice.requirements.conda import read_specs
from envcheck.choice.wishes import Wishes, specifier, torch_wish
from envcheck.errors import UsageError

_VARIABLE = re.compile(r"\$(?:(?P<bare>\w+)|\{(?P<name>\w+)(?::?-(?P<default>[^${}]*))?\})")
_HEREDOC = re.compile(r"<<-?(['\"]?)(\w+)\1")
_INSTALLS = re.compile(r"\b(?:pip[\d.]*|conda|mamba)\b.*\binstall\b", re.DOTALL)
_MAX_EXPANDED = 20_000

# The images whose name says something: "pytorch/pytorch:1.13.1-cuda11.6-cudnn8-runtime".
_PYTORCH = re.compile(r"(?P<torch>\d+(?:\.\d+){1,3})-cuda(?P<cuda>\d+(?:\.\d+){1,2})(?:-.*)?")
_NUMBER = re.compile(r"(?P<version>\d+(?:\.\d+){0,3})(?:-.*)?")


@dataclass(frozen=True, slots=True)
class _Instruction:
    line: int
    name: str  # "RUN"
    text: str


@dataclass(slots=True)
class _Stage:
    """A FROM line and what follows it; the image is written as it stands once its variables are filled in."""

    start: _Instruction
    image: str
    parent: _Stage | None
    instructions: list[_Instruction] = field(default_factory=list)


def read_dockerfile(text: str, path: Path, python: str, within: Path | None = None) -> Iterator[Said]:
    """Yield what a Dockerfile says. Raises `UsageError`."""
    beside = pip.outermost(path, python, within)
    given: dict[str, str] = {}
    stages = _stages(_instructions(text), str(path), given)
    chain: list[_Stage] = []
    stage = stages[-1] if stages else None
    while stage is not None:
        chain.append(stage)
        stage = stage.parent
    variables: dict[str, str] = {}
    for one in reversed(chain):
        if one.parent is None:
            if not one.image or "$" in one.image:
                hint = "Give its ARG a default, as in ARG TAG=1."
                raise UsageError(f"{path}:{one.start.line}: FROM {one.start.text:.200} names no image", hint)
            where = f"{path}:{one.start.line}"
            said = about_image(one.image, f"{where}: FROM {one.image}")
            yield replace(said, line=f"{where}: FROM {one.start.text}")
        for instruction in one.instructions:
            where = f"{path}:{instruction.line}"
            if instruction.name in ("ARG", "ENV"):
                variables.update(_assignments(instruction, variables, given, where))
            elif instruction.name == "RUN":
                yield from _read_run(_fill(instruction.text, variables, where), where, beside)


def about_image(image: str, origin: str) -> Said:
    """Return what the name of a base image says of torch, CUDA and Python."""
    name, _, tag = image.partition("@")[0].rpartition(":")
    if not name or "/" in tag:  # no tag, or the colon of a registry's port
        name, tag = image.partition("@")[0], ""
    owner_and_name = "/".join(name.split("/")[-2:])
    base = Wishes(base_image=image)
    pytorch, number = _PYTORCH.fullmatch(tag), _NUMBER.fullmatch(tag)
    if owner_and_name == "pytorch/pytorch" and pytorch:
        torch, _ = torch_wish(pytorch["torch"], origin)
        base = replace(base, torch=torch, cuda=_minor(pytorch["cuda"], origin))
    elif owner_and_name == "nvidia/cuda" and number:
        base = replace(base, cuda=_minor(number["version"], origin))
    elif owner_and_name in ("python", "library/python") and number:
        base = replace(base, python=_minor(number["version"], origin))
    elif "pytorch" in name:
        origin = f"{origin} (which torch and CUDA are in this image, its name does not say)"
    return Said(origin=origin, wishes=base, by="base")


def _minor(version: str, origin: str) -> SpecifierSet:
    """Return "11.8.0", or "11.8", as every 11.8.x."""
    return specifier(origin, ".".join(version.split(".")[:2]))


def _stages(instructions: Iterator[_Instruction], path: str, given: dict[str, str]) -> list[_Stage]:
    """Return the stages; `given` gets what the ARG lines before the first of them say."""
    stages: list[_Stage] = []
    named: dict[str, _Stage] = {}
    for one in instructions:
        where = f"{path}:{one.line}"
        if one.name == "FROM":
            filled = (word for word in _fill(one.text, given, where).split() if not word.startswith("--"))
            image, _, name, *_ = *filled, "", "", ""  # FROM image AS name
            stage = _Stage(one, image, named.get(image.lower()))
            stages.append(stage)
            if name:
                named[name.lower()] = stage
        elif stages:
            stages[-1].instructions.append(one)
        elif one.name == "ARG":
            given.update(_assignments(one, given, {}, where))
    return stages


def _instructions(text: str) -> Iterator[_Instruction]:
    """Yield the instructions, continuations joined; of here-documents, those of a RUN line are its text."""
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        parts = [line.strip()]
        if not parts[0] or parts[0].startswith("#"):
            continue
        while parts[-1].endswith("\\"):
            parts[-1] = parts[-1].removesuffix("\\")
            # Comments and empty lines do not end an instruction.
            following = (inner.strip() for _, inner in lines)
            parts.append(next((one for one in following if one and not one.startswith("#")), ""))
        name, _, rest = " ".join(parts).partition(" ")
        documents = [found[2] for found in _HEREDOC.finditer(rest)] if name.upper() in ("RUN", "COPY") else []
        body: list[str] = []
        for document in documents:
            for _, inner in lines:
                if inner.strip() == document:
                    break
                body.append(inner)
        is_script = rest.lstrip().startswith("<<")
        yield _Instruction(number, name.upper(), "\n".join(body) if is_script else rest.strip())


def _assignments(
    instruction: _Instruction, variables: dict[str, str], given: dict[str, str], where: str
) -> dict[str, str]:
    """Return what an ARG or ENV line sets; an ARG without a value has that of the ARG before the stages."""
    try:
        words = shlex.split(instruction.text)
    except ValueError:
        words = instruction.text.split()
    if instruction.name == "ENV" and words and "=" not in words[0]:
        words = [f"{words[0]}={' '.join(words[1:])}"]  # ENV NAME a value
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            found[name] = _fill(value, {**variables, **found}, where)
        elif name in given:
            found[name] = given[name]
    return found


def _fill(text: str, variables: dict[str, str], where: str) -> str:
    """Return a text with the variables that are known; others stay as they are written."""
    length = 0

    def value(found: re.Match[str]) -> str:
        nonlocal length
        known = variables.get(found["bare"] or found["name"]) or found["default"]
        length += len(known or "")
        if length > _MAX_EXPANDED:
            raise UsageError(f"{where}: variables of more than {_MAX_EXPANDED} characters")
        return found[0] if known is None else known

    return _VARIABLE.sub(value, text)


def _read_run(text: str, where: str, beside: pip.Context) -> Iterator[Said]:
    commands = list(_commands(text))
    if not commands and _INSTALLS.search(text):
        yield Said(origin=f"{where}: RUN {text:.200} (not read)", is_read=False)
    for words in commands:
        for number, word in enumerate(words[:-1]):
            program = PurePosixPath(word).name
            if re.fullmatch(r"pip[\d.]*", program) and words[number + 1] == "install":
                yield from _read_pip(words[number + 2 :], where, beside)
                break
            if program in ("conda", "mamba", "micromamba") and words[number + 1] in ("install", "create"):
                yield from _read_conda(words[number + 2 :], where)
                break


def _commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command of a RUN line; nothing where a shell would be needed to split them."""
    try:
        if text.startswith("["):
            words = json.loads(text)
            yield [word for word in words if isinstance(word, str)]
            return
    except (ValueError, RecursionError):
        return
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.commenters = ""
        command: list[str] = []
        try:
            for word in lexer:
                if set(word) <= set("();<>|&"):
                    yield command
                    command = []
                else:
                    command.append(word)
        except ValueError:
            return
        yield command


def _read_pip(words: list[str], where: str, beside: pip.Context) -> Iterator[Said]:
    context = replace(beside, seen=set(beside.seen))  # each command installs on its own
    for option, value in pip.arguments(words):
        is_file = option in ("-r", "--requirement", "-c", "--constraint")
        is_plain = not is_file or _lies_beside(beside.files[0], value)
        if "$" in value or "`" in value or not is_plain:
            yield Said(origin=f"{where}: pip install {option} {value} (not read)", is_read=False)
        else:
            yield from pip.read_words([option, value] if option else [value], where, context)


def _lies_beside(path: Path, name: str) -> bool:
    """Say whether a file that a RUN line names is one that the Dockerfile's own folder has."""
    return not name.startswith("/") and ".." not in name and pip.is_file(path.parent / name)


def _read_conda(words: list[str], where: str) -> Iterator[Said]:
    rest = iter(words)
    specs = []
    for word in rest:
        if word in ("--file", "-f"):
            yield Said(origin=f"{where}: conda {word} {next(rest, ''):.200} (not read)", is_read=False)
        elif word in ("-c", "--channel", "-n", "--name", "-p", "--prefix"):
            next(rest, "")
        elif "$" in word or "`" in word:
            yield Said(origin=f"{where}: conda {word:.200} (not read)", is_read=False)
        elif not word.startswith("-"):
            specs.append(word)
    yield from read_specs(specs, where)
