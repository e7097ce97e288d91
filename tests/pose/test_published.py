"""The published figures: which configs have them, what makes a run comparable, what --expect makes of it."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

from pose.command import published  # noqa: E402
from pose.command.arguments import parse, stage_named  # noqa: E402
from pose.command.config import Config, Dataset, Evaluation, Model, load  # noqa: E402
from pose.command.expect import Expectation, expectation  # noqa: E402
from pose.command.published import COCO_METRICS, known  # noqa: E402
from pose.errors import PoseError  # noqa: E402
from pose.judging.evaluate import coco_table  # noqa: E402
from pose.networks import models  # noqa: E402

ALL_OF_COCO = 5000
RES50 = "experiments/coco/resnet/res50_256x192_d256x3_adam_lr1e-3.yaml"
DETECTED = ("TEST.USE_GT_BBOX", "False")
FILES = {
    **{
        f"coco/resnet/res{depth}_{size}_d256x3_adam_lr1e-3.yaml": f"ResNet-{depth} at {size} on COCO val2017"
        for depth in (50, 101, 152)
        for size in ("256x192", "384x288")
    },
    **{
        f"coco/hrnet/w{width}_{size}_adam_lr1e-3.yaml": f"HRNet-W{width} at {size} on COCO val2017"
        for width in (32, 48)
        for size in ("256x192", "384x288")
    },
}


def row_named(name):
    (row,) = (row for row in published.rows() if row.name == name)
    return row


def test_the_rows_are_those_of_the_public_readme(shared):
    """behaviour.md section 15, read line by line."""
    text = (shared / "pose" / "behaviour.md").read_text(encoding="utf-8")
    text = text.split("## 15.")[1].split("## 16.")[0]
    names = {"res": "ResNet-", "hrnet w": "HRNet-W"}
    rows = {}
    for kind, number, size, figures in re.findall(
        r"^\| (res|hrnet w)(\d+) \| (\d+x\d+) \| [\d.]+M \| [\d.]+ \| (.*) \|$", text, re.MULTILINE
    ):
        rows[f"{names[kind]}{number} at {size} on COCO val2017"] = [float(f) for f in figures.split(" | ")]
    mpii = text.split("MPII val, 256x256")[1].split("MS README")[0]
    for kind, number, figures in re.findall(r"(res|hrnet w)(\d+) ((?:\d+\.\d ?){9})", mpii):
        name = f"{names[kind]}{number} at 256x256 on MPII's validation set"
        rows[name] = [float(f) for f in figures.split()]
    assert len(rows) == 14
    large = text.split("384x384: ")[1]
    for number, mean, strict in re.findall(r"res(\d+) (?:Mean )?([\d.]+) \((?:@.1 )?([\d.]+)\)", large):
        rows[f"ResNet-{number} at 384x384 on MPII's validation set"] = [float(mean), float(strict)]
    assert {row.name: list(row.metrics.values()) for row in published.rows()} == rows
    assert len(rows) == 17


@pytest.mark.parametrize("file", FILES)
def test_every_public_file_is_known_and_with_detected_boxes_comparable(file):
    config, _ = load(f"experiments/{file}", DETECTED)
    found = known(config, ALL_OF_COCO)
    assert (found.row.name, found.differences) == (FILES[file], ())


def test_a_file_is_known_by_its_values_and_not_by_its_name(root, tmp_path):
    text = (root / "pose" / RES50).read_text(encoding="utf-8")
    renamed = tmp_path / "mine.yaml"
    retrained = text.replace("SIGMA: 2", "SIGMA: 3").replace("LR: 0.001", "LR: 0.01")
    renamed.write_text(retrained, encoding="utf-8")
    config, _ = load(str(renamed), (*DETECTED, "TEST.COCO_BBOX_FILE", f"/there/{published.DETECTIONS}"))
    assert known(config, ALL_OF_COCO).differences == ()
    same_name = tmp_path / Path(RES50).name
    same_name.write_text(text.replace("NUM_LAYERS: 50", "NUM_LAYERS: 34"), encoding="utf-8")
    assert known(load(str(same_name), DETECTED)[0], ALL_OF_COCO) is None


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (("MODEL.EXTRA.NUM_LAYERS", "34"), "MODEL.EXTRA.NUM_LAYERS is 34 (published: 50)"),
        (("MODEL.EXTRA.FINAL_CONV_KERNEL", "3"), "FINAL_CONV_KERNEL is 3 (published: 1)"),
        (("MODEL.EXTRA.DECONV_WITH_BIAS", "True"), "DECONV_WITH_BIAS is True (published: False)"),
        (("MODEL.EXTRA.NUM_DECONV_FILTERS", "(256, 256, 128)"), "128) (published: (256, 256, 256))"),
        (("MODEL.IMAGE_SIZE", "(256, 256)", "MODEL.HEATMAP_SIZE", "(64, 64)"), "SIZE is (256, 256)"),
        (("MODEL.NUM_JOINTS", "16"), "MODEL.NUM_JOINTS is 16 (published: 17)"),
    ],
)
def test_another_network_is_not_known_and_the_nearest_row_says_why(overrides, says):
    config, _ = load(RES50, (*DETECTED, *overrides))
    assert known(config, ALL_OF_COCO) is None
    with pytest.raises(PoseError) as caught:
        expectation(parse(stage_named("test"), ["--expect"]), config, None)
    assert "nothing is published" in caught.value.message
    assert says in caught.value.message
    assert "--expect FIGURE" in caught.value.hint


@pytest.mark.parametrize(
    "file", ["coco/hrnet/w32_256x192_adam_lr1e-3.yaml", "coco/hrnet/w48_384x288_adam_lr1e-3.yaml"]
)
def test_an_hrnet_of_another_depth_or_width_is_not_known(file):
    for key, value in (("STAGE3.NUM_MODULES", "3"), ("STAGE4.NUM_BLOCKS", "(4, 4, 4, 2)")):
        config, _ = load(f"experiments/{file}", (*DETECTED, f"MODEL.EXTRA.{key}", value))
        assert known(config, ALL_OF_COCO) is None


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (("TEST.USE_GT_BBOX", "True"), "TEST.USE_GT_BBOX is True"),
        (("TEST.FLIP_TEST", "False"), "TEST.FLIP_TEST is False (published: True)"),
        (("TEST.POST_PROCESS", "False"), "TEST.POST_PROCESS is False"),
        (("TEST.SHIFT_HEATMAP", "False"), "TEST.SHIFT_HEATMAP is False"),
        (("TEST.COCO_BBOX_FILE", "my boxes/ones.json"), "TEST.COCO_BBOX_FILE is 'my boxes/ones.json'"),
        (("TEST.COCO_BBOX_FILE", ""), "TEST.COCO_BBOX_FILE is ''"),
        (("TEST.IMAGE_THRE", "0.3"), "TEST.IMAGE_THRE is 0.3 (published: 0.0)"),
        (("TEST.IN_VIS_THRE", "0.0"), "TEST.IN_VIS_THRE is 0.0 (published: 0.2)"),
        (("TEST.OKS_THRE", "0.5"), "TEST.OKS_THRE is 0.5 (published: 0.9)"),
        (("TEST.SOFT_NMS", "True"), "TEST.SOFT_NMS is True"),
        (("TEST.OKS_SIGMAS", "(0.1,)"), "TEST.OKS_SIGMAS is (0.1,)"),
        (("DATASET.TEST_SET", "val2014"), "DATASET.TEST_SET is 'val2014' (published: 'val2017')"),
        (("DATASET.COLOR_RGB", "True"), "DATASET.COLOR_RGB is True (published: False)"),
        (("TEST.FLIP_TEST", "False", "TEST.SOFT_NMS", "True"), "TEST.SOFT_NMS is True"),
    ],
)
def test_other_conditions_are_said_and_refused_with_the_changes_that_make_them_the_published_ones(
    overrides, says
):
    config, _ = load(RES50, (*DETECTED, *overrides))
    found = known(config, ALL_OF_COCO)
    assert says in found.note
    with pytest.raises(PoseError) as caught:
        expectation(parse(stage_named("test"), ["--expect"]), config, found)
    assert says in caught.value.message
    assert caught.value.exit_code == 2
    changed, _ = load(RES50, (*DETECTED, *overrides, *shlex.split(caught.value.hint)))
    assert known(changed, ALL_OF_COCO).differences == ()


def test_true_boxes_are_said_to_give_more():
    config, _ = load(RES50)
    assert "true boxes give about .02 more" in known(config, ALL_OF_COCO).note


def test_a_part_of_coco_and_random_weights_are_not_the_published_test():
    config, _ = load(RES50, DETECTED)
    assert "the set has 32 pictures, COCO's val2017 5000" in known(config, 32).note
    assert known(config).differences == ()  # how many it has is not known yet
    assert "the weights are random" in known(config, ALL_OF_COCO, untrained=True).note
    with_file, _ = load(RES50, (*DETECTED, "TEST.MODEL_FILE", "w.pth"))
    assert known(with_file, ALL_OF_COCO, untrained=True).differences == ()


def mpii(size, *, flip=True):
    """A config of MPII's validation set for ResNet-101."""
    extra = load(RES50, ("MODEL.EXTRA.NUM_LAYERS", "101"))[0].MODEL.EXTRA
    return Config(
        MODEL=Model(NAME="pose_resnet", NUM_JOINTS=16, IMAGE_SIZE=(size, size), EXTRA=extra),
        DATASET=Dataset(DATASET="mpii", TEST_SET="valid"),
        TEST=Evaluation(FLIP_TEST=flip, POST_PROCESS=True, SHIFT_HEATMAP=True),
    )


