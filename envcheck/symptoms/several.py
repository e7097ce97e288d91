"""What is said when processes that train together do not find or understand each other."""

from __future__ import annotations

from envcheck.symptoms.symptom import Fix, Symptom

_NCCL = "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html"
_TORCHRUN = "https://docs.pytorch.org/docs/stable/elastic/run.html"

PORT_TAKEN = Symptom(
    "several.port-taken",
    "the port where the ranks meet is taken",
    Fix("Another one, or end who has it.", ("ss -ltnp", "torchrun --master-port 29501 ...")),
    in_log=(
        "The server socket has failed to listen on any local network address",
        "The server socket has failed to bind to",
    ),
    why="A second training on this machine, or the rest of one that was killed.",
    link=_TORCHRUN,
)

HOST_NAME = Symptom(
    "several.host-name",
    "a name of a machine in the team is not known here",
    Fix(
        "Name the first machine by its address; a container without network is localhost to itself.",
        ("getent hosts NAME", "torchrun --rdzv-endpoint ADDRESS:PORT ..."),
    ),
    in_log=("network addresses of (...cannot be retrieved (gai error: ",),
    why="Neither DNS nor /etc/hosts has it.",
    link=_TORCHRUN,
)

UNREACHABLE = Symptom(
    "several.unreachable",
    "a rank does not reach the place where the ranks meet",
    Fix(
        "Is the first rank alive, and its port open between the machines?",
        ("nc -vz ADDRESS PORT", "NCCL_DEBUG=INFO ..."),
    ),
    in_log=(
        "The client socket has timed out after ",
        "The client socket has failed to connect to any network address",
    ),
    why="A firewall, another address than the one meant, or a first rank that died on its own error.",
    link=_TORCHRUN,
    caused_by=("several.host-name", "several.port-taken"),
)

INTERFACE = Symptom(
    "several.interface",
    "NCCL takes a network interface that does not lead to the others",
    Fix(
        "Name the one that does.",
        ("ip -brief address", "NCCL_SOCKET_IFNAME=eth0 GLOO_SOCKET_IFNAME=eth0 ..."),
    ),
    in_log=(
        "NCCL WARN Bootstrap : no socket interface found",
        "NCCL WARN ...Call to connect returned ",
        "NCCL WARN ...Connect to ...failed : ",
    ),
    why="Of several interfaces NCCL picks by name; a bridge of docker or a VPN leads nowhere.",
    link=_NCCL,
)

VERSIONS = Symptom(
    "several.nccl-versions",
    "the ranks do not speak the same NCCL, or not of the same tensors",
    Fix(
        "The same image by digest and the same NCCL_ variables on every machine; then look at the shapes.",
        ('python -c "import torch; print(torch.cuda.nccl.version())"', "env | grep NCCL_"),
    ),
    in_log=(
        "Message truncated : received ",
        "message truncated : receiving ",
        "ncclInvalidUsage: This usually reflects invalid usage of NCCL library",
    ),
    why="Another version or another setting on one machine, or ranks whose collectives differ.",
    link=_NCCL,
    caused_by=("gpu.twice",),
)

PEERS = Symptom(
    "several.peer-access",
    "the GPUs of this machine do not reach each other directly",
    Fix(
        "Go by main memory; then see whether ACS or the IOMMU stands between them.",
        ("nvidia-smi topo -p2p r", "NCCL_P2P_DISABLE=1 ..."),
    ),
    in_log=(
        "peer access is not supported between these two devices",
        "peer mapping resources exhausted",
    ),
    why="Bridges with access control (ACS), virtual machines, or cards that cannot.",
    link=_NCCL,
)

TIMEOUT = Symptom(
    "several.timeout",
    "the ranks waited for one that never came",
    Fix(
        "Find the rank that is behind: the first error in its own log, or where it hangs.",
        ("NCCL_DEBUG=INFO ...", "py-spy dump --pid PID"),
    ),
    in_log=("Watchdog caught collective operation timeout",),
    why="One rank died, hangs, or has fewer batches than the others.",
    link=_NCCL,
    caused_by=(
        "gpu.lost",
        "gpu.fault",
        "gpu.memory",
        "gpu.program-fault",
        "several.interface",
        "several.nccl-versions",
        "several.peer-access",
        "system.out-of-memory",
        "container.shm",
    ),
)

SYSTEM_ERROR = Symptom(
    "several.nccl-system",
    "NCCL could not use the system as it wanted to",
    Fix("Its own lines above say why, once it is asked for them.", ("NCCL_DEBUG=WARN ...",)),
    in_log=(", unhandled system error", "ncclSystemError: System call (e.g. socket, malloc)"),
    why="A connection, shared memory or a device that failed.",
    link=_NCCL,
    caused_by=(
        "gpu.lost",
        "container.shm",
        "several.interface",
        "several.unreachable",
        "several.peer-access",
        "driver.uvm",
    ),
)
