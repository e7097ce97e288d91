"""What a difference between two runs can do to results: its kind, how likely it decides, what it forbids.

The rules are looked through in order, and the first whose pattern fits a fact's path counts. The likelihoods
only order differences that stand beside each other: nothing is computed with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "seed", "data", "config", "code", "library", "computing", "driver", "hardware", "time", "place", "result"
]

# What must be the same: for the same experiment; for the same bits; for neither.
Needed = Literal["experiment", "bits", "none"]

# From these on a difference is one that can change a result.
POSSIBLE = 10


@dataclass(frozen=True, slots=True)
class Influence:
    """One rule."""

    paths: str  # a regular expression for all of a fact's path
    kind: Kind
    likelihood: int  # 0: it changes no result
    why: str = ""
    needed: Needed = "none"


# Variables that choose kernels, numbers of threads, or the libraries that are loaded at all.
_DECISIVE = r"(OMP|MKL|OPENBLAS|KMP|ONEDNN|DNNL|TORCH|CUBLAS|NVIDIA_TF32|ATEN|NPY|NUMEXPR|PYTHONHASHSEED)"
_VERSION = "Another version computes otherwise."
_OTHER_SUMS = "Sums are taken in another order."

_RULES = (
    Influence(
        r"(metrics|epochs|outputs|published)\b.*|(exit_code|exit_code_of|problem|finding|damaged\b.*)",
        "result",
        0,
    ),
    # A proof's errors are what this machine's kernels came to: a result themselves.
    Influence(r"proof\.(devices|operations)\b.*(error|failure)", "result", 0),
    Influence(r"proof\.(schema|kept|unkept|differences)", "place", 0),
    Influence(r"(id|started|ended|memory\b.*|seconds\b.*|host\.probed|.*_seconds|.*\.seconds)", "time", 0),
    Influence(r"seed", "seed", 100, "Every random number is another one.", "experiment"),
    Influence(r"stage", "config", 99, "Another stage was run.", "experiment"),
    Influence(r"resumed_from", "config", 98, "It went on from a checkpoint.", "experiment"),
    Influence(r"inputs\[.*\.ya?ml\]\..*", "config", 12, "A config file is another one; its keys say how."),
    Influence(
        r"inputs\[.*\]\..*",
        "data",
        98,
        "A file that was read, weights or detections, is another one.",
        "experiment",
    ),
    Influence(r"dataset\.fingerprint", "data", 97, "Annotations or pictures are others.", "experiment"),
    Influence(r"dataset\.contents", "data", 97, "The pictures' contents differ.", "experiment"),
    Influence(r"dataset\.root", "place", 0),
    Influence(r"config\.(OUTPUT_DIR|LOG_DIR|DATA_DIR|DATASET\.ROOT|RANK)", "place", 0),
    # What lies in the files is held by their digests.
    Influence(r"config\.(.*_FILE|.*PRETRAINED)", "config", 60, "Other files were named."),
    Influence(
        r"config\.(PRINT_FREQ|DEBUG\..*|PIN_MEMORY|GPUS|AUTO_RESUME|TRAIN\.CHECKPOINT_MINUTES)",
        "config",
        5,
        "It changes no number by itself.",
    ),
    Influence(r"config\.WORKERS", "config", 6, "Random numbers do not depend on the workers."),
    Influence(r"config\..*", "config", 95, "The configuration asks for something else.", "experiment"),
    Influence(r"environment\.pose", "code", 94, "pose itself is another one.", "experiment"),
    Influence(
        r"computing\.(deterministic|cudnn_.*|tf32_.*|cublas_workspace|mkldnn|matmul_precision)",
        "computing",
        80,
        "Other kernels.",
        "bits",
    ),
    Influence(r"computing\.world_size", "computing", 85, "Batches are put together otherwise.", "experiment"),
    Influence(r"computing\.batches_together", "computing", 85, "Batches are put together otherwise.", "bits"),
    Influence(
        r"computing\.(device|devices)\b.*",
        "hardware",
        78,
        "Another device, or another class of GPU, has kernels of its own.",
        "experiment",
    ),
    Influence(r"computing\.variables\b.*", "computing", 71, "It chooses kernels or threads.", "bits"),
    Influence(r"computing\.default_dtype", "computing", 79, "Numbers have another width.", "bits"),
    Influence(r"computing\.(.*threads|instructions)", "computing", 70, _OTHER_SUMS, "bits"),
    Influence(
        r"computing\.processor.*", "hardware", 66, "Another processor may choose other kernels.", "bits"
    ),
    Influence(r"computing\.workers", "computing", 6, "Random numbers do not depend on the workers."),
    Influence(r"computing\..*", "computing", 65, _OTHER_SUMS, "bits"),
    Influence(r"proof\.(torch|torch_cuda|cudnn|nccl)", "library", 76, _VERSION, "bits"),
    Influence(r"proof\.(numpy|opencv|pycocotools|python)", "library", 74, _VERSION, "bits"),
    Influence(r"proof\.devices\b.*\.uuid", "place", 0),
    Influence(r"proof\..*", "hardware", 11, "", "bits"),
    Influence(
        r"environment\.(lock_hash|recipe|differences)",
        "library",
        72,
        "Other packages were installed.",
        "bits",
    ),
    # What a recipe installs is in its lock, and what an image holds in its id.
    Influence(r"environment\.recipe_(hash|file)", "library", 8, "The recipe was written anew."),
    Influence(r"environment\.image\.(engine|name|base|is_recipes_base)", "place", 8),
    Influence(
        r"(environment\.image\b.*|environment\.python)",
        "library",
        40,
        "Another image or interpreter.",
        "bits",
    ),
    Influence(r"environment\.kind", "place", 8, "The same packages, elsewhere.", "bits"),
    Influence(r"environment\.(limits\b.*|reused|bundle)", "place", 8, "The same packages, elsewhere."),
    Influence(r"git\.(commit|changes|dirty)", "code", 30, "The working directory's code is another one."),
    Influence(r"argv", "config", 20, "Something else was typed.", "bits"),
    Influence(
        r"host\.driver\..*", "driver", 28, "Another driver compiles and runs kernels otherwise.", "bits"
    ),
    Influence(r"host\.gpus\[\d+\]\.(name|compute_capability)", "hardware", 26, "Another GPU.", "bits"),
    Influence(r"host\.gpus\[\d+\]\.(memory_mib|mig\b.*|brand)", "hardware", 14, "Another GPU."),
    Influence(r"host\.gpus\b.*", "hardware", 3),  # what it is doing, and where it sits
    Influence(
        rf"host\.surroundings\.variables\.{_DECISIVE}\w*",
        "computing",
        45,
        "It chooses kernels or threads.",
    ),
    Influence(
        r"host\.surroundings\.(variables\.LD_\w+|shadowing\b.*)",
        "computing",
        44,
        "Other libraries may be loaded.",
        "bits",
    ),
    Influence(r"host\.os\.(glibc|machine)", "library", 14, "Another system below.", "bits"),
    Influence(r"host\.os\.(kernel|distribution)", "library", 11, "Another system below."),
    # Of what the doctor says its facts decide, which have rules of their own; a sick GPU can compute wrong.
    Influence(r"health\.unknown", "place", 0),
    Influence(
        r"health\.gpu\.(fault|memory-health|lost)", "hardware", 12, "A GPU in trouble may compute wrong."
    ),
    Influence(r"health\.(driver|card)\..*", "driver", 4),
    Influence(r"health\.(packages|python|numpy|opencv|torch)\..*", "library", 4),
    Influence(r"health\..*", "hardware", 3),
    Influence(r"envcheck", "code", 13, "Another envcheck; it computes nothing itself."),
    Influence(r"host\..*", "hardware", 3),
    # What nobody has thought of can be what decides.
    Influence(r".*", "place", POSSIBLE, "Nobody knows what it decides.", "bits"),
)
_COMPILED = tuple((re.compile(rule.paths, re.DOTALL), rule) for rule in _RULES)


def influence_of(path: str) -> Influence:
    """Return the rule for a fact."""
    return next(rule for pattern, rule in _COMPILED if pattern.fullmatch(path))
