"""Stage `env`: the proof, for people or as JSON."""

from __future__ import annotations

import json

from pose.command.arguments import Arguments
from pose.errors import FAILED, PoseError
from pose.machines.operations import OperationProof
from pose.machines.proof import DeviceProof, compare, prove
from pose.report import Result, data


def run(arguments: Arguments, _result: Result) -> None:
    """Prints what torch sees, and stops with exit code 1 if a device cannot compute."""
    proof = prove(deep=arguments.deep)
    differences = compare({}, proof)
    if "--json" in arguments.values:
        data(json.dumps(proof.document({}), indent=2))
    else:
        built = f"CUDA {proof.torch_cuda}, cuDNN {proof.cudnn}" if proof.torch_cuda else "CPU build"
        data(f"python {proof.python}   {proof.platform}")
        data(f"torch {proof.torch} ({built})   {proof.threads} threads")
        data(f"numpy {proof.numpy}   opencv {proof.opencv}   pycocotools {proof.pycocotools}")
        if proof.arch_flags:
            data(f"code for {' '.join(proof.arch_flags)}")
        for device in proof.devices:
            data(_line(device))
        for one in proof.operations:
            data(_measured_line(one))
    if differences:
        raise PoseError(differences[0], "another torch build is needed: envcheck pick", FAILED)


def _line(device: DeviceProof) -> str:
    facts = " ".join(fact for fact in (device.name, device.capability, device.uuid) if fact)
    if not device.computes:
        return f"{device.device}   {facts}   does not compute: {device.failure or 'wrong results'}"
    errors = f"matmul error {device.matmul_error:.1e}, conv error {device.conv_error:.1e}"
    return f"{device.device}   {facts}   {errors} against float64, {device.seconds:.2f} s"


def _measured_line(one: OperationProof) -> str:
    found = one.failure or f"error {one.error:.1e}, tolerance {one.tolerance:.1e}, {one.milliseconds:.2f} ms"
    return f"{one.device}   {one.operation} {one.dtype}   {found}"
