"""The configuration: the public keys and defaults, yacs's value rules, and answers that help."""

from __future__ import annotations

from pathlib import Path

import pytest

from pose.command import config_file, published
from pose.command.config import Config, Options, as_dict, load
from pose.errors import PoseError

# behaviour.md section 2, as it stands there; sizes and steps are lists there, tuples here.
PUBLIC_DEFAULTS = {
    "OUTPUT_DIR": "", "LOG_DIR": "", "DATA_DIR": "", "GPUS": (0,), "WORKERS": 4, "PRINT_FREQ": 20,
    "AUTO_RESUME": False, "PIN_MEMORY": True, "RANK": 0, "CUDNN.BENCHMARK": True,
    "CUDNN.DETERMINISTIC": False, "CUDNN.ENABLED": True, "MODEL.NAME": "pose_hrnet",
    "MODEL.INIT_WEIGHTS": True, "MODEL.PRETRAINED": "", "MODEL.NUM_JOINTS": 17, "MODEL.TAG_PER_JOINT": True,
    "MODEL.TARGET_TYPE": "gaussian", "MODEL.IMAGE_SIZE": (256, 256), "MODEL.HEATMAP_SIZE": (64, 64),
    "MODEL.SIGMA": 2, "LOSS.USE_OHKM": False, "LOSS.TOPK": 8, "LOSS.USE_TARGET_WEIGHT": True,
    "LOSS.USE_DIFFERENT_JOINTS_WEIGHT": False, "DATASET.ROOT": "", "DATASET.DATASET": "mpii",
    "DATASET.TRAIN_SET": "train", "DATASET.TEST_SET": "valid", "DATASET.DATA_FORMAT": "jpg",
    "DATASET.HYBRID_JOINTS_TYPE": "", "DATASET.SELECT_DATA": False, "DATASET.FLIP": True,
    "DATASET.SCALE_FACTOR": 0.25, "DATASET.ROT_FACTOR": 30, "DATASET.PROB_HALF_BODY": 0.0,
    "DATASET.NUM_JOINTS_HALF_BODY": 8, "DATASET.COLOR_RGB": False, "TRAIN.LR": 0.001,
    "TRAIN.LR_FACTOR": 0.1, "TRAIN.LR_STEP": (90, 110), "TRAIN.OPTIMIZER": "adam", "TRAIN.MOMENTUM": 0.9,
    "TRAIN.WD": 0.0001, "TRAIN.NESTEROV": False, "TRAIN.GAMMA1": 0.99, "TRAIN.GAMMA2": 0.0,
    "TRAIN.BEGIN_EPOCH": 0, "TRAIN.END_EPOCH": 140, "TRAIN.RESUME": False, "TRAIN.CHECKPOINT": "",
    "TRAIN.BATCH_SIZE_PER_GPU": 32, "TRAIN.SHUFFLE": True, "TEST.BATCH_SIZE_PER_GPU": 32,
    "TEST.FLIP_TEST": False, "TEST.POST_PROCESS": False, "TEST.SHIFT_HEATMAP": False,
    "TEST.USE_GT_BBOX": False, "TEST.IMAGE_THRE": 0.1, "TEST.NMS_THRE": 0.6, "TEST.SOFT_NMS": False,
    "TEST.OKS_THRE": 0.5, "TEST.IN_VIS_THRE": 0.0, "TEST.COCO_BBOX_FILE": "", "TEST.BBOX_THRE": 1.0,
    "TEST.MODEL_FILE": "", "DEBUG.DEBUG": False, "DEBUG.SAVE_BATCH_IMAGES_GT": False,
    "DEBUG.SAVE_BATCH_IMAGES_PRED": False, "DEBUG.SAVE_HEATMAPS_GT": False,
    "DEBUG.SAVE_HEATMAPS_PRED": False,
}  # fmt: skip
OURS = {"TRAIN.EVAL_EVERY", "TRAIN.CHECKPOINT_MINUTES", "TRAIN.SCALE_LR", "TEST.OKS_SIGMAS"}
COCO_FILES = [(layers, size) for layers in (50, 101, 152) for size in ("256x192", "384x288")]
RES50 = "experiments/coco/resnet/res50_256x192_d256x3_adam_lr1e-3.yaml"


