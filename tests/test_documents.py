from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from packaging.version import Version

from envcheck.documents import (
    parse_json,
    parse_plain_yaml,
    parse_toml,
    read_json,
    read_text,
    read_yaml,
    to_json,
    write_json,
)
from envcheck.errors import UsageError
from envcheck.host.facts import SCHEMA, Driver, Gpu, Host, OperatingSystem

SMALLEST = {"schema": SCHEMA, "os": {}, "driver": None, "gpus": []}


@dataclass(frozen=True, slots=True)
class Inner:
    size: int = 1


@dataclass(frozen=True, slots=True)
class Written:
    name: str
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()


def host(**keys):
    return parse_json(json.dumps({**SMALLEST, **keys}).encode(), Host, source="h.json", schema=SCHEMA)


def test_a_host_survives_being_written_and_read():
    before = Host(
        os=OperatingSystem(system="Linux", glibc=Version("2.35")),
        driver=Driver(version=Version("550.54.15")),
        gpus=(Gpu(index=0, name="a \u00e9 GPU", compute_capability=Version("9.0")),),
        unknown={"gpus[0].memory_mib": "NOT_SUPPORTED"},
    )
    assert parse_json(to_json(before).encode(), Host, source="h", schema=SCHEMA) == before


def test_a_document_ignores_keys_that_it_does_not_know():
    assert host(colour="green").gpus == ()


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"gpus": [{"memory_mib": "many"}]}, r"\$\.gpus\[0\]\.memory_mib"),
        ({"os": {"glibc": 2.35}}, r"\$\.os\.glibc"),
        ({"driver": {"version": "9" * 10_000}}, r"\$\.driver\.version"),
        ({"driver": {"version": "five"}}, r"\$\.driver\.version"),
        ({"gpus": {}}, r"\$\.gpus"),
    ],
)
def test_a_wrong_type_is_named_by_file_and_path(keys, path):
    with pytest.raises(UsageError, match=r"h\.json: .*" + path):
        host(**keys)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"schema": "envcheck.host/1", "os": {',
        b"\xff\xfe",
        b'{"schema": "envcheck.host/1", "x": ' + b"[" * 100_000,
        b'{"schema": "envcheck.host/1", "os": NaN}',
    ],
)
def test_what_is_no_json_is_one_sentence(data):
    with pytest.raises(UsageError, match="not a JSON document"):
        parse_json(data, Host, source="h.json", schema=SCHEMA)


def test_another_schema_is_refused():
    with pytest.raises(UsageError, match=r"\$\.schema"):
        host(schema="envcheck.host/2")


def test_a_missing_file_is_bad_input(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        read_json(tmp_path / "absent.json", Host)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("name: a\ncolour: green\n", r"colour.*`\$`"),
        ("name: a\ninner: {sise: 2}\n", r"sise.*`\$\.inner`"),
        ("name: a\nmany: [{size: 1}, {sise: 2}]\n", r"sise.*`\$\.many\[1\]`"),
    ],
)
def test_files_that_people_write_refuse_unknown_keys(tmp_path, text, path):
    file = tmp_path / "written.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=path):
        read_yaml(file, Written)


def test_broken_yaml_is_named_by_line(tmp_path):
    file = tmp_path / "written.yaml"
    file.write_text("name: a\nmany: [1\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"written\.yaml:3: not YAML"):
        read_yaml(file, Written)


def test_yaml_that_nests_too_deep_is_an_error_and_no_crash(tmp_path):
    file = tmp_path / "written.yaml"
    file.write_text("name: " + "[" * 100_000, encoding="utf-8")
    with pytest.raises(UsageError, match="not YAML"):
        read_yaml(file, Written)


def test_yaml_makes_no_objects(tmp_path):
    file = tmp_path / "written.yaml"
    file.write_text('name: !!python/object/apply:os.system ["true"]\n', encoding="utf-8")
    with pytest.raises(UsageError, match="not YAML"):
        read_yaml(file, Written)


def test_writing_leaves_one_file_that_others_may_read(tmp_path):
    write_json(tmp_path / "new" / "host.json", host())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["host.json"]
    assert (tmp_path / "new" / "host.json").stat().st_mode & 0o444 == 0o444


def test_a_write_that_fails_leaves_nothing_behind(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_json(tmp_path / "folder", {"a": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_document_holds_no_character_that_a_terminal_obeys():
    text = to_json({"name": "a\x1b[31m\x7f\x9b31m\u202e", "file": "bad\udcff.jpg"})
    assert text.isascii()
    assert all(character.isprintable() or character == "\n" for character in text)
    assert json.loads(text)["name"] == "a\x1b[31m\x7f\x9b31m\u202e"


@dataclass(frozen=True, slots=True)
class Foreign:
    version: str = ""


def test_somebody_elses_yaml_keeps_the_spelling_of_a_number_and_any_key():
    assert parse_plain_yaml("version: 3.10\ncolour: !!int green\n", Foreign, source="f") == Foreign("3.10")


def test_somebody_elses_yaml_makes_no_objects():
    text = "version: !!python/object/apply:os.system [exit 3]\n"
    with pytest.raises(UsageError, match=r"Expected `str`, got `array` - at `\$\.version`"):
        parse_plain_yaml(text, Foreign, source="f")


def test_an_alias_which_can_say_more_than_memory_holds_is_refused_by_line():
    with pytest.raises(UsageError, match=r"^f:2: not YAML: an alias"):
        parse_plain_yaml("a: &a [x]\nb: [*a, *a]\n", Foreign, source="f")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version = 3.10", r"f: Expected `str`, got `float` - at `\$\.version`"),
        ("version = \n", "f: not TOML: .*line 1"),
        ("a = " + "[" * 4000, "f: not TOML"),
        ("a." * 4000 + "a = 1", "f: a line has more than 4096 characters"),
    ],
)
def test_toml_that_cannot_be_read_is_refused_by_its_file(text, problem):
    with pytest.raises(UsageError, match=problem):
        parse_toml(text, Foreign, source="f")


def test_a_document_may_begin_with_the_mark_of_utf_8_and_utf_16_is_called_by_its_name():
    text = json.dumps(SMALLEST)
    assert parse_json(text.encode("utf-8-sig"), Host, source="h.json", schema=SCHEMA).gpus == ()
    for encoding in ("utf-16", "utf-16-be"):
        data = text.encode(encoding) if encoding == "utf-16" else ("\ufeff" + text).encode(encoding)
        with pytest.raises(UsageError, match="UTF-16") as caught:
            parse_json(data, Host, source="h.json", schema=SCHEMA)
        assert "PowerShell" in caught.value.hint


def test_a_text_is_utf_8_without_its_mark(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfa\r\n\xc3\xa9")
    assert read_text(tmp_path / "a.txt") == "a\r\n\xe9"