def test_mpii_has_its_own_rows_conditions_and_scale():
    found = known(mpii(256), 2958)
    assert (found.row.name, found.differences) == ("ResNet-101 at 256x256 on MPII's validation set", ())
    assert found.row.metrics["Mean"] == 89.1
    assert "TEST.FLIP_TEST is False" in known(mpii(256, flip=False), 2958).note
    assert known(mpii(320), 2958) is None
    expected = expectation(parse(stage_named("test"), ["--expect"]), mpii(256), found)
    expected.hold({"Mean": 88.9})
    with pytest.raises(PoseError, match=r"Mean 88\.89000 is 0\.21000 below 89\.1"):
        expected.hold({"Mean": 88.89})


def test_of_the_large_mpii_networks_only_the_means_are_held_against_anything():
    large = known(mpii(384), 2958)
    assert list(large.row.metrics) == ["Mean", "Mean@0.1"]
    assert large.apart({"Head": 96.0, "Mean": 91.003, "Mean@0.1": 38.86}) == pytest.approx(
        {"Mean": 1.0, "Mean@0.1": 0.0}
    )


def test_the_table_has_the_published_row_and_the_differences_below_its_own():
    figures = [0.7061, 0.886, 0.7829, 0.671, -1.0, 0.76, 0.929, 0.834, 0.721, 0.824]
    found = known(load(RES50)[0], ALL_OF_COCO)
    assert coco_table("pose_resnet", dict(zip(COCO_METRICS, figures, strict=True)), found).splitlines() == [
        "| Arch | AP | Ap .5 | AP .75 | AP (M) | AP (L) | AR | AR .5 | AR .75 | AR (M) | AR (L) |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        "| pose_resnet | 0.706 | 0.886 | 0.783 | 0.671 | -1.000 | 0.760 | 0.929 | 0.834 | 0.721 | 0.824 |",
        "| published * | 0.704 | 0.886 | 0.783 | 0.671 | 0.772 | 0.763 | 0.929 | 0.834 | 0.721 | 0.824 |",
        "| difference | +0.002 | +0.000 | -0.000 | +0.000 | - | -0.003 | +0.000 | +0.000 | +0.000 | +0.000 |",
    ]


