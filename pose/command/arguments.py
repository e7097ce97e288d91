"""The command line: which options a stage knows, where overrides begin, and what the help says.

An option is recognised only where a KEY could stand, so that values such as -1.0 or -3,4,5,6 need no care,
and options may stand before, between and after the KEY VALUE pairs. Starts nothing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pose.command.config import Config, Options, known_keys, load
from pose.errors import PoseError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"})
KEY_LIKE = re.compile(r"[A-Z][A-Z0-9_]*(\.[A-Z][A-Z0-9_]*)*")


@dataclass(frozen=True)
class Option:
    """One option: a flag where `value` is empty, one with a figure or without where it stands in brackets."""

    name: str
    value: str
    help: str
    repeatable: bool = False

    @property
    def is_optional(self) -> bool:
        """Whether the option may stand alone."""
        return self.value.startswith("[")


@dataclass(frozen=True)
class Stage:
    """What a stage takes on its command line."""

    name: str
    summary: str
    options: tuple[Option, ...] = ()
    takes_picture: bool = False
    takes_overrides: bool = False
    proves: bool = False  # computes with torch, so that the proof comes first even without a run folder
    spreads: bool = False  # works with one process per GPU
    own_parser: bool = False  # reads its own options: pose.<name>_options

    @property
    def module(self) -> str:
        """The module that has its `run`."""
        return f"pose.stages.{self.name.replace('-', '_')}"


CONFIG_OPTIONS = (
    Option("--cfg", "FILE", "the experiment's YAML file; looked for here first, then among the bundled ones"),
    Option("--data", "DIR", "the dataset's folder: sets DATASET.ROOT"),
    Option("--output", "DIR", "where results go: sets OUTPUT_DIR"),
    Option("--seed", "N", "the seed of every random number (0)"),
    Option("--deterministic", "", "only kernels that repeat themselves bit for bit"),
    Option("--modelDir", "DIR", "as the public implementation: OUTPUT_DIR"),
    Option("--logDir", "DIR", "as there: LOG_DIR"),
    Option("--dataDir", "DIR", "as there: DATA_DIR, put before ROOT, PRETRAINED and MODEL_FILE"),
    Option("--prevModelDir", "DIR", "as there: accepted, without effect"),
)
FINGERPRINT = Option(
    "--fingerprint",
    "WHAT",
    "names (and sizes) of the pictures, or their contents too, all read once before the work starts (names)",
)
STAGES = (
    Stage(
        "train",
        "learn from a dataset's people",
        (*CONFIG_OPTIONS, FINGERPRINT),
        takes_overrides=True,
        proves=True,
        spreads=True,
    ),
    Stage(
        "test",
        "COCO's or MPII's numbers of trained weights",
        (
            *CONFIG_OPTIONS,
            FINGERPRINT,
            Option("--untrained", "", "without weights: random ones"),
            Option(
                "--expect",
                "[FIGURE]",
                "exit code 1 where AP or Mean is 0.2 % off this config's published figure, or off FIGURE",
            ),
        ),
        takes_overrides=True,
        proves=True,
    ),
    Stage(
        "pred",
        "the joints in a picture, a folder or a video, drawn and as JSON and CSV",
        (
            *CONFIG_OPTIONS,
            FINGERPRINT,
            Option("--box", "X,Y,W,H", "a person's box in pixels; else the whole picture", repeatable=True),
            Option("--boxes", "FILE", "persons' boxes of a detector: COCO results, by image_id or file_name"),
            Option("--threshold", "T", "joints drawn have values above T; else TEST.IN_VIS_THRE"),
            Option("--heatmaps", "", "the network's heat maps, drawn under the skeletons"),
            Option("--out", "DIR", "where the drawn picture goes; else the run folder, else here"),
            Option("--untrained", "", "without weights: random ones"),
        ),
        takes_picture=True,
        takes_overrides=True,
        proves=True,
    ),
    Stage(
        "export",
        "the network as an ONNX file, checked against torch on random numbers and real people",
        (
            *CONFIG_OPTIONS,
            Option("--out", "DIR", "where the file goes; else the run folder, else here"),
            Option("--untrained", "", "without weights: random ones"),
        ),
        takes_picture=True,
        takes_overrides=True,
        proves=True,
    ),
    Stage("synth", "a dataset of drawn people", own_parser=True),
    Stage(
        "check-data",
        "what is wrong with a dataset, before training: exit code 1 where it would be stopped or spoilt",
        (*CONFIG_OPTIONS, Option("--decode", "", "decode every picture too, not just look at its ends")),
        takes_overrides=True,
    ),
    Stage(
        "demo",
        "draw people, learn them, test, and show what was found",
        (
            Option("--long", "", "longer, to a better AP (up to half an hour on two cores)"),
            Option("--out", "DIR", "where everything goes (pose-demo)"),
            Option("--output", "DIR", "the same"),
            Option("--seed", "N", "the seed of every random number (0)"),
        ),
        proves=True,
    ),
    Stage(
        "env",
        "what torch sees here, proved by a computation",
        (
            Option("--json", "", "as one JSON document"),
            Option("--deep", "", "every operation of a network, bfloat16 and copies too, on every GPU"),
        ),
    ),
)


@dataclass(frozen=True)
class Arguments:
    """A stage's parsed command line."""

    stage: str
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    run_dir: Path | None = None

    def one(self, name: str) -> str | None:
        """The option's value; the last one when it was given twice."""
        given = self.values.get(name)
        return given[-1] if given else None

    def seed(self, default: int = 0) -> int:
        """`--seed`, a non-negative integer."""
        text = self.one("--seed") or str(default)
        if not text.isdecimal() or int(text) >= 2**31:
            raise PoseError(f"--seed {text} is no seed", "--seed 0 to 2147483647")
        return int(text)

    @property
    def deterministic(self) -> bool:
        """Whether only repeatable kernels may be used."""
        return "--deterministic" in self.values

    @property
    def reads_contents(self) -> bool:
        """Whether the dataset's fingerprint is to hold the pictures' contents."""
        what = self.one("--fingerprint") or "names"
        if what not in ("names", "contents"):
            raise PoseError(f"--fingerprint {what} is neither names nor contents", "--fingerprint contents")
        return what == "contents"

    @property
    def deep(self) -> bool:
        """Whether the proof is to be the deep one."""
        return "--deep" in self.values

    @property
    def expects(self) -> bool:
        """Whether the test's figure is to be held against another."""
        return "--expect" in self.values

    @property
    def expected_figure(self) -> float | None:
        """`--expect FIGURE`'s; None where the published one is meant."""
        text = self.one("--expect")
        if not text:
            return None
        if not _is_number(text) or not 0 <= float(text) <= 100:
            raise PoseError(
                f"--expect {text} is no figure", "--expect 0.704, or --expect alone for the published one"
            )
        return float(text)

    @property
    def untrained(self) -> bool:
        """Whether random weights are welcome."""
        return "--untrained" in self.values

    @cached_property
    def configuration(self) -> tuple[Config, Path]:
        """The stage's configuration and its file, read once."""
        cfg = self.one("--cfg")
        if cfg is None:
            raise PoseError("--cfg is missing", f"{self.stage} --cfg FILE; pose/experiments/ has some")
        return load(
            cfg,
            self.overrides,
            Options(
                model_dir=self.one("--modelDir"),
                log_dir=self.one("--logDir"),
                data_dir=self.one("--dataDir"),
                data=self.one("--data"),
                output=self.one("--output"),
            ),
        )


