"""pose_hrnet against the published names and counts, and against a reference that knows only those names."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")


from pose.command.config import Extra, Model, load  # noqa: E402
from pose.command.config_file import BUNDLED, read_yaml  # noqa: E402
from pose.errors import PoseError  # noqa: E402
from pose.networks import checkpoint, models  # noqa: E402
from tests.pose import plain_networks  # noqa: E402

# layers or width, picture (width, height), heat map, sigma, batch: behaviour.md, section 3
FILES = [
    (32, (192, 256), (48, 64), 2, 32, "hrnet_w32-36af842e"),
    (32, (288, 384), (72, 96), 3, 32, "hrnet_w32-36af842e"),
    (48, (192, 256), (48, 64), 2, 32, "hrnet_w48-8ef0771d"),
    (48, (288, 384), (72, 96), 3, 24, "hrnet_w48-8ef0771d"),
]


def bundled(width, picture=(192, 256)):
    return f"experiments/coco/hrnet/w{width}_{picture[1]}x{picture[0]}_adam_lr1e-3.yaml"


def built(width):
    torch.manual_seed(0)
    config, _ = load(bundled(width))
    return models.build(config.MODEL)


@pytest.fixture(scope="module")
def w32():
    return built(32)


@pytest.mark.parametrize(("width", "picture", "heatmap", "sigma", "batch", "weights"), FILES)
def test_the_public_files_have_their_values(width, picture, heatmap, sigma, batch, weights):
    config, _ = load(bundled(width, picture))
    model, data, train, test = config.MODEL, config.DATASET, config.TRAIN, config.TEST
    assert (
        "pose_hrnet",
        picture,
        heatmap,
        sigma,
    ) == (model.NAME, model.IMAGE_SIZE, model.HEATMAP_SIZE, model.SIGMA)
    assert f"models/pytorch/imagenet/{weights}.pth" == model.PRETRAINED
    assert (batch, batch) == (train.BATCH_SIZE_PER_GPU, test.BATCH_SIZE_PER_GPU)
    assert (train.END_EPOCH, train.LR_STEP, train.LR, train.OPTIMIZER) == (210, (170, 200), 0.001, "adam")
    assert (data.COLOR_RGB, data.SCALE_FACTOR, data.ROT_FACTOR) == (True, 0.35, 45)
    assert (data.PROB_HALF_BODY, data.NUM_JOINTS_HALF_BODY) == (0.3, 8)
    assert (test.IMAGE_THRE, test.IN_VIS_THRE, test.OKS_THRE, test.USE_GT_BBOX) == (0.0, 0.2, 0.9, True)
    assert (config.GPUS, config.WORKERS, config.PRINT_FREQ) == ((0, 1, 2, 3), 24, 100)
    stages = [model.EXTRA[name] for name in ("STAGE2", "STAGE3", "STAGE4")]
    assert [stage.NUM_MODULES for stage in stages] == [1, 4, 3]
    assert [stage.NUM_BLOCKS for stage in stages] == [(4,) * 2, (4,) * 3, (4,) * 4]
    assert (width, 2 * width, 4 * width, 8 * width) == stages[2].NUM_CHANNELS


def test_resnet_18_and_34_have_files_too():
    for layers, weights in ((18, "resnet18-5c106cde"), (34, "resnet34-333f7ec4")):
        config, _ = load(f"experiments/coco/resnet/res{layers}_256x192_d256x3_adam_lr1e-3.yaml")
        assert layers == config.MODEL.EXTRA.NUM_LAYERS
        assert config.MODEL.PRETRAINED.endswith(f"/{weights}.pth")


@pytest.mark.parametrize(("width", "parameters"), [(32, 28536113), (48, 63595745)])
def test_names_and_parameters_are_as_many_as_published(width, parameters):
    model = built(width)
    assert len(model.state_dict()) == 1754
    assert sum(value.numel() for value in model.parameters()) == parameters


def test_the_names_are_the_published_ones(w32):
    shapes = {name: tuple(value.shape) for name, value in w32.state_dict().items()}
    assert shapes["transition1.0.0.weight"] == (32, 256, 3, 3)
    assert shapes["transition1.1.0.0.weight"] == (64, 256, 3, 3)
    assert shapes["transition3.3.0.0.weight"] == (256, 128, 3, 3)
    assert shapes["stage4.0.fuse_layers.0.3.0.weight"] == (32, 256, 1, 1)
    assert shapes["stage4.0.fuse_layers.3.0.2.0.weight"] == (256, 32, 3, 3)
    assert shapes["final_layer.weight"] == (17, 32, 1, 1)
    assert "transition2.0.0.weight" not in shapes  # the width stays
    assert not any(name.startswith("stage4.2.fuse_layers.1.") for name in shapes)  # only the finest is used
    assert not any(".fuse_layers.1.1." in name for name in shapes)  # a branch reaches itself unchanged


def test_heat_maps_are_those_of_a_plain_reference(w32):
    plain_networks.make_learnt(w32)
    picture = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        ours, plain = w32.eval()(picture), plain_networks.hrnet(w32.state_dict(), picture)
    assert ours.shape == (2, 17, 16, 24)
    assert plain.abs().max() > 0.01
    assert float((ours - plain).abs().max() / plain.abs().max()) < 1e-4


def test_the_public_initialisation_zeroes_the_final_bias_and_draws_small_convolutions():
    model = built(32)
    models.initialise(model, load(bundled(32))[0].MODEL, is_pretrained=False)
    state = model.state_dict()
    assert not state["final_layer.bias"].any()
    assert float(state["stage4.0.branches.3.0.conv1.weight"].std()) == pytest.approx(0.001, rel=0.05)


def test_only_the_named_layers_are_taken_from_imagenet_weights(w32, tmp_path):
    config, _ = load(bundled(32))
    imagenet = {name: value for name, value in w32.state_dict().items() if not name.startswith("final")}
    imagenet |= {"final_layer.weight": torch.zeros(1), "classifier.weight": torch.zeros(3, 3)}
    model = built(32)
    wanted = models.wanted_of(imagenet, config.MODEL)
    fresh = checkpoint.load_backbone(model, wanted, tmp_path / "hrnet.pth")
    assert fresh == ["final_layer.weight", "final_layer.bias"]
    assert torch.equal(model.state_dict()["conv1.weight"], w32.state_dict()["conv1.weight"])


def test_a_star_takes_everything_and_a_resnet_always_does(w32):
    state = w32.state_dict()
    extra = {**load(bundled(32))[0].MODEL.EXTRA, "PRETRAINED_LAYERS": ("*",)}
    assert models.wanted_of(state, Model(NAME="pose_hrnet", EXTRA=Extra(extra))) == state
    resnet = Model(NAME="pose_resnet", EXTRA=Extra({"PRETRAINED_LAYERS": ("conv1",)}))
    assert models.wanted_of(state, resnet) == state


def test_the_older_files_with_module_names_load_strictly(w32, tmp_path):
    state = {f"module.{name}": value for name, value in w32.state_dict().items()}
    path = tmp_path / "pose_hrnet_w32.pth.tar"
    torch.save({"state_dict": state}, path, _use_new_zipfile_serialization=False)
    model = built(32)
    checkpoint.load_strictly(model, checkpoint.read_state(path), path)
    assert torch.equal(model.final_layer.weight, w32.final_layer.weight)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (("MODEL.EXTRA.STAGE3.NUM_BRANCHES", "2"), "STAGE3.NUM_BRANCHES: 2 is not built, only 3"),
        (("MODEL.EXTRA.STAGE3.NUM_BLOCKS", "(4,4)"), "must have NUM_BRANCHES = 3 entries"),
        (("MODEL.EXTRA.STAGE4.BLOCK", "BOTTLENECK"), "only BASIC"),
        (("MODEL.EXTRA.STAGE3.FUSE_METHOD", "CAT"), "only SUM"),
        (("MODEL.EXTRA.STAGE3.NUM_CHANNELS", "(40,80,160)"), "must begin like STAGE2's"),
        (("MODEL.HEATMAP_SIZE", "(24,32)"), "is not what the network makes"),
    ],
)
def test_a_network_that_is_not_built_is_refused_by_name(override, sentence):
    with pytest.raises(PoseError, match=sentence.replace("(", r"\(")):
        load(bundled(32), override)


def test_a_stage_that_lacks_a_key_is_named(tmp_path):
    config = BUNDLED / bundled(32)
    file = tmp_path / "short.yaml"
    text = config.read_text(encoding="utf-8")
    file.write_text(text.replace("      BLOCK: BASIC\n", "", 1), encoding="utf-8")
    assert len(read_yaml(file)) == len(read_yaml(config)) - 1
    with pytest.raises(PoseError, match=r"MODEL.EXTRA lacks STAGE2.BLOCK"):
        load(str(file))