@pytest.mark.parametrize(
    ("found", "side"),
    [(0.704, ""), (0.702, ""), (0.706, ""), (0.70199, "below"), (0.70601, "above"), (0.0, "below")],
)
def test_a_difference_of_two_thousandths_is_allowed_and_one_above_it_names_both_figures(found, side):
    expected = Expectation("AP", 0.704, "given", 0.002)
    if not side:
        expected.hold({"AP": found})
        return
    with pytest.raises(PoseError) as caught:
        expected.hold({"AP": found})
    assert caught.value.exit_code == 1
    assert f"AP {found:.5f} is {abs(found - 0.704):.5f} {side} 0.704" in caught.value.message


@pytest.mark.parametrize(
    ("words", "figure", "overrides"),
    [
        (("--expect", "TEST.SOFT_NMS", "True"), None, ("TEST.SOFT_NMS", "True")),
        (("--expect",), None, ()),
        (("--expect", "--seed", "3"), None, ()),
        (("--expect", "0.704", "GPUS", "0,"), 0.704, ("GPUS", "0,")),
        (("GPUS", "0,", "--expect=.5"), 0.5, ("GPUS", "0,")),
    ],
)
def test_expect_takes_a_number_that_follows_and_else_stands_alone(words, figure, overrides):
    found = parse(stage_named("test"), words)
    assert (found.expects, found.expected_figure, found.overrides) == (True, figure, overrides)
    assert not parse(stage_named("test"), ()).expects


