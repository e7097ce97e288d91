"""What a difference between two runs can do to their results: which kind it is of, and how likely it decides.

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

# From these on a difference is one that can change a result.
POSSIBLE = 10


@dataclass(frozen=True, slots=True)
class Influence:
    """One rule."""

    paths: str  # a regular expression for all of a fact's path
    kind: Kind
    likelihood: int  # 0: it changes no result
    why: str = ""


_RULES = (
    Influence(
        r"(metrics|epochs|outputs|published)\b.*|(exit_code|exit_code_of|problem|finding)", "result", 0
    ),
    Influence(r"(id|started|ended|memory\b.*|host\.probed|.*_seconds|.*\.seconds)", "time", 0),
    Influence(r"seed", "seed", 100, "Every random number is another one."),
    Influence(r"inputs\[.*\.ya?ml\]\..*", "config", 12, "A config file is another one; its keys say how."),
    Influence(
        r"inputs\[.*\]\..*", "data", 98, "A file that was read, weights or detections, is another one."
    ),
    Influence(r"dataset\.fingerprint", "data", 97, "Annotations or pictures are others."),
    Influence(r"config\.(OUTPUT_DIR|LOG_DIR|DATA_DIR|DATASET\.ROOT|RANK)", "place", 0),
    Influence(r"config\.(.*_FILE|.*PRETRAINED)", "config", 60, "Other files were named."),
    Influence(
        r"config\.(PRINT_FREQ|DEBUG\..*|PIN_MEMORY|GPUS)", "config", 5, "It changes no number by itself."
    ),
    Influence(r"config\.WORKERS", "config", 6, "Random numbers do not depend on the workers."),
    Influence(r"config\..*", "config", 95, "The configuration asks for something else."),
    Influence(r"stage", "config", 99, "Another stage was run."),
    Influence(r"environment\.pose", "code", 94, "pose itself is another one."),
    Influence(
        r"computing\.(deterministic|cudnn_.*|tf32_.*|cublas_workspace)", "computing", 80, "Other kernels."
    ),
    Influence(
        r"computing\.(world_size|batches_together)", "computing", 85, "Batches are put together otherwise."
    ),
    Influence(
        r"computing\.(device|devices)\b.*", "hardware", 78, "Another device computes in another order."
    ),
    Influence(r"proof\.(torch|torch_cuda|cudnn)", "library", 76, "Another version computes otherwise."),
    Influence(
        r"proof\.(numpy|opencv|pycocotools|python)", "library", 74, "Another version computes otherwise."
    ),
    Influence(
        r"environment\.(lock_hash|recipe|differences)", "library", 72, "Other packages were installed."
    ),
    Influence(r"computing\.(threads|instructions)", "computing", 70, "Sums are taken in another order."),
    Influence(r"computing\.processor", "hardware", 66, "Another processor may choose other kernels."),
    Influence(r"computing\.workers", "computing", 6, "Random numbers do not depend on the workers."),
    Influence(
        r"(environment\.image\b.*|environment\.python)", "library", 40, "Another image or interpreter."
    ),
    Influence(r"git\.(commit|changes|dirty)", "code", 30, "The working directory's code is another one."),
    Influence(r"argv", "config", 20, "Something else was typed."),
    Influence(r"host\.driver\..*", "driver", 28, "Another driver compiles and runs kernels otherwise."),
    Influence(r"host\.gpus\b.*", "hardware", 26, "Another GPU, or another state of it."),
    Influence(r"(proof\.arch_flags|proof\.devices\b.*|proof\.threads|proof\.platform)", "hardware", 11),
    Influence(r"host\.os\.(kernel|glibc|distribution|machine)", "library", 14, "Another system below."),
    Influence(r"envcheck", "code", 13, "Another envcheck; it computes nothing itself."),
    Influence(r"environment\.(kind|limits\b.*)", "place", 8, "The same packages, elsewhere."),
    Influence(r"host\..*", "hardware", 3),
    Influence(r".*", "place", 0),
)
_COMPILED = tuple((re.compile(rule.paths), rule) for rule in _RULES)


def influence_of(path: str) -> Influence:
    """Return the rule for a fact."""
    return next(rule for pattern, rule in _COMPILED if pattern.fullmatch(path))
