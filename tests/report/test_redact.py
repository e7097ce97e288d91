"""What a page that everybody can read does not tell, and what it still tells."""

from __future__ import annotations

import dataclasses

import pytest

from envcheck.doctor.diagnose import diagnose
from envcheck.documents import read_json
from envcheck.host.facts import SCHEMA, Gpu, Host, OperatingSystem
from envcheck.report.page import Page
from envcheck.report.redact import Names, Redaction, own_names, redact

NAMES = Names(("gpu07.cluster.example", "node-3"), ("alice", "root"), "/data/people/alice")
UUID = "GPU-5c0d2f1e-0b7a-4f2b-8a44-7f0f1b2f9a01"
SLICE = "MIG-7a3f8f5c-42d5-5f0a-9a52-2b9d4c0b7e11"
CONTAINER = "4f1e" * 16


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("on gpu07.cluster.example now", "on HOST now"),
        ("GPU07: down; gpu07.other.example too", "HOST: down; HOST too"),
        ("node-3/x node-33 anode-3", "HOST/x node-33 anode-3"),
        ("alice may not, malice and alice2 may", "USER may not, malice and alice2 may"),
        ("/data/people/alice/envs/x", "~/envs/x"),
        ("/home/bob/.cache: full; /Users/carol/x", "~/.cache: full; ~/x"),
        ("/Users/Carol Ann Doe/x", "~/x"),
        (r"C:\Users\Carol Doe\driver", r"~\driver"),
        (f"{UUID}, {UUID[4:]}", "GPU-UUID-1, UUID-2"),
        (f"{SLICE} and MIG-{UUID}/3/0", "MIG-UUID-1 and MIG-UUID-2"),
        ("GPU-7f3a9 is gone", "GPU-UUID-1 is gone"),
        (f"docker-{CONTAINER}.scope", "docker-CONTAINER.scope"),
        ("container 4f1e0c9a7b3d stopped", "container CONTAINER stopped"),
        ("serial number: 1324521012345", "serial SERIAL"),
        ("Serial 13A4-521012", "serial SERIAL"),
        ("variables[NCCL_SOCKET_IFNAME]: eth0, now bond7", "variables[NCCL_SOCKET_IFNAME]: another value"),
        ("tcp://10.0.0.7:2375: refused", "SERVER: refused"),
        ("ssh://alice@gpu07/run/docker.sock", "SERVER/run/docker.sock"),
        ("eth0 aa:bb:cc:00:11:22", "eth0 MAC"),
        ("/run/user/1000/docker.sock", "~/docker.sock"),
        ("/mnt/nas01.corp.example.com/data/x: full", "/mnt/SERVER/data/x: full"),
        ("/net/nas01.example, /nfs/a.b.example.org", "/net/SERVER, /nfs/SERVER"),
        ("/srv/nas01.corp.example.com/data", "/srv/SERVER/data"),
    ],
)
def test_what_names_a_machine_or_a_person_is_replaced(text, public):
    assert Redaction(NAMES)(text) == public


@pytest.mark.parametrize(
    "text",
    [
        "driver 550.54.15, kernel 5.15.167.4-microsoft-standard-WSL2",
        "/sys/bus/pci/devices/0000:17:00.0: 10de:2330, driver nvidia",
        "GPU-accelerated, MIG-enabled, GPU 7, gpus[0].memory_mib",
        "https://docs.nvidia.com/datacenter/tesla/mig-user-guide/",
        f"python@sha256:{CONTAINER}",
        "torch2.10-cu128: torch 2.10.0, CUDA 12.8, Python 3.11",
        "/root/.cache, root may do that",
        "sudo nvidia-smi -i 0 -mig 0",
        "docker/docker-compose.gpu.yml:3, /etc/systemd/system/docker.service.d/x.conf, /mnt/data/x",
        "/lib/modules/5.14.0-427.el9.x86_64/build, /usr/lib/libcuda.so.580.95.05, https://a.docs.nvidia.com/x/y",
        "unix:///var/run/docker.sock: permission denied",
    ],
)
def test_what_everybody_may_know_stays(text):
    assert Redaction(NAMES)(text) == text


