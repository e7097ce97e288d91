"""The machine in a line or two, whatever its facts are called."""

from __future__ import annotations

import dataclasses

from envcheck.documents import read_json
from envcheck.host.facts import SCHEMA, Engine, Host
from envcheck.report.host import host_words


def test_no_fact_begins_a_line_or_fills_a_screen(root):
    host = read_json(root / "tests" / "hosts" / "h100-mig.json", Host, schema=SCHEMA)
    hostile = "x\r\n::error::y\x1b[31m" + "z" * 100_000
    system = dataclasses.replace(host.os, distribution=hostile, machine=hostile, container=hostile)
    gpu = dataclasses.replace(host.gpus[0], name=hostile)
    lines = host_words(dataclasses.replace(host, os=system, gpus=(gpu,), engines=(Engine(hostile),)))
    assert len(lines) == 2
    assert not any(set(line) & set("\r\n\x1b") or len(line) > 1000 for line in lines)
    (unknown, _) = host_words(dataclasses.replace(host, gpus=None, unknown={"gpus": hostile}))
    assert unknown.startswith("NVIDIA GPUs: unknown (x ::error::y")
    assert len(unknown) <= 2000
