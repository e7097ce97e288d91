"""What pip says when packages do not arrive."""

from __future__ import annotations

from envcheck.symptoms.symptom import Fix, Symptom

FULL_DISK = "Free some space, or move the cache with ENVCHECK_CACHE=DIR."

PIP = (
    Symptom(
        "disk.full",
        "the disk is full",
        Fix(FULL_DISK),
        text="No space left on device",
        in_log=(
            ": No space left on device",
            "[Errno 28] No space left on device",
            ": no space left on device",
        ),
    ),
    Symptom(
        "wheel.hash",
        "a wheel does not have the digest that the lock names",
        Fix("The index or mirror serves another file under the same name; nothing of it was kept."),
        text="DO NOT MATCH THE HASHES",
        in_log=("DO NOT MATCH THE HASHES",),
    ),
    Symptom(
        "network.certificate",
        "a server's certificate was not accepted",
        Fix(
            "Behind an inspecting proxy, name its CA bundle, to pip and (SSL_CERT_FILE) to others.",
            ("pip config set global.cert FILE",),
        ),
        text="CERTIFICATE_VERIFY_FAILED",
        in_log=("CERTIFICATE_VERIFY_FAILED",),
    ),
    Symptom(
        "disk.permission",
        "a file could not be written",
        Fix("Is the folder yours, also that of the cache? ENVCHECK_CACHE=DIR moves it."),
        text="Permission denied",
        in_log=("[Errno 13] Permission denied",),
    ),
    Symptom(
        "wheel.absent",
        "no index that pip knows has a wheel that is asked for",
        Fix("Give pip a mirror or a find-links folder that has it (pip config), or check the network."),
        text="No matching distribution found",
        in_log=("ERROR: No matching distribution found for ",),
        caused_by=(
            "wheel.python",
            "system.clock",
            "network.certificate",
            "network.timeout",
            "network.unreachable",
        ),
    ),
    Symptom(
        "network.timeout",
        "a server stopped answering",
        Fix("Run again; what was fetched is kept."),
        text="Read timed out",
        in_log=("Read timed out. (read timeout=", "HTTPSConnectionPool(host=...): Read timed out."),
        may_pass=True,
    ),
    Symptom(
        "network.unreachable",
        "a server could not be reached",
        Fix("Check network and proxy, then run again."),
        text=(
            r"Connection (refused|reset|aborted|broken|timed out)|Failed to establish a new connection|"
            r"ConnectionError|HTTPS?ConnectionPool|"
            r"Temporary failure in name resolution|Network is unreachable"
        ),
        in_log=(
            "Failed to establish a new connection: ",
            "Max retries exceeded with url: ",
            "Temporary failure in name resolution",
            "ConnectionResetError: [Errno 104] Connection reset by peer",
            "[Errno 101] Network is unreachable",
            "Could not resolve host: ",
        ),
        may_pass=True,
    ),
)
