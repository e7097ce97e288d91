"""The explanation: causes before what follows from them, and nothing hostile on screens and in documents."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest

from envcheck.doctor.diagnose import diagnose
from envcheck.documents import to_json
from envcheck.explain.explain import SCHEMA, explain
from envcheck.explain.scan import MOST
from envcheck.host.snapshots import read_hosts
from envcheck.report.console import PlainConsole
from envcheck.report.explain import explain_screen
from envcheck.symptoms import SYMPTOMS
from envcheck.symptoms.cascade import roots
from envcheck.symptoms.xids import GOES_ON, OF_PROGRAMS, RESET
from tests.explain.page import page

HEALTHY = (Path(__file__).parent / "healthy.txt").read_text(encoding="utf-8")
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\n"
UNKNOWN = "RuntimeError: CUDA unknown error - this may be due to an incorrectly set up environment\n"
CPU_ONLY = "AssertionError: Torch not compiled with CUDA enabled\n"
FULL = "OSError: [Errno 28] No space left on device: 'out.pth'\n"


@pytest.fixture
def explained(tmp_path):
    def of(text):
        (tmp_path / "a.log").write_bytes(text if isinstance(text, bytes) else text.encode())
        return explain(str(tmp_path / "a.log"))

    return of


def screen(explanation):
    sink = io.StringIO()
    PlainConsole(file=sink).print(explain_screen(explanation))
    return sink.getvalue()


def test_a_cascade_has_one_cause(explained):
    explanation = explained(HEALTHY + CPU_ONLY + UNKNOWN + FULL + MISMATCH + HEALTHY)
    assert [(cause.id, cause.follows_from) for cause in explanation.causes] == [
        ("driver.module-match", None),
        ("driver.uvm", "driver.module-match"),
        ("torch.cpu-only", "driver.module-match"),
        ("disk.full", None),
    ]
    assert [cause.id for cause in explanation.roots] == ["driver.module-match", "disk.full"]


def test_without_its_cause_a_consequence_is_one(explained):
    explanation = explained(UNKNOWN + CPU_ONLY)
    assert [(cause.id, cause.follows_from) for cause in explanation.causes] == [
        ("driver.uvm", None),
        ("torch.cpu-only", "driver.uvm"),
    ]


@pytest.mark.parametrize("line", HEALTHY.splitlines())
def test_a_healthy_line_is_not_explained(explained, line):
    assert explained(line + "\n").causes == ()


def test_a_long_healthy_log_is_not_explained(explained):
    explanation = explained(HEALTHY * 200)
    assert (explanation.causes, explanation.lines) == ((), 200 * HEALTHY.count("\n"))
    words = " ".join(screen(explanation).split())
    assert words == f"? {explanation.lines:,} lines, and none shows a failure that is known here"


def test_the_screen_says_where_why_what_to_do_and_what_follows(explained):
    shown = " ".join(screen(explained(HEALTHY + MISMATCH + UNKNOWN + UNKNOWN + FULL * 1234)).split())
    line = HEALTHY.count("\n") + 1
    for part in (
        f"driver.module-match line {line} Failed to initialize NVML: Driver/library version mismatch why The",
        "its old kernel module is still loaded. fix Reboot, or stop",
        "(needs root, a reboot) sudo reboot more https://",
        f"follows from it: CUDA does not start although the driver answers (line {line + 1})",
        f"line {line + 3} OSError: [Errno 28] No space left on device: 'out.pth' and 1,233 more",
        f"2 causes, 1 that follows, in {line + 2 + 1234:,} lines",
    ):
        assert part in shown


def test_what_was_not_counted_to_the_end_says_so(explained):
    assert f"and at least {MOST - 1:,} more" in screen(explained(FULL * (MOST + 1)))


def test_the_document_has_every_field_and_is_read_again(explained):
    document = json.loads(to_json(explained(FULL + UNKNOWN)))
    assert (document["schema"], document["lines"]) == (SCHEMA, 2)
    assert document["log"].endswith("a.log")
    uvm, full = document["causes"]
    assert (uvm["id"], full["id"]) == ("driver.uvm", "disk.full")
    assert uvm["fix"]["commands"][0] == "sudo nvidia-modprobe -c0 -u"
    assert uvm["fix"]["needs_root"] is True
    assert {name: full[name] for name in ("line", "times", "said", "follows_from", "may_pass")} == {
        "line": 1,
        "times": 1,
        "said": FULL.strip(),
        "follows_from": None,
        "may_pass": False,
    }


def test_nothing_that_a_terminal_obeys_comes_through(explained):
    hostile = (
        b"\x1b]0;title\x07\x1b[31m[bold red]x[/] \x9b31m \xe2\x80\xae\xff\x08\x00 OSError: [Errno 28] "
        b"No space left on device\tx\x1b[2J\n"
    )
    (cause,) = explained(hostile).causes
    assert cause.said.isprintable()
    assert "OSError: [Errno 28] No space left on device x" in cause.said
    assert "[bold red]x[/]" in screen(explained(hostile))
    assert all(character.isprintable() or character == "\n" for character in screen(explained(hostile)))


def test_a_long_line_is_cut_to_the_text_and_its_neighbourhood(explained):
    (cause,) = explained("x" * 5000 + " " + FULL.strip() + " " + "y" * 5000).causes
    assert FULL.strip() in cause.said
    assert cause.said.startswith("... xx")
    assert cause.said.endswith("yy ...")
    assert len(cause.said) < 220


def test_a_compressed_log_is_explained(explained):
    assert [cause.id for cause in explained(gzip.compress(FULL.encode())).causes] == ["disk.full"]


def test_no_two_symptoms_explain_each_other_and_each_that_explains_is_in_the_list():
    names = [one.id for one in SYMPTOMS]
    assert len(set(names)) == len(names)
    assert {cause for one in SYMPTOMS for cause in one.caused_by} <= set(names)
    for name, root in roots({one.id: one.caused_by for one in SYMPTOMS}, names).items():  # ends, or raises
        assert root in names, name


def test_the_root_is_the_end_of_the_likeliest_way():
    caused_by = {"a": ("x", "b"), "b": ("c", "d"), "c": (), "d": (), "e": ("absent",)}
    assert roots(caused_by, {"a", "b", "c", "d", "e"}) == {"a": "c", "b": "c", "c": "c", "d": "d", "e": "e"}


def test_every_symptom_says_why_or_what_to_do_in_whole_sentences():
    for one in SYMPTOMS:
        assert one.fix.text.endswith((".", "?", ":")), one.id
        assert one.why == "" or one.why.endswith("."), one.id
        assert not one.title.endswith("."), one.id
        assert one.link == "" or one.link.startswith("https://"), one.id


def test_the_doctor_and_the_log_speak_of_a_failure_in_the_same_words(root):
    titles = {one.id: one.title for one in SYMPTOMS}
    shared = set()
    for name, host in read_hosts([str(root / "tests" / "hosts")]):
        for finding in diagnose(host).findings:
            if finding.status == "error" and finding.id in titles:
                assert finding.title == titles[finding.id], name
                shared.add(finding.id)
    assert {"driver.module-match", "driver.open-module", "card.nouveau"} <= shared


def test_the_doctor_and_the_log_know_the_same_xids():
    told = {one.id: one.in_log for one in SYMPTOMS}
    for name, codes in (("gpu.fault", (*RESET, *GOES_ON)), ("gpu.program-fault", OF_PROGRAMS)):
        assert [one for one in told[name] if "Xid" in one] == [
            f"NVRM: Xid (PCI:...): {code}, " for code in sorted(codes)
        ]


def test_the_page_of_the_texts_says_what_the_list_says(root):
    assert (root / "docs" / "symptoms.md").read_text(encoding="utf-8") == page(), (
        "python -m tests.explain.page > docs/symptoms.md"
    )
