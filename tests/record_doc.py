"""What record.json holds, written down: a JSON Schema in the package, and docs/record.md, from the classes.

`python -m tests.record_doc` writes both anew; what a field means is the comment that stands behind it.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from packaging.version import Version

from envcheck.runs.record import Record

ROOT = Path(__file__).resolve().parent.parent
SCHEMA_FILE = ROOT / "envcheck" / "runs" / "record.schema.json"
DOC = ROOT / "docs" / "record.md"

_HEAD = """# record.json, field by field

Every run writes `runs/<time>-<stage>-<id>/record.json` when it starts, and again however it ends: a run
that was killed has one without `ended`. Where a value is null it is not known, or not there yet.
`envcheck/runs/record.schema.json` is the same as a JSON Schema (2020-12). Readers ignore fields that they
do not know.

Made by `python -m tests.record_doc` from the classes themselves; a test holds it against them.
"""


# What a stage of pose says of itself; envcheck takes it as it comes.
_POSE = """
## What a stage says of itself

| field | what it holds |
| --- | --- |
| `proof` | the environment as seen from inside: Python, torch, its CUDA, cuDNN, NCCL and architecture list, NumPy, OpenCV, pycocotools, threads; each device with the largest error of a matmul and a convolution against the CPU |
| `config` | every key of the configuration, as it was after the YAML file and the overrides |
| `dataset` | `root`, and `fingerprint`: a digest of everything that is read of the sets' annotations, with their pictures' names and sizes; with `--fingerprint contents` also `contents`: one of the bytes of every picture. Of a `pred` of a folder: the folder, and the pictures that were read |
| `computing` | `device` and `devices`, `world_size`, `batches_together`, `workers`, `processor`, `processor_generation` (a digest of its family, model and instructions), `instructions` (torch's CPU kernels: AVX2, AVX512), `threads`, `interop_threads`, `mkldnn`, `matmul_precision`, `default_dtype`, `variables` (those of the environment that choose kernels; no paths, no secrets), `deterministic`, `cudnn_benchmark`, `cudnn_deterministic`, `tf32_matmul`, `tf32_convolution`, `cublas_workspace` |
| `epochs` | of each finished epoch `epoch` (from 1), `loss`, `accuracy`, `lr`, and `metrics` where it was tested |
| `memory` | peaks in MiB: `host_mib` of the stage's process, `largest_worker_mib` of a data loader's, `gpu_mib` that torch allocated on each GPU |
| `seconds` | `looking` at the machine, `environment` until it was ready, `stage` until it ended; of a training's epochs, in lists, `learning` and `testing` |
| `metrics` | the last test's numbers by their public names: AP, AR; or MPII's in percent |
"""


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a record."""
    found: dict[str, Any] = msgspec.json.schema(Record, schema_hook=_of_ours)
    found = _plain(found)
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    found["title"] = "envcheck.run/1"
    return found


def document() -> str:
    """Return the text of docs/record.md."""
    parts = [_HEAD]
    for kind in _classes():
        parts.append(f"\n## {kind.__name__}\n\n{' '.join((inspect.getdoc(kind) or '').split())}\n")
        parts.append("\n| field | type | what it is |\n| --- | --- | --- |\n")
        said = _comments(kind)
        parts += [
            f"| `{field.name}` | {_cell(str(field.type))} | {_cell(said.get(field.name, ''))} |\n"
            for field in dataclasses.fields(kind)
        ]
    return "".join([*parts, _POSE])


def _classes() -> Iterator[type]:
    """Yield the classes that a record is made of, in the order in which they are met."""
    modules = [sys.modules[name] for name in sorted(sys.modules) if name.startswith("envcheck.")]
    kinds = {
        name: kind for module in modules for name, kind in vars(module).items() if isinstance(kind, type)
    }
    for name in schema()["$defs"]:
        yield kinds[name]


def _comments(kind: type) -> dict[str, str]:
    """Return what stands behind each field of a class, by the field's name."""
    lines = tokenize.generate_tokens(io.StringIO(inspect.getsource(kind)).readline)
    said, name = {}, ""
    for token in lines:
        if field := re.match(r"\s+([a-z_]+): ", token.line):
            name = field[1]
        if token.type == tokenize.COMMENT and name and token.line.strip() != token.string:
            said[name] = token.string.removeprefix("#").strip()
    return said


def _cell(text: str) -> str:
    plain = re.sub(r"Annotated\[(.+), _(?:Few|Minor)\]", r"\1", text)
    return plain.replace("|", "\\|").replace("<", "&lt;")


def _of_ours(kind: type) -> dict[str, str]:
    if issubclass(kind, (Version, Path)):
        return {"type": "string"}
    raise NotImplementedError(kind)


def _plain(value: Any) -> Any:
    """Return the schema without what is no schema: defaults that stand for a Python value."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if key != "default"}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


if __name__ == "__main__":
    SCHEMA_FILE.write_text(json.dumps(schema(), indent=1) + "\n", encoding="utf-8")
    DOC.write_text(document(), encoding="utf-8")