def flat(tree, prefix=""):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def value_of(cfg, key):
    for part in key.split("."):
        cfg = getattr(cfg, part)
    return cfg


def refused(*overrides, cfg=RES50, options=None):
    with pytest.raises(PoseError) as caught:
        load(cfg, overrides, options)
    assert caught.value.exit_code == 2
    return caught.value


def test_the_tree_has_the_public_keys_and_defaults_and_one_of_our_own():
    ours = dict(flat(as_dict(Config())))
    assert {key: value for key, value in ours.items() if key not in OURS} == PUBLIC_DEFAULTS
    assert set(ours) - set(PUBLIC_DEFAULTS) == OURS


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("GPUS", "(0,)", (0,)),
        ("GPUS", "[0]", (0,)),
        ("GPUS", "0,", (0,)),
        ("GPUS", "0,1", (0, 1)),
        ("TRAIN.LR", "1e-4", 0.0001),
        ("DATASET.TEST_SET", "val2014", "val2014"),
        ("DATASET.PROB_HALF_BODY", "-1.0", -1.0),
        ("MODEL.HEATMAP_SIZE", "[48, 64]", (48, 64)),
        ("TEST.FLIP_TEST", "False", False),
        ("MODEL.EXTRA.NUM_LAYERS", "101", 101),
        ("MODEL.PRETRAINED", "None", ""),
    ],
)
def test_values_that_the_public_implementation_takes_are_taken(key, text, value):
    cfg, _ = load(RES50, (key, text))
    assert value_of(cfg, key) == value


@pytest.mark.parametrize(
    ("key", "text", "found", "wanted", "hint"),
    [
        ("GPUS", "0", "0 is an integer", "a tuple", "GPUS '(0,)'"),
        ("GPUS", "(0)", "0 is an integer", "a tuple", "GPUS '(0,)'"),
        ("TRAIN.LR", "1", "1 is an integer", "a number with a point", "TRAIN.LR 1.0"),
        ("TEST.IMAGE_THRE", "0", "0 is an integer", "a number with a point", "TEST.IMAGE_THRE 0.0"),
        ("MODEL.SIGMA", "2.5", "2.5 is a number with a point", "an integer", "MODEL.SIGMA 2"),
        ("TEST.FLIP_TEST", "true", "'true' is a text", "True or False", "TEST.FLIP_TEST True"),
        ("TEST.FLIP_TEST", "1", "1 is an integer", "True or False", "TEST.FLIP_TEST True"),
        ("WORKERS", "True", "True is True or False", "an integer", "WORKERS is 24"),
        ("TEST.MODEL_FILE", "2017", "2017 is an integer", "a text", "TEST.MODEL_FILE \"'2017'\""),
        ("GPUS", "None", "None is nothing", "a tuple", "GPUS is (0, 1, 2, 3)"),
    ],
)
def test_a_value_of_the_wrong_type_is_answered_with_key_types_and_what_would_be_right(
    key, text, found, wanted, hint
):
    error = refused(key, text)
    assert error.message.startswith(f"{key}: {found}, {wanted} was expected")
    assert "command line" in error.message
    assert error.hint.startswith(hint)


@pytest.mark.parametrize(
    "text", ["GPUS '(0,)'", "TRAIN.LR 1.0", "MODEL.SIGMA 2", "TEST.FLIP_TEST True", "TEST.MODEL_FILE \"'1'\""]
)
def test_what_the_hint_says_is_right_when_a_shell_has_read_it(text):
    import shlex

    load(RES50, tuple(shlex.split(text)))


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("TRAIN.LRR", "TRAIN.LR"),
        ("LR", "TRAIN.LR"),
        ("gpus", "GPUS"),
        ("TEST.USE_GT_BOX", "TEST.USE_GT_BBOX"),
        ("BATCH_SIZE_PER_GPU", "TRAIN.BATCH_SIZE_PER_GPU"),
        ("MODEL.EXTRA.NUM_LAYER", "MODEL.EXTRA.NUM_LAYERS"),
    ],
)
def test_a_mistyped_key_is_answered_with_the_one_that_was_meant(key, meant):
    error = refused(key, "1")
    assert error.message.startswith(f"{key}: ")
    assert meant in error.hint