@pytest.mark.parametrize("word", ["nan", "-0.1", "1e9", "inf"])
def test_a_figure_that_is_none_is_refused_at_once(pose, word):
    code, _, err = pose("--check", "test", "--cfg", RES50, "--expect", word)
    assert code == 2
    assert f"--expect {word} is no figure" in err


def test_a_percentage_is_answered_with_the_fraction_and_a_test_set_has_no_figure():
    config, _ = load(RES50)
    with pytest.raises(PoseError, match="AP is at most 1") as caught:
        expectation(parse(stage_named("test"), ["--expect", "70.4"]), config, None)
    assert caught.value.hint == "--expect 0.704"
    hidden = dataclasses.replace(config, DATASET=dataclasses.replace(config.DATASET, TEST_SET="test-dev2017"))
    with pytest.raises(PoseError, match="truth of test-dev2017 is not public") as caught:
        expectation(parse(stage_named("test"), ["--expect", "0.7"]), hidden, None)
    assert caught.value.hint == "DATASET.TEST_SET val2017"


TEST = ("test", "--cfg", "small.yaml")
OUT = Path("output/coco/pose_resnet/small")


@pytest.fixture
def as_published(workplace, monkeypatch):
    """Small.yaml with weights, as if a row of it were published; gives that row's figures, to be set."""
    figures = dict.fromkeys(COCO_METRICS, 0.0)
    row = row_named("ResNet-50 at 256x192 on COCO val2017")
    ours = dataclasses.replace(
        row,
        name="the small network",
        metrics=figures,
        model={"MODEL.EXTRA.NUM_LAYERS": 18, "MODEL.IMAGE_SIZE": (32, 64)},
        conditions={**row.conditions, "TEST.COCO_BBOX_FILE": "COCO_val2017_detections_drawn_person.json"},
    )
    monkeypatch.setattr(published, "rows", lambda: (ours,))
    monkeypatch.setattr(published, "COCO_PICTURES", 4)
    text = Path("small.yaml").read_text(encoding="utf-8")
    settings = ("FLIP_TEST: true", "POST_PROCESS: true", "SHIFT_HEATMAP: true", "IMAGE_THRE: 0.0")
    settings += ("IN_VIS_THRE: 0.2", "OKS_THRE: 0.9")
    Path("small.yaml").write_text("\n  ".join((text.rstrip(), *settings)) + "\n", encoding="utf-8")
    config, _ = load("small.yaml")
    torch.save(models.build(config.MODEL).state_dict(), workplace / "w.pth")
    return figures


