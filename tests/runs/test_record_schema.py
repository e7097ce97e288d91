"""record.json against its own schema: made-up records, and one that a real run wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import jsonschema
import pytest

from envcheck.documents import to_plain
from tests.record_doc import DOC, SCHEMA_FILE, document, schema
from tests.runs.records import finished


@pytest.fixture(scope="module")
def validator():
    kind = jsonschema.Draft202012Validator
    described = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    kind.check_schema(described)
    return kind(described)


def test_schema_and_document_are_those_of_the_classes():
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == schema()
    assert DOC.read_text(encoding="utf-8") == document()


def test_a_record_is_valid_and_one_with_a_wrong_type_is_not(validator):
    record = json.loads(json.dumps(to_plain(finished())))
    assert validator.is_valid(record)
    assert not validator.is_valid({**record, "seed": "zero"})
    assert not validator.is_valid({name: value for name, value in record.items() if name != "host"})


def test_a_record_of_a_run_that_never_got_anywhere_is_valid(validator):
    bare = replace(
        finished(), environment=None, proof=None, config=None, seed=None, exit_code=None, ended=None
    )
    assert validator.is_valid(json.loads(json.dumps(to_plain(bare))))


def test_the_record_of_a_real_run_is_valid(validator, root, tmp_path):
    argv = [sys.executable, "-c", "from envcheck.cli import main; main()", "run", "env", "--in", "current"]
    environ = {**os.environ, "PYTHONPATH": str(root), "ENVCHECK_CACHE": str(tmp_path / "cache")}
    subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, check=True)
    (file,) = tmp_path.glob("runs/*/record.json")
    record = json.loads(file.read_text(encoding="utf-8"))
    assert record["exit_code"] == 0
    assert [error.message for error in validator.iter_errors(record)] == []
