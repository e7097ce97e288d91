"""A snapshot comes from a stranger: whatever it holds, it is read, or refused in a sentence."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envcheck.choice.choose import choose
from envcheck.documents import parse_json, to_json
from envcheck.errors import UsageError
from envcheck.host.facts import SCHEMA, Host
from envcheck.host.snapshots import MAX_SNAPSHOT_BYTES, read_hosts
from envcheck.recipes import load_recipes

HOSTS = Path(__file__).parent.parent / "hosts"
SMALLEST = b'{"schema": "envcheck.host/1", "os": {}, "driver": null, "gpus": []}'
# Every key of the document, with a value of its type.
WHOLE: dict[str, Any] = {
    "schema": SCHEMA,
    "os": {
        "system": "Linux",
        "machine": "x86_64",
        "distribution": "ubuntu 22.04",
        "kernel": "5.15.0-119-generic",
        "glibc": "2.35",
        "wsl": False,
        "jetson": "36.4.3",
        "container": "docker",
    },
    "driver": {
        "version": "550.54.15",
        "cuda": "12.4",
        "libcuda": "12.8",
        "module_version": "550.54.15",
        "open_module": True,
        "nvml_seconds": 0.09,
    },
    "gpus": [
        {
            "index": 0,
            "uuid": "GPU-5c0d2f1e",
            "name": "NVIDIA H100 80GB HBM3",
            "brand": "nvidia",
            "compute_capability": "9.0",
            "memory_mib": 81559,
            "mig": {
                "enabled": True,
                "instances": [{"uuid": "MIG-7a3f8f5c", "name": "MIG 3g.40gb", "memory_mib": 40448}],
            },
            "pci_address": "0000:17:00.0",
        }
    ],
    "pci": [
        {
            "address": "0000:17:00.0",
            "vendor": "10de",
            "device": "2330",
            "driver": "nvidia",
            "name": "GH100 [H100]",
        }
    ],
    "engines": [{"name": "docker", "version": "26.1.4", "gpu_mode": "legacy"}],
    "python": {
        "version": "3.10.12",
        "executable": "/usr/bin/python3",
        "interpreters": {"3.10": "/usr/bin/python3.10"},
        "incomplete": {"3.12": "/usr/bin/python3.12"},
    },
    "hardware": {"cpus": 26, "memory_mib": 230000, "cache_free_mib": 500000, "shm_mib": 115000},
    "unknown": {"gpus[0].brand": "NOT_SUPPORTED"},
}
# What is of no use where a text, a number, ... is expected.
WRONG: dict[type, tuple[Any, ...]] = {
    str: (7, True, [], {}, 0.5),
    int: ("7", True, [], {}, 0.5),
    float: ("0.5", True, [], {}),
    bool: ("true", 1, [], {}),
    list: ("x", 7, {}, [7], [None], [[]]),
    dict: ("x", 7, []),
}
VERSIONS = (
    "$.os.glibc",
    "$.driver.version",
    "$.driver.cuda",
    "$.driver.libcuda",
    "$.driver.module_version",
    "$.gpus[0].compute_capability",
    "$.python.version",
)
FUZZ = settings(
    max_examples=300, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def read(data: bytes) -> Host:
    return parse_json(data, Host, source="h.json", schema=SCHEMA, limit=MAX_SNAPSHOT_BYTES)


def places(value: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    """Yield the path of everything in a document below its root, and what stands there."""
    if isinstance(value, dict):
        steps = [(f"{path}.{key}", one) for key, one in value.items()]
    else:
        steps = [(f"{path}[{index}]", one) for index, one in enumerate(value)]
    for step, one in steps:
        yield step, one
        if isinstance(one, (dict, list)):
            yield from places(one, step)


def put(path: str, value: Any, into: dict[str, Any] = WHOLE) -> dict[str, Any]:
    """Return a copy of a document with `value` at one path."""
    document = copy.deepcopy(into)
    _put(document, "$", path, value)
    return document


def _put(at: Any, here: str, path: str, value: Any) -> None:
    keys = at.items() if isinstance(at, dict) else enumerate(at)
    for key, one in list(keys):
        step = f"{here}.{key}" if isinstance(at, dict) else f"{here}[{key}]"
        if step == path:
            at[key] = value
        elif isinstance(one, (dict, list)):
            _put(one, step, path, value)


def said(path: str) -> str:
    """Return the path as an error names it: the keys of a mapping, which are data, are not spelled out."""
    for mapping in ("$.python.interpreters", "$.python.incomplete", "$.unknown"):
        if path.startswith(f"{mapping}."):
            return f"{mapping}[...]"
    return path


MISTAKES = [
    pytest.param(path, wrong, id=f"{path}={json.dumps(wrong)}")
    for path, right in places(WHOLE)
    if path != "$.schema"
    for wrong in WRONG[type(right)]
]


@pytest.mark.parametrize(("path", "wrong"), MISTAKES)
def test_a_wrong_type_is_named_by_the_keys_path(path, wrong):
    with pytest.raises(UsageError) as caught:
        read(json.dumps(put(path, wrong)).encode())
    assert caught.value.exit_code == 2
    assert f"`{said(path)}" in str(caught.value)


@pytest.mark.parametrize("path", VERSIONS)
@pytest.mark.parametrize("version", ["9" * 10_000, "1." * 5_000 + "1", "five", "", "5\x00", "\u0665.\u0665"])
def test_what_is_no_version_is_named_by_the_keys_path(path, version):
    with pytest.raises(UsageError) as caught:
        read(json.dumps(put(path, version)).encode())
    assert f"`{path}`" in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("path", [path for path, value in places(WHOLE) if type(value) in (int, float)])
@pytest.mark.parametrize("number", ["9" * 10_000, "-" + "9" * 10_000, "1e999"])
def test_a_number_beyond_all_measure_is_named_by_the_keys_path(path, number):
    text = json.dumps(put(path, "HERE")).replace('"HERE"', number)
    with pytest.raises(UsageError) as caught:
        read(text.encode())
    assert f"`{path}`" in str(caught.value)


@pytest.mark.parametrize("key", ["", "python3", "3", "3.", "3.11\n", "3." + "1" * 10_000, "3.11.2"])
def test_a_python_is_called_by_its_minor_version(key):
    with pytest.raises(UsageError, match=r"\$\.python\.interpreters"):
        read(json.dumps(put("$.python.interpreters", {key: "/usr/bin/python"})).encode())


@pytest.mark.parametrize("path", ["$.gpus", "$.pci", "$.engines", "$.gpus[0].mig.instances"])
def test_a_list_of_more_than_any_machine_has_is_refused(path):
    value = next(one for step, one in places(WHOLE) if step == path)
    with pytest.raises(UsageError) as caught:
        read(json.dumps(put(path, value * 1025)).encode())
    assert f"`{path}`" in str(caught.value)


@pytest.mark.parametrize("key", ["os", "driver", "gpus"])
def test_a_key_that_must_be_there_is_named(key):
    document = {name: value for name, value in WHOLE.items() if name != key}
    with pytest.raises(UsageError, match=f"`{key}`"):
        read(json.dumps(document).encode())


@pytest.mark.parametrize("name", ["h100-mig", "by-hand-no-machine"])
def test_a_snapshot_that_is_cut_off_anywhere_is_no_json(name):
    data = (HOSTS / f"{name}.json").read_bytes().rstrip()
    for size in range(len(data)):
        with pytest.raises(UsageError, match=r"h\.json: (not a JSON document|`\$\.schema`)"):
            read(data[:size])
    read(data)


@pytest.mark.parametrize(
    "value",
    [
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'"\\ud800"',
        b'"\xff"',
        b'"\xc3\x28"',
        b"'x'",
        b"0x10",
        b"01",
        b'"a\nb"',
    ],
)
@pytest.mark.parametrize("key", [b"os", b"gpus", b"a_key_that_nobody_knows"])
def test_what_is_no_json_is_refused_wherever_it_stands(key, value):
    with pytest.raises(UsageError, match=r"h\.json: "):
        read(b'{"schema": "envcheck.host/1", "driver": null, "' + key + b'": ' + value + b"}")


@pytest.mark.parametrize(
    ("value", "what", "within"),
    [
        (b"NaN", "invalid character", 0),
        (b'"\xff"', "not UTF-8", 1),
        (b'"caf\xe9"', "not UTF-8", 4),  # Latin-1
        (b"[7,]", "trailing comma in array", 3),
    ],
)
@pytest.mark.parametrize("key", [b"os", b"a_key_that_nobody_knows"])
def test_what_is_no_json_is_named_by_its_place(key, value, what, within):
    start = b'{"schema": "envcheck.host/1",\n "driver": null,\n "' + key + b'": '
    with pytest.raises(UsageError) as caught:
        read(start + value + b"}")
    assert str(caught.value) == f"h.json: not a JSON document: {what} at byte {len(start) + within} (line 3)"


@pytest.mark.parametrize(
    "data", [b"[]", b"7", b"null", b'"x"', b"{}", b'{"schema": 1}', b'{"schema": ["x"]}']
)
def test_a_document_of_another_kind_is_named_by_its_schema(data):
    with pytest.raises(UsageError, match=r"\$\.schema"):
        read(data)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp037"])
def test_another_encoding_is_refused(encoding):
    with pytest.raises(UsageError, match="not a JSON document"):
        read(SMALLEST.decode().encode(encoding))


def test_a_file_in_a_folder_is_named(tmp_path):
    (tmp_path / "a.json").write_bytes(SMALLEST)
    (tmp_path / "b.json").write_bytes(json.dumps(put("$.gpus[0].index", "x")).encode())
    with pytest.raises(UsageError, match=r"b\.json: .*`\$\.gpus\[0\]\.index`"):
        list(read_hosts([str(tmp_path)]))


@pytest.mark.parametrize("bad", [b"{", b"\xff", b"7", json.dumps(put("$.os", 7)).encode()])
def test_a_line_among_json_lines_is_named_by_its_number(tmp_path, bad):
    file = tmp_path / "fleet.jsonl"
    file.write_bytes(b"\n".join([SMALLEST, SMALLEST, b"", bad, SMALLEST]))
    hosts = read_hosts([str(file)])
    assert [name for name, _ in (next(hosts), next(hosts))] == [f"{file}:1", f"{file}:2"]
    with pytest.raises(UsageError, match=r"fleet\.jsonl:4: "):
        next(hosts)


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" \n\n\t\n"])
def test_blank_lines_may_come_first(tmp_path, blank):
    number = blank.count(b"\n") + 1
    lines = tmp_path / "fleet.jsonl"
    lines.write_bytes(blank + SMALLEST + b"\n\n" + SMALLEST + b"\n")
    names = [name for name, _ in read_hosts([str(lines)])]
    assert names == [f"{lines}:{number}", f"{lines}:{number + 2}"]
    one = tmp_path / "one.jsonl"
    one.write_bytes(blank + json.dumps(WHOLE, indent=1).encode())
    assert [name for name, _ in read_hosts([str(one)])] == [str(one)]


@pytest.mark.parametrize("data", [b"", b"\n\n"])
def test_nothing_but_blank_lines_is_no_snapshot(tmp_path, data):
    file = tmp_path / "empty.jsonl"
    file.write_bytes(data)
    with pytest.raises(UsageError, match=r"empty\.jsonl: not a JSON document"):
        list(read_hosts([str(file)]))


# --- fuzz: what is read is judged, and neither raises anything but `UsageError`

RECIPES = load_recipes()
REAL = sorted(HOSTS.glob("*.json"))
BITS = st.binary(max_size=3) | st.sampled_from([b"null", b"[]", b"{}", b"-1", b'"', b",", b"\\"])
ODD_VERSIONS = st.sampled_from(
    ["0", "1!2", "9.0a1", "580", "12.0+x", "99999999999999.7", "v5", "2.0.0.0.0.0", "9"]
)
ODD: dict[type, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20)
    | st.sampled_from(["", "-1", "\x1b[2J", "[bold]x", "../..", "\u202e", "x" * 70_000]),
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
}


def judged(data: bytes) -> None:
    """Read and choose: bad input is the one thing that may go wrong with a snapshot."""
    with contextlib.suppress(UsageError):
        host = read(data)
        assert read(to_json(host).encode()) == host
        choose(host, RECIPES)


@FUZZ
@given(
    st.sampled_from(REAL),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), BITS), min_size=1, max_size=4),
)
def test_a_damaged_snapshot_is_read_or_refused(file, blows):
    text = bytearray(file.read_bytes())
    for where, length, bits in blows:
        at = int(where * len(text))
        text[at : at + length] = bits
    judged(bytes(text))


@FUZZ
@given(st.sampled_from(REAL), st.data())
def test_a_snapshot_of_right_types_and_odd_values_is_judged(file, data):
    document = json.loads(file.read_bytes())
    every = [(path, value) for path, value in places(document) if path != "$.schema"]
    for path, value in data.draw(st.lists(st.sampled_from(every), min_size=1, max_size=4)):
        kept = st.none() | st.just(value)
        document = put(path, data.draw(kept | _odd(path, value)), document)
    judged(json.dumps(document).encode())


def _odd(path: str, value: Any) -> st.SearchStrategy[Any]:
    if path in VERSIONS or path.endswith(".compute_capability"):
        return ODD_VERSIONS
    if isinstance(value, list):
        return st.sampled_from([[], value * 3, value[::-1]])
    return ODD.get(type(value), st.just(value))