def test_an_override_without_a_value_is_refused():
    assert "GPUS" in refused("TRAIN.LR", "0.1", "GPUS").message


def test_a_section_cannot_be_set_as_a_whole():
    assert "section" in refused("TRAIN", "3").message


def test_the_yaml_may_bring_new_extra_keys_but_an_override_may_not(tmp_path):
    text = config_file.find_config(RES50).read_text(encoding="utf-8")
    own = tmp_path / "own.yaml"
    own.write_text(
        text.replace("    NUM_LAYERS: 50", "    NUM_LAYERS: 50\n    STAGE2: {NUM_CHANNELS: [32, 64]}")
    )
    cfg, _ = load(str(own), ("MODEL.EXTRA.STAGE2.NUM_CHANNELS", "[48, 96]"))
    assert cfg.MODEL.EXTRA.STAGE2.NUM_CHANNELS == (48, 96)
    assert "only its own" in refused("MODEL.EXTRA.NEW", "1", cfg=str(own)).message


@pytest.mark.parametrize(
    ("line", "wrong", "says"),
    [
        ("GPUS: (0,1,2,3)", "GPUS: 0", "GPUS: (0,)"),
        ("  LR: 0.001", "  LR: 1", "LR: 1.0"),
        ("  FLIP: true", "  FLIPP: true", "DATASET.FLIP"),
        ("  FLIP: true", "  FLIP: true\n  FLIP: false", "keep one"),
    ],
)
def test_a_mistake_in_a_yaml_file_is_answered_with_file_and_line(tmp_path, line, wrong, says):
    text = config_file.find_config(RES50).read_text(encoding="utf-8")
    own = tmp_path / "own.yaml"
    own.write_text(text.replace(line, wrong), encoding="utf-8")
    number = text.split(line)[0].count("\n") + 1 + wrong.count("\n")
    error = refused(cfg=str(own))
    assert f"own.yaml, line {number}" in error.message
    assert says in error.hint


@pytest.mark.parametrize(
    "text", ["a: [", "- 1\n- 2", "just words", "a: !!python/object/apply:os.getcwd []", "\x00", "{&a b: *a}"]
)
def test_a_file_that_is_no_config_is_refused_in_a_sentence(tmp_path, text):
    own = tmp_path / "own.yaml"
    own.write_text(text, encoding="utf-8")
    assert "own.yaml" in refused(cfg=str(own)).message


def test_yaml_reads_scientific_notation_and_tuples_as_the_public_implementation_does(tmp_path):
    text = config_file.find_config(RES50).read_text(encoding="utf-8")
    own = tmp_path / "own.yaml"
    own.write_text(text.replace("  LR: 0.001", "  LR: 1e-3"), encoding="utf-8")
    cfg, _ = load(str(own))
    assert (cfg.TRAIN.LR, cfg.GPUS) == (0.001, (0, 1, 2, 3))


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("TRAIN.BATCH_SIZE", "16"), "TRAIN.BATCH_SIZE_PER_GPU 16"),
        (("MODEL.EXTRA.HEATMAP_SIZE", "[48, 64]"), "MODEL.HEATMAP_SIZE '[48, 64]'"),
        (("MODEL.STYLE", "caffe"), "leave it out: of its styles pytorch is built"),
    ],
)
def test_an_override_of_the_older_implementation_is_answered_with_ours(words, hint):
    error = refused(*words)
    assert "microsoft/human-pose-estimation.pytorch" in error.message
    assert error.hint.startswith(hint)


