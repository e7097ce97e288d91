"""pose_hrnet against the published names and counts, and against a reference that knows only those names."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

from torch.nn import functional  # noqa: E402

from pose import checkpoint, models  # noqa: E402
from pose.config import Extra, Model, load  # noqa: E402
from pose.config_file import BUNDLED, read_yaml  # noqa: E402
from pose.errors import PoseError  # noqa: E402

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


def reference(state, x):  # noqa: C901, PLR0912 - one closure per kind of layer
    """behaviour.md, section 4, in functions alone: what is where, only the names in the file say."""

    def has(prefix):
        return any(name.startswith(f"{prefix}.") for name in state)

    def norm(x, name):
        parts = [state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(x, *parts, training=False, eps=1e-5)

    def conv(x, name, bn, stride=1):
        weight = state[f"{name}.weight"]
        return norm(functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2), bn)

    def block(x, name):
        shortcut = conv(x, f"{name}.downsample.0", f"{name}.downsample.1") if has(f"{name}.downsample") else x
        y = functional.relu(conv(x, f"{name}.conv1", f"{name}.bn1"))
        y = conv(y, f"{name}.conv2", f"{name}.bn2")
        if has(f"{name}.conv3"):
            y = conv(functional.relu(y), f"{name}.conv3", f"{name}.bn3")
        return functional.relu(y + shortcut)

    def halvings(x, name, *, last_is_cut):
        count = 0
        while has(f"{name}.{count}"):
            x = conv(x, f"{name}.{count}.0", f"{name}.{count}.1", stride=2)
            count += 1
            if has(f"{name}.{count}") or not last_is_cut:
                x = functional.relu(x)
        return x

    x = functional.relu(conv(x, "conv1", "bn1", 2))
    x = functional.relu(conv(x, "conv2", "bn2", 2))
    for number in range(4):
        x = block(x, f"layer1.{number}")
    maps = [x]
    for stage, modules in ((2, 1), (3, 4), (4, 3)):
        entered = []
        for branch in range(stage):
            name = f"transition{stage - 1}.{branch}"
            if not has(name):
                entered.append(maps[branch])
            elif f"{name}.0.weight" in state:
                entered.append(functional.relu(conv(maps[-1], f"{name}.0", f"{name}.1")))
            else:
                entered.append(halvings(maps[-1], name, last_is_cut=False))
        maps = entered
        for module in range(modules):
            for branch in range(stage):
                for number in range(4):
                    maps[branch] = block(maps[branch], f"stage{stage}.{module}.branches.{branch}.{number}")
            fused = []
            for target in range(1 if (stage, module) == (4, 2) else stage):
                total = 0
                for source in range(stage):
                    name = f"stage{stage}.{module}.fuse_layers.{target}.{source}"
                    if source == target:
                        part = maps[source]
                    elif source > target:
                        part = conv(maps[source], f"{name}.0", f"{name}.1")
                        part = part.repeat_interleave(2 ** (source - target), 2)
                        part = part.repeat_interleave(2 ** (source - target), 3)
                    else:
                        part = halvings(maps[source], name, last_is_cut=True)
                    total = total + part
                fused.append(functional.relu(total))
            maps = fused
    return functional.conv2d(maps[0], state["final_layer.weight"], state["final_layer.bias"])


def test_heat_maps_are_those_of_a_plain_reference(w32):
    state = w32.state_dict()
    draw = torch.Generator().manual_seed(1)
    for name, value in state.items():  # statistics that a fresh network does not have
        if name.endswith(("running_mean", "bias")):
            value.normal_(0, 0.1, generator=draw)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5, generator=draw)
    picture = torch.randn(2, 3, 64, 96, generator=draw)
    w32.eval()
    with torch.no_grad():
        ours, plain = w32(picture), reference(state, picture)
    assert ours.shape == (2, 17, 16, 24)
    assert plain.abs().max() > 0.01
    assert float((ours - plain).abs().max() / plain.abs().max()) < 1e-4


def test_the_public_initialisation_zeroes_the_final_bias_and_draws_small_convolutions():
    model = built(32)
    models.initialise(model, is_pretrained=False)
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