def test_the_same_uuid_gets_the_same_stand_in_and_another_one_another():
    redaction = Redaction(NAMES)
    other = UUID.replace("a01", "a02")
    assert redaction(f"{UUID} {other}") == "GPU-UUID-1 GPU-UUID-2"
    assert redaction(f"{other} {UUID}") == "GPU-UUID-2 GPU-UUID-1"


def test_uuids_of_the_host_are_known_whatever_they_look_like():
    host = Host(os=OperatingSystem(), driver=None, gpus=(Gpu(uuid="the-first-card"),))
    assert Redaction(NAMES, host)("on the-first-card") == "on UUID-1"


@pytest.mark.parametrize("name", ["ubuntu", "docker", "", "x"])
def test_names_that_everybody_has_are_no_telling(name):
    assert (
        Redaction(Names((name,), (name,), "/"))("ubuntu 22.04, docker 27, x") == "ubuntu 22.04, docker 27, x"
    )


def test_the_note_says_what_was_taken_out_and_what_was_looked_for():
    redaction = Redaction(NAMES)
    redaction(f"alice on node-3: {UUID}")
    said, _, looked_for = redaction.note().partition(" Looked for and not found: ")
    assert said == "Redacted: UUIDs, the host's name, the user's name."
    assert "home folders" in looked_for
    assert "UUIDs" not in looked_for


def test_every_text_of_a_page_is_redacted_and_ids_stay(root):
    host = read_json(root / "tests" / "hosts" / "h100-mig-without-instances.json", Host, schema=SCHEMA)
    diagnosis = diagnose(host)
    telling = "alice on node-3"
    filled = tuple(
        dataclasses.replace(
            finding,
            title=telling,
            evidence=(telling,),
            cause=telling,
            link=telling,
            fix=dataclasses.replace(finding.fix, text=telling, commands=(telling,)) if finding.fix else None,
        )
        for finding in diagnosis.findings
    )
    page = Page(machine=(telling,), diagnosis=dataclasses.replace(diagnosis, findings=filled), pick=telling)
    public = redact(page, NAMES, host)
    assert "alice" not in repr(public)
    assert "node-3" not in repr(public)
    assert [one.id for one in public.diagnosis.findings] == [one.id for one in diagnosis.findings]
    assert public.redacted.startswith("Redacted: the host's name, the user's name.")


def test_whose_home_a_page_shows_is_named_nowhere_on_it(root):
    host = read_json(root / "tests" / "hosts" / "h100-mig.json", Host, schema=SCHEMA)
    diagnosis = diagnose(host)
    finding = dataclasses.replace(
        diagnosis.findings[0],
        evidence=(
            "/home/mmustermann/venv/bin/python",
            "process 7 of mmustermann",
            r"C:\Users\jdoe\x",
            "by jdoe",
        ),
        cause="/home/data/x: the data of mmustermann2 stay",
    )
    page = Page(machine=(), diagnosis=dataclasses.replace(diagnosis, findings=(finding,)))
    (public,) = redact(page, NAMES, host).diagnosis.findings
    assert public.evidence == ("~/venv/bin/python", "process 7 of USER", r"~\x", "by USER")
    assert public.cause == "~/x: the data of mmustermann2 stay"


@pytest.mark.parametrize(
    "text",
    [
        one * 150_000
        for one in (
            "/Users/",
            "GPU-",
            "MIG-0",
            "a-",
            "0a",
            "/home/a b",
            "serial ",
            "tcp://",
            "1:",
            "/a.b",
            "/mnt/",
        )
    ],
)
def test_a_megabyte_of_almost_names_is_read_in_one_go(text):
    """A pattern that tries every split of such a text would need minutes; the test runner's limit tells."""
    assert len(Redaction(NAMES)(text)) > 0


def test_this_machine_has_names(monkeypatch):
    monkeypatch.setenv("SUDO_USER", "carol")
    names = own_names()
    assert names.hosts[0]
    assert "carol" in names.users
