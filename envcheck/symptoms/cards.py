"""What the kernel, the driver and CUDA say of a card: lost, faulty, taken, split, full.

Source of the Xid numbers: NVIDIA's catalogue (https://docs.nvidia.com/deploy/xid-errors/).
"""

from __future__ import annotations

from envcheck.symptoms.symptom import Fix, Symptom
from envcheck.symptoms.xids import GOES_ON, OF_PROGRAMS, RESET, in_log

DRIVER_GUIDE = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"
MIG_GUIDE = "https://docs.nvidia.com/datacenter/tesla/mig-user-guide/"
_XID_CATALOGUE = "https://docs.nvidia.com/deploy/xid-errors/"
BLACKLIST_NOUVEAU = (
    r"printf 'blacklist nouveau\nblacklist nova_core\noptions nouveau modeset=0\n'"
    " | sudo tee /etc/modprobe.d/nouveau.conf"
)
_KERNEL_LOG = "sudo dmesg | grep -e NVRM -e Xid"

LOST = Symptom(
    "gpu.lost",
    "a GPU has fallen off the bus or waits for a reset",
    Fix(
        "Read the reason in the kernel's log, which a reboot clears, then reboot.",
        (_KERNEL_LOG, "sudo reboot"),
        needs_root=True,
        reboot=True,
        destructive=True,
    ),
    in_log=(
        "GPU has fallen off the bus",
        "NVRM: Xid (PCI:...): 79, ",
        "GPU is lost.  Reboot the system to recover this GPU",
        "GPU is lost. Reboot the system to recover this GPU",
        "Unable to determine the device handle for ",
    ),
    why="Heat, power or a fault made the driver give the GPU up; everything that ran on it is lost.",
    link=_XID_CATALOGUE,
)

FAULTY = Symptom(
    "gpu.fault",
    "a GPU reports a fault of its hardware",
    Fix(
        "Stop what runs on it and reset it; if the fault comes back, have the GPU exchanged.",
        (_KERNEL_LOG, "nvidia-smi -q -d ECC,ROW_REMAPPER", "sudo nvidia-smi --gpu-reset -i INDEX"),
        needs_root=True,
        destructive=True,
    ),
    in_log=(
        *in_log((*RESET, *GOES_ON)),
        "CUDA error: uncorrectable ECC error encountered",
        "uncorrectable NVLink error detected during the execution",
    ),
    why="Memory with errors that ECC could not correct, a broken NVLink, or a part of the GPU that stopped; "
    "the number of the Xid says which.",
    link=_XID_CATALOGUE,
    caused_by=("gpu.lost",),
)

NOUVEAU = Symptom(
    "card.nouveau",
    "the card is driven by nouveau, which cannot do CUDA",
    Fix(
        "Blacklist nouveau, rebuild the initial ramdisk and reboot.",
        (
            BLACKLIST_NOUVEAU,
            "sudo update-initramfs -u || sudo dracut --force",
            "sudo reboot",
        ),
        needs_root=True,
        reboot=True,
    ),
    in_log=(
        "NVRM: GPU ...is already bound to nouveau",
        "NVRM: GPU ...is already bound to NovaCore",
        "ERROR: The Nouveau kernel driver is currently in use by your system",
    ),
    why="Linux's own driver took the card before NVIDIA's could.",
    link=DRIVER_GUIDE,
)

OPEN_MODULE = Symptom(
    "driver.open-module",
    "the driver does not drive this card",
    Fix(
        "Install the open kernel modules of the driver's branch and reboot.",
        ("sudo reboot",),
        needs_root=True,
        reboot=True,
    ),
    in_log=("requires use of the NVIDIA open kernel modules",),
    why="Blackwell and Grace Hopper need the open kernel modules.",
    link=f"{DRIVER_GUIDE}kernel-modules.html",
)

UNBOUND = Symptom(
    "card.bound",
    "no kernel driver drives this card",
    Fix(
        "The kernel's log names the branch that the card needs.",
        ("sudo dmesg | grep NVRM",),
        needs_root=True,
    ),
    in_log=("supported through the NVIDIA ...Legacy drivers", "NVRM: No NVIDIA GPU found."),
    why="NVIDIA's module is not loaded, or it does not know this card: each branch drops old generations "
    "and does not yet know new ones.",
    link=DRIVER_GUIDE,
    caused_by=("card.nouveau", "driver.open-module"),
)