def stage_named(name: str) -> Stage:
    """The stage of that name."""
    for stage in STAGES:
        if stage.name == name:
            return stage
    names = [stage.name for stage in STAGES]
    near = difflib.get_close_matches(name, names, n=1)
    raise PoseError(
        f"there is no stage {name}", f"did you mean {near[0]}?" if near else f"stages: {', '.join(names)}"
    )


def parse(stage: Stage, argv: Sequence[str], run_dir: Path | None = None) -> Arguments:
    """The command line after the stage's name.

    Raises:
        PoseError: for an unknown option, a value that is missing, or words that belong nowhere.
    """
    options = {option.name: option for option in stage.options}
    values: dict[str, tuple[str, ...]] = {}
    pictures: list[str] = []
    overrides: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        name, has_value, attached = word.partition("=")
        if word.startswith("--"):
            option = _option(stage, options, name)
            value = _value_of(option, attached if has_value else None, words)
            values[name] = (*values.get(name, ()), value) if option.repeatable else (value,)
        elif stage.takes_picture and not pictures and not _is_key(word):
            pictures.append(word)
        elif stage.takes_picture and not _is_key(word):
            raise PoseError(
                f"{word}: one picture at a time (or folder, or video), and {pictures[0]} is one",
                "overrides are KEY VALUE, after the picture",
            )
        elif stage.takes_overrides:
            if not words or words[0] in options:
                raise PoseError(
                    f"{word}: a value is missing; overrides are pairs of KEY VALUE", f"{word} VALUE"
                )
            overrides += [word, words.pop(0)]
        else:
            raise PoseError(f"{stage.name} does not take {word}", f"{stage.name} --help shows what it takes")
    return Arguments(stage.name, values, tuple(pictures), tuple(overrides), run_dir)


def overview() -> str:
    """What `--help` prints."""
    lines = ["usage: python -m pose [--run-dir DIR] STAGE ...", ""]
    lines += [f"  {stage.name:<12}{stage.summary}" for stage in STAGES]
    return "\n".join([*lines, "", "STAGE --help shows a stage's options."])


def help_text(stage: Stage) -> str:
    """What `STAGE --help` prints."""
    picture = " PICTURE" if stage.takes_picture else ""
    overrides = " [KEY VALUE ...]" if stage.takes_overrides else ""
    lines = [f"usage: python -m pose {stage.name} [OPTIONS]{picture}{overrides}", "", stage.summary, ""]
    lines += [f"  {f'{option.name} {option.value}':<22}{option.help}" for option in stage.options]
    if stage.takes_overrides:
        lines += ["", "KEY VALUE sets a key of the config: TRAIN.LR 0.01 GPUS '(0,)' TEST.FLIP_TEST False"]
    return "\n".join(lines)


def _option(stage: Stage, options: dict[str, Option], name: str) -> Option:
    if name in options:
        return options[name]
    near = difflib.get_close_matches(name, options, n=1)
    raise PoseError(
        f"{stage.name} has no option {name}", f"did you mean {near[0]}?" if near else f"{stage.name} --help"
    )


def _value_of(option: Option, attached: str | None, words: list[str]) -> str:
    """What follows the option's `=`, or is taken off the words; "" where it stands alone."""
    if not option.value and attached is not None:
        raise PoseError(f"{option.name} takes no value", option.name)
    if attached is not None:
        return attached
    if not option.value or (option.is_optional and not (words and _is_number(words[0]))):
        return ""
    if not words:
        raise PoseError(f"{option.name}: a value is missing", f"{option.name} {option.value}")
    return words.pop(0)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _is_key(word: str) -> bool:
    """Whether the word is a config key, or must be meant as one (and will be answered with a near match)."""
    if word in known_keys() or word.startswith("MODEL.EXTRA."):
        return True
    is_file = Path(word).suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES or Path(word).exists()
    return KEY_LIKE.fullmatch(word) is not None and not is_file
