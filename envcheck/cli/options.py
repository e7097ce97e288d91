"""The options of the command line that several verbs share, each spelled once."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import typer


class Format(str, Enum):
    """How an answer is written."""

    text = "text"
    json = "json"


class Level(str, Enum):
    """From which status on doctor's exit code is 1."""

    error = "error"
    warn = "warn"
    never = "never"

    @property
    def status(self) -> Literal["error", "warn"] | None:
        """The status itself; None where no finding counts."""
        return None if self is Level.never else ("error" if self is Level.error else "warn")


class In(str, Enum):
    """Where a command runs."""

    auto = "auto"
    docker = "docker"
    venv = "venv"
    current = "current"


class BuiltIn(str, Enum):
    """Where an environment is built."""

    auto = "auto"
    docker = "docker"
    venv = "venv"


class Machine(str, Enum):
    """What a wheel can be for, as uname says it."""

    x86_64 = "x86_64"
    aarch64 = "aarch64"


class Stage(str, Enum):
    """What pose can do."""

    demo = "demo"
    train = "train"
    test = "test"
    pred = "pred"
    synth = "synth"
    check_data = "check-data"
    export = "export"
    env = "env"


HostOption = Annotated[
    str | None,
    typer.Option("--host", metavar="FILE", help="Another machine's facts, by `envcheck probe`; -: stdin."),
]
HostsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--host", metavar="FILE|DIR|-", help="Other machines' facts; several: what covers them all."
    ),
]
TorchOption = Annotated[
    str | None, typer.Option("--torch", metavar="SPEC", help="1.13, 2.0.1+cu118, '>=2.1,<2.5'.")
]
CudaOption = Annotated[str | None, typer.Option("--cuda", metavar="SPEC", help="11.8, '>=12,<13'.")]
PythonOption = Annotated[str | None, typer.Option("--python", metavar="SPEC", help="3.11, '>=3.10'.")]
RequirementsOption = Annotated[
    Path | None,
    typer.Option(
        "--requirements",
        metavar="FILE",
        help="What a repository asks for: requirements.txt, pyproject.toml, environment.yml, Dockerfile.",
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="For people, or for programs.")]
FileOption = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Write there, not to stdout.")
]
GpusOption = Annotated[
    str | None,
    typer.Option(
        "--gpus", metavar="LIST|none", help="Only these, by index or UUID, with commas; none: the CPU."
    ),
]
RecipeOption = Annotated[
    str | None, typer.Option("--recipe", metavar="NAME|FILE", help="This recipe and no other.")
]
MachineOption = Annotated[Machine, typer.Option("--machine", help="The processor that the wheels are for.")]
InOption = Annotated[
    In,
    typer.Option(
        "--in",
        help="A container (docker or podman), a virtual environment, or this interpreter as it is; auto: a"
        " container where an engine can run one.",
    ),
]
BuiltInOption = Annotated[
    BuiltIn, typer.Option("--in", help="An image (docker or podman), or a virtual environment.")
]
DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The dataset; a stage's DATASET.ROOT.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", metavar="DIR", help="For results and runs/; a stage's OUTPUT_DIR.")
]
NetworkOption = Annotated[bool, typer.Option("--network", help="A container is without network otherwise.")]
BaseImageOption = Annotated[
    str | None,
    typer.Option(
        "--base-image", metavar="IMAGE", help="In place of the recipe's own; also ENVCHECK_BASE_IMAGE."
    ),
]
MemoryOption = Annotated[
    str | None, typer.Option("--memory", metavar="SIZE", help="What a container may use: 8g.")
]
CpusOption = Annotated[
    float | None, typer.Option("--cpus", metavar="N", min=0.01, help="How many cores a container may use.")
]
EnvOption = Annotated[
    list[str] | None,
    typer.Option("--env", metavar="NAME[=VALUE]", help="A variable that a container gets, too; repeatable."),
]
BundleOption = Annotated[
    Path | None,
    typer.Option(
        "--bundle", metavar="FILE", help="All of it out of a file by `envcheck bundle`; nothing is fetched."
    ),
]