def test_a_run_of_a_known_config_shows_the_published_row_and_fails_where_it_is_expected_and_missed(
    as_published, pose
):
    words = ("--run-dir", "run", *TEST, "TEST.MODEL_FILE", "w.pth", *DETECTED)
    as_published["AP"] = 0.5
    code, out, err = pose(*words)
    assert code == 0, err
    own, theirs, apart = ([cell.strip() for cell in line.split("|")[1:-1]] for line in out.splitlines()[2:])
    assert theirs == ["published", "0.500", *["0.000"] * 9]
    assert float(apart[1]) == pytest.approx(float(own[1]) - 0.5)
    (log,) = OUT.glob("*_valid.log")
    for told in (err, log.read_text(encoding="utf-8")):
        assert "published: the small network, under the same conditions" in told
    result = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
    assert result["published"]["metrics"]["AP"] == 0.5
    assert result["published"]["differences"]["AP"] == pytest.approx(result["metrics"]["AP"] - 0.5)
    assert result["published"]["not_comparable"] == []

    Path(OUT / "results/keypoints_val2017_results_0.json").unlink()
    code, out, err = pose(*words, "--expect")
    assert code == 1
    assert len(out.splitlines()) == 5
    assert f"AP {result['metrics']['AP']:.5f} is" in err
    assert "below 0.5, the figure published for the small network" in err
    assert (OUT / "results/keypoints_val2017_results_0.json").is_file()
    again = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
    assert again["metrics"] == result["metrics"]

    as_published["AP"] = round(result["metrics"]["AP"] + 0.001, 3)
    assert pose(*words, "--expect")[0] == 0


@pytest.mark.usefixtures("as_published")
@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        ((), "the published figures are with detected boxes", "TEST.USE_GT_BBOX False"),
        ((*DETECTED, "TEST.FLIP_TEST", "False"), "TEST.FLIP_TEST is False", "TEST.FLIP_TEST True"),
        (("MODEL.EXTRA.NUM_LAYERS", "34"), "nothing is published for this config", "--expect FIGURE"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_work(pose, words, says, hint):
    for check in (("--check",), ()):  # before an environment is built, and before a dataset is read
        code, out, err = pose(*check, *TEST, "TEST.MODEL_FILE", "not_there.pth", *words, "--expect")
        assert (code, out) == (2, "")
        assert says in err
        assert f"hint:  {hint}" in err
    assert not Path("output").exists()


@pytest.mark.usefixtures("as_published")
def test_a_part_of_the_set_is_refused_once_it_was_counted_and_before_the_weights_are_looked_for(
    pose, monkeypatch
):
    monkeypatch.setattr(published, "COCO_PICTURES", 5)
    words = (*TEST, "TEST.MODEL_FILE", "not_there.pth", *DETECTED, "--expect")
    assert pose("--check", *words)[0] == 0
    code, out, err = pose(*words)
    assert (code, out) == (2, "")
    assert "the set has 4 pictures, COCO's val2017 5" in err
    assert not Path("output").exists()


def test_a_figure_of_one_s_own_needs_no_published_one(workplace, pose):
    code, _, err = pose("--run-dir", "run", *TEST, "--untrained", "--expect", "0.9")
    assert code == 1
    assert "below 0.9, the figure given; --expect allows 0.002" in err
    assert json.loads((workplace / "run/result.json").read_text(encoding="utf-8"))["published"] is None
    found = json.loads((workplace / "run/result.json").read_text(encoding="utf-8"))["metrics"]["AP"]
    assert pose(*TEST, "--untrained", "--expect", f"{found:.3f}")[0] == 0