NOT_STARTED = Symptom(
    "card.start",
    "the driver could not start a card",
    Fix(
        "The lines around it say why; switch the machine off and on, and try the card in another slot.",
        (_KERNEL_LOG,),
        needs_root=True,
        reboot=True,
        destructive=True,
    ),
    in_log=("RmInitAdapter failed",),
    why="Its firmware did not come up: power, a riser or a slot, the machine's firmware, or a card passed to "
    "a virtual machine that was not reset.",
    link=_XID_CATALOGUE,
    caused_by=("card.nouveau", "driver.open-module", "gpu.lost", "gpu.fault"),
)

FABRIC = Symptom(
    "gpu.fabric",
    "the NVSwitch fabric between the GPUs is not ready",
    Fix(
        "Start the fabric manager, of exactly the driver's version.",
        ("nvidia-smi -q | grep -A 2 Fabric", "sudo systemctl enable --now nvidia-fabricmanager"),
        needs_root=True,
    ),
    in_log=(
        ": system not yet initialized",
        "'system not yet initialized'",
        "CUDA_ERROR_SYSTEM_NOT_READY",
        "cudaErrorSystemNotReady",
    ),
    why="Machines with NVSwitch need nvidia-fabricmanager, running and of the driver's version; "
    "after an upgrade it often is neither (802).",
    link="https://docs.nvidia.com/datacenter/tesla/fabric-manager-user-guide/",
    caused_by=("driver.module-match",),
)

EXCLUSIVE = Symptom(
    "gpu.exclusive",
    "another process has the GPU for itself",
    Fix(
        "End the other process, or let several share the GPU.",
        ("nvidia-smi", "sudo nvidia-smi -c 0"),
        needs_root=True,
        destructive=True,
    ),
    in_log=(
        "all CUDA-capable devices are busy or unavailable",
        "CUDA-capable device(s) is/are busy or unavailable",
        "CUDA_ERROR_DEVICE_UNAVAILABLE",
    ),
    why="The GPU is in compute mode Exclusive_Process, and one process is on it already.",
    link="https://github.com/pytorch/pytorch/issues/3871",
    caused_by=("gpu.lost", "gpu.fault"),
)

MIG_EMPTY = Symptom(
    "gpu.mig",
    "MIG is on and no instance was made: CUDA sees no device there",
    Fix(
        "Make instances of a profile that the first command lists, or turn MIG off by the other.",
        ("sudo nvidia-smi mig -lgip", "sudo nvidia-smi -i INDEX -mig 0"),
        needs_root=True,
        destructive=True,
    ),
    in_log=("No MIG devices found", "No MIG-enabled devices found"),
    why="In MIG mode CUDA uses instances only, never the whole GPU.",
    link=MIG_GUIDE,
)

SHARED_BY_RANKS = Symptom(
    "gpu.twice",
    "two ranks of a training were given the same GPU",
    Fix(
        "Give each rank a GPU of its own by LOCAL_RANK; slices that MIG made of one GPU count as the same.",
        ("nvidia-smi -L",),
    ),
    in_log=("Duplicate GPU detected : rank",),
    why="NCCL joins whole GPUs, each with one rank.",
    link="https://github.com/pytorch/pytorch/issues/130181",
)

MEMORY = Symptom(
    "gpu.memory",
    "the GPU's memory is full",
    Fix(
        "See who else is on it; then a smaller batch (TRAIN.BATCH_SIZE_PER_GPU), or a larger GPU.",
        ("nvidia-smi",),
    ),
    in_log=(
        "CUDA out of memory. Tried to allocate ",
        "CUDA error: out of memory",
        "CUDA_ERROR_OUT_OF_MEMORY",
        "CUBLAS_STATUS_ALLOC_FAILED",
    ),
    why="The batch does not fit, or another process holds memory of the GPU.",
    link="https://docs.pytorch.org/docs/stable/notes/cuda.html",
)

PROGRAM_FAULT = Symptom(
    "gpu.program-fault",
    "the program made the GPU fault",
    Fix(
        "Find the kernel: errors of a GPU are told late, and each is told in its place with this.",
        ("CUDA_LAUNCH_BLOCKING=1 python ...",),
    ),
    in_log=(
        *in_log(OF_PROGRAMS),
        "an illegal memory access was encountered",
        "device-side assert triggered",
    ),
    why="An index out of range, as a label that the network has no output for, or a bug in a kernel; "
    "the hardware is rarely at fault.",
    link=_XID_CATALOGUE,
    caused_by=("gpu.lost", "gpu.fault"),
)
