"""A network as an ONNX file: written by torch, described for whoever decodes it, and run again to check it.

The only module that knows onnx and onnxruntime; neither is needed by any other stage.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pose.errors import FAILED, PoseError

INPUT, OUTPUT = "input", "heatmaps"
# The newest that torch 1.13 writes. Below 14, onnx's own evaluator takes batch norms as still learning.
OPSET = 17
DESCRIPTION = "pose"  # the metadata's key


@dataclass(frozen=True)
class Evaluator:
    """Something else than torch that computes an ONNX file."""

    name: str
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]]  # (N, 3, H, W) to (N, K, h, w)


def require_onnx() -> None:
    """Nothing, or the error that says what is missing, before any work."""
    try:
        import onnx  # noqa: F401, PLC0415 - looked at, not used
    except ModuleNotFoundError:
        raise PoseError(
            "export needs the package onnx, which is not installed",
            "pip install onnx; the bundled recipes have it",
            FAILED,
        ) from None


def write(
    model: nn.Module, height_width: tuple[int, int], path: Path, description: Mapping[str, Any]
) -> None:
    """The network for any number of float32 crops, in evaluation mode, the description as metadata."""
    import onnx  # noqa: PLC0415 - asked for by `require_onnx`

    written = io.BytesIO()
    # From 2.9 on torch prefers an exporter that needs one package more; this one serves every torch here.
    older = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # torch 2.0 prints a report
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            (torch.zeros(1, 3, *height_width),),
            written,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            **older,
        )
    document = onnx.load_from_string(written.getvalue())
    onnx.checker.check_model(document, full_check=True)
    entry = document.metadata_props.add()
    entry.key, entry.value = DESCRIPTION, json.dumps(description)
    path.write_bytes(document.SerializeToString())


def evaluator(path: Path) -> Evaluator:
    """With onnxruntime on the CPU where it is installed, else with onnx's own evaluator: slow, as strict."""
    try:
        import onnxruntime  # noqa: PLC0415 - only here, and only where it is
    except ModuleNotFoundError:
        import onnx  # noqa: PLC0415 - as above
        from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 - as above

        reference = ReferenceEvaluator(str(path))
        return Evaluator(
            f"onnx {onnx.__version__}'s own evaluator", lambda crops: reference.run(None, {INPUT: crops})[0]
        )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return Evaluator(
        f"onnxruntime {onnxruntime.__version__}", lambda crops: session.run(None, {INPUT: crops})[0]
    )