def test_broken_yaml_is_answered_with_its_line(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("GPUS: (0,)\nTRAIN:\n  LR: [0.1\nTEST: {}\n", encoding="utf-8")
    assert "own.yaml, line 4: not YAML" in refused(cfg=str(own)).message


def test_a_config_is_looked_for_here_before_among_the_bundled_ones(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load(RES50)[1].is_relative_to(root / "pose")
    own = tmp_path / RES50
    own.parent.mkdir(parents=True)
    bundled = config_file.find_config(RES50).read_text(encoding="utf-8")
    own.write_text(bundled.replace("NUM_LAYERS: 50", "NUM_LAYERS: 34"), encoding="utf-8")
    assert load(RES50)[0].MODEL.EXTRA.NUM_LAYERS == 34


def test_a_missing_config_is_answered_with_near_names():
    error = refused(cfg="experiments/coco/resnet/res50_256x129_d256x3_adam_lr1e-3.yaml")
    assert error.hint.startswith("did you mean")
    assert RES50 in error.hint


def test_data_dir_goes_before_relative_paths_and_an_empty_pretrained_stays_empty():
    cfg, _ = load(RES50, ("DATA_DIR", "/d", "MODEL.PRETRAINED", "", "TEST.MODEL_FILE", "m.pth"))
    assert (cfg.DATASET.ROOT, cfg.MODEL.PRETRAINED, cfg.TEST.MODEL_FILE) == ("/d/data/coco/", "", "/d/m.pth")
    assert cfg.TEST.COCO_BBOX_FILE.startswith("data/coco/")
    absolute, _ = load(RES50, ("DATA_DIR", "/d", "DATASET.ROOT", "/coco"))
    assert absolute.DATASET.ROOT == "/coco"


def test_options_win_over_overrides_as_in_the_public_implementation():
    options = Options(model_dir="m", log_dir="l", data_dir="d")
    cfg, _ = load(RES50, ("OUTPUT_DIR", "o", "LOG_DIR", "o", "DATA_DIR", "o"), options)
    assert (cfg.OUTPUT_DIR, cfg.LOG_DIR, cfg.DATA_DIR) == ("m", "l", "d")


def test_data_and_output_set_their_keys_and_refuse_an_override_of_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg, _ = load(RES50, ("DATA_DIR", "/d"), Options(data="pictures", output="out"))
    assert (Path(cfg.DATASET.ROOT), cfg.OUTPUT_DIR) == (tmp_path / "pictures", "out")
    for key, option, options in (
        ("DATASET.ROOT", "--data", Options(data="x")),
        ("OUTPUT_DIR", "--output", Options(output="x")),
    ):
        error = refused(key, "y", options=options)
        assert key in error.message
        assert option in error.message


@pytest.mark.parametrize(("layers", "size"), COCO_FILES)
def test_the_known_coco_files_have_the_public_values(layers, size):
    height, width = (int(side) for side in size.split("x"))
    cfg, _ = load(f"experiments/coco/resnet/res{layers}_{size}_d256x3_adam_lr1e-3.yaml")
    assert ((width, height), (width // 4, height // 4)) == (cfg.MODEL.IMAGE_SIZE, cfg.MODEL.HEATMAP_SIZE)
    assert (2 if height == 256 else 3, layers) == (cfg.MODEL.SIGMA, cfg.MODEL.EXTRA.NUM_LAYERS)
    assert dict(cfg.MODEL.EXTRA) == {
        "FINAL_CONV_KERNEL": 1, "DECONV_WITH_BIAS": False, "NUM_DECONV_LAYERS": 3,
        "NUM_DECONV_FILTERS": (256, 256, 256), "NUM_DECONV_KERNELS": (4, 4, 4), "NUM_LAYERS": layers,
    }  # fmt: skip
    assert (cfg.GPUS, cfg.WORKERS, cfg.PRINT_FREQ, cfg.AUTO_RESUME) == ((0, 1, 2, 3), 24, 100, True)
    assert (cfg.DATASET.SCALE_FACTOR, cfg.DATASET.ROT_FACTOR, cfg.DATASET.COLOR_RGB) == (0.3, 40, False)
    assert (cfg.DATASET.PROB_HALF_BODY, cfg.DATASET.ROOT) == (0.0, "data/coco/")
    assert (cfg.TRAIN.END_EPOCH, cfg.TRAIN.LR_STEP, cfg.TRAIN.BATCH_SIZE_PER_GPU) == (140, (90, 120), 32)
    assert (cfg.TEST.IMAGE_THRE, cfg.TEST.IN_VIS_THRE, cfg.TEST.OKS_THRE, cfg.TEST.USE_GT_BBOX) == (
        0.0,
        0.2,
        0.9,
        True,
    )
    assert (cfg.TEST.FLIP_TEST, cfg.TEST.POST_PROCESS, cfg.TEST.SHIFT_HEATMAP) == (True, True, True)
    names = {50: "resnet50-19c8e357", 101: "resnet101-5d3b4d8f", 152: "resnet152-b121ed2d"}
    assert f"models/pytorch/imagenet/{names[layers]}.pth" == cfg.MODEL.PRETRAINED


MPII_FILES = [(f"resnet/res{n}_256x256_d256x3", n) for n in (18, 34, 50, 101, 152)] + [
    (f"hrnet/w{width}_256x256", width) for width in (32, 48)
]


@pytest.mark.parametrize(("stem", "number"), MPII_FILES)
def test_the_known_mpii_files_have_the_public_values(stem, number):
    """behaviour.md section 3."""
    cfg, _ = load(f"experiments/mpii/{stem}_adam_lr1e-3.yaml")
    is_hrnet = stem.startswith("hrnet")
    assert (cfg.AUTO_RESUME, cfg.DATA_DIR, cfg.GPUS, cfg.WORKERS) == (True, "", (0, 1, 2, 3), 24)
    assert (cfg.OUTPUT_DIR, cfg.LOG_DIR, cfg.PRINT_FREQ) == ("output", "log", 100)
    data, model, train, test = cfg.DATASET, cfg.MODEL, cfg.TRAIN, cfg.TEST
    assert (data.DATASET, data.ROOT, data.TRAIN_SET, data.TEST_SET) == (
        "mpii",
        "data/mpii/",
        "train",
        "valid",
    )
    assert (0.25, 30, True, is_hrnet) == (data.SCALE_FACTOR, data.ROT_FACTOR, data.FLIP, data.COLOR_RGB)
    assert (data.PROB_HALF_BODY, data.NUM_JOINTS_HALF_BODY) == (-1.0, 8)
    assert (model.IMAGE_SIZE, model.HEATMAP_SIZE, model.SIGMA) == ((256, 256), (64, 64), 2)
    assert ("pose_hrnet" if is_hrnet else "pose_resnet", 16) == (model.NAME, model.NUM_JOINTS)
    assert (train.BATCH_SIZE_PER_GPU, test.BATCH_SIZE_PER_GPU, train.BEGIN_EPOCH) == (32, 32, 0)
    assert ((210, (170, 200)) if is_hrnet else (140, (90, 120))) == (train.END_EPOCH, train.LR_STEP)
    assert (train.OPTIMIZER, train.LR, train.LR_FACTOR, train.SHUFFLE) == ("adam", 0.001, 0.1, True)
    assert (train.WD, train.MOMENTUM, train.NESTEROV) == (0.0001, 0.9, False)
    assert (train.GAMMA1, train.GAMMA2) == (0.99, 0.0)
    assert (test.FLIP_TEST, test.POST_PROCESS, test.SHIFT_HEATMAP, test.MODEL_FILE) == (True, True, True, "")
    names = {
        18: "resnet18-5c106cde",
        34: "resnet34-333f7ec4",
        50: "resnet50-19c8e357",
        101: "resnet101-5d3b4d8f",
        152: "resnet152-b121ed2d",
        32: "hrnet_w32-36af842e",
        48: "hrnet_w48-8ef0771d",
    }
    assert f"models/pytorch/imagenet/{names[number]}.pth" == model.PRETRAINED
    if is_hrnet:
        widths = tuple(number * 2**branch for branch in range(4))
        stages = [model.EXTRA[f"STAGE{branches}"] for branches in (2, 3, 4)]
        assert [stage.NUM_CHANNELS for stage in stages] == [widths[:2], widths[:3], widths]
        assert [stage.NUM_MODULES for stage in stages] == [1, 4, 3]
        assert (test.USE_GT_BBOX, test.COCO_BBOX_FILE) == (False, "")
    else:
        assert (number, (256, 256, 256)) == (model.EXTRA.NUM_LAYERS, model.EXTRA.NUM_DECONV_FILTERS)
        assert (test.IMAGE_THRE, test.IN_VIS_THRE, test.OKS_THRE, test.USE_GT_BBOX) == (0.0, 0.2, 0.9, True)
        assert (test.NMS_THRE, test.BBOX_THRE) == (1.0, 1.0)


def test_mpii_s_published_files_are_known_without_a_difference():
    found = {
        stem: published.known(load(f"experiments/mpii/{stem}_adam_lr1e-3.yaml")[0]) for stem, _ in MPII_FILES
    }
    means = {stem: known.row.metrics["Mean"] for stem, known in found.items() if known}
    assert all(known.differences == () for known in found.values() if known)
    assert means == {  # behaviour.md section 15
        "resnet/res50_256x256_d256x3": 88.5,
        "resnet/res101_256x256_d256x3": 89.1,
        "resnet/res152_256x256_d256x3": 89.6,
        "hrnet/w32_256x256": 90.3,
    }


def test_every_bundled_file_loads(root):
    files = sorted((root / "pose").glob("experiments/**/*.yaml"))
    public = [file for file in files if file.parts[-3] in {"coco", "mpii"} and "mini" not in file.name]
    ours = [file for file in public if file.name.startswith(("res18", "res34"))]
    assert len(public) - len(ours) == 15  # behaviour.md section 3
    for file in files:
        load(str(file))


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        (("MODEL.IMAGE_SIZE", "(190, 256)"), "MODEL.IMAGE_SIZE"),
        (("MODEL.IMAGE_SIZE", "(192, 192)"), "MODEL.HEATMAP_SIZE"),
        (("MODEL.NAME", "pose_hrnet"), "MODEL.NAME"),
        (("DATASET.DATASET", "crowdpose"), "DATASET.DATASET"),
        (("DATASET.DATASET", "mpii"), "MODEL.NUM_JOINTS"),
        (("TRAIN.OPTIMIZER", "lion"), "TRAIN.OPTIMIZER"),
        (("TRAIN.BATCH_SIZE_PER_GPU", "0"), "TRAIN.BATCH_SIZE_PER_GPU"),
        (("GPUS", "('a',)"), "GPUS"),
        (("GPUS", "(-1,)"), "GPUS"),
        (("MODEL.EXTRA.NUM_LAYERS", "20"), "MODEL.EXTRA.NUM_LAYERS"),
        (("MODEL.EXTRA.NUM_DECONV_FILTERS", "(256,)"), "MODEL.EXTRA.NUM_DECONV_FILTERS"),
        (("TRAIN.LR", "-0.1"), "TRAIN.LR"),
        (("LOSS.USE_OHKM", "True", "LOSS.TOPK", "18"), "LOSS.TOPK"),
        (("LOSS.USE_OHKM", "True", "LOSS.TOPK", "0"), "LOSS.TOPK"),
        (("LOSS.USE_OHKM", "True", "MODEL.NUM_JOINTS", "7"), "LOSS.TOPK"),
        (("TRAIN.OPTIMIZER", "sgd", "TRAIN.NESTEROV", "True", "TRAIN.MOMENTUM", "0.0"), "TRAIN.NESTEROV"),
    ],
)
def test_values_that_cannot_work_are_named_before_any_work(overrides, names):
    assert names in refused(*overrides).message


def test_as_many_hard_joints_as_there_are_will_do_and_topk_alone_is_nothing_to_refuse():
    load(RES50, ("LOSS.USE_OHKM", "True", "LOSS.TOPK", "17"))
    load(RES50, ("LOSS.TOPK", "99"))


def test_a_configuration_cannot_be_changed():
    cfg, _ = load(RES50)
    with pytest.raises(AttributeError):
        cfg.MODEL.SIGMA = 3
    with pytest.raises(TypeError):
        cfg.MODEL.EXTRA["NUM_LAYERS"] = 18
