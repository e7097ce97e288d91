"""What pip says when packages do not arrive."""

from __future__ import annotations

from envcheck.symptoms.symptom import Symptom

FULL_DISK = "Free some space, or move the cache with ENVCHECK_CACHE=DIR."

PIP = (
    Symptom("disk.full", "No space left on device", "the disk is full", FULL_DISK),
    Symptom(
        "wheel.hash",
        "DO NOT MATCH THE HASHES",
        "a wheel does not have the digest that the lock names",
        "The index or mirror serves another file under the same name; nothing of it was kept.",
    ),
    Symptom(
        "network.certificate",
        "CERTIFICATE_VERIFY_FAILED",
        "the package index's certificate was not accepted",
        "Behind an inspecting proxy, tell pip its CA bundle: pip config set global.cert FILE.",
    ),
    Symptom(
        "disk.permission",
        "Permission denied",
        "a file could not be written",
        "Is the cache folder yours? ENVCHECK_CACHE=DIR moves it.",
    ),
    Symptom(
        "wheel.absent",
        "No matching distribution found",
        "no index that pip knows has a wheel that the lock names",
        "Give pip a mirror or a find-links folder that has it (pip config), or check the network.",
    ),
    Symptom(
        "network.timeout",
        "Read timed out",
        "the package index stopped answering",
        "Run again; what was fetched is kept.",
        may_pass=True,
    ),
    Symptom(
        "network.unreachable",
        r"Connection (refused|reset|aborted|broken|timed out)|Failed to establish a new connection|"
        r"ConnectionError|HTTPS?ConnectionPool|"
        r"Temporary failure in name resolution|Network is unreachable",
        "the package index could not be reached",
        "Check network and proxy, then run again.",
        may_pass=True,
    ),
)
