"""Real COCO pictures, the whole way: `make coco-mini` (minutes; needs ../shared/data/coco-mini).

Learns the 86 training people of a few COCO pictures by heart, tests on the same people and on the validation
ones, with and without what was learnt, and draws on a picture. Fails below AP 0.60 on the training people.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

CFG = "experiments/coco/resnet/res18_128x96_mini.yaml"
LEAST_AP = 0.60


def run(stage: str, output: Path, *words: str) -> dict[str, float]:
    """The metrics of one stage, by its record."""
    before = set(output.glob("runs/*"))
    code = "import sys; from envcheck.cli import main; main()"
    argv = [sys.executable, "-c", code, "run", stage, "--cfg", CFG, "--output", str(output), *words]
    print(f"\n$ envcheck {' '.join(argv[3:])}", flush=True)
    subprocess.run(argv, check=True)
    (folder,) = set(output.glob("runs/*")) - before
    return json.loads((folder / "record.json").read_text(encoding="utf-8"))["metrics"]


def main() -> int:
    """The exit code: 0 when the training people were learnt."""
    data = Path(__file__).resolve().parents[2] / "shared" / "data" / "coco-mini"
    if not data.is_dir():
        print("not verified: ../shared/data/coco-mini is not here", file=sys.stderr)
        return 1
    output = Path("demo") / "coco-mini"
    weights = output / "coco" / "pose_resnet" / Path(CFG).stem / "final_state.pth"
    start = time.monotonic()
    run("train", output, "--data", str(data), "AUTO_RESUME", "False")
    seconds = time.monotonic() - start
    trained = ("TEST.MODEL_FILE", str(weights))
    learnt = run("test", output, "--data", str(data), "DATASET.TEST_SET", "train2017", *trained)
    unseen = run("test", output, "--data", str(data), *trained)
    untrained = run("test", output, "--data", str(data), "--untrained")
    picture = data / "images" / "train2017" / "000000489520.jpg"
    run("pred", output, str(picture), "--box", "194.59,133.09,57.93,137.96", *trained)
    print(f"\ntrained in {seconds:.0f} s")
    for name, metrics in (
        ("training people", learnt),
        ("validation people", unseen),
        ("untrained", untrained),
    ):
        print(f"{name:<20} AP {metrics['AP']:.3f}   AP .5 {metrics['Ap .5']:.3f}")
    return 0 if learnt["AP"] >= LEAST_AP else 1


if __name__ == "__main__":
    sys.exit(main())
