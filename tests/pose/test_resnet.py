"""The network: names, shapes and counts of the public weights, and its initialisation."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

from pose.networks.resnet import BasicBlock, Bottleneck, PoseResNet, initialise_all, initialise_head  # noqa: E402
from tests.pose import plain_networks  # noqa: E402

# behaviour.md section 17: (parameters, state_dict entries) with 17 joints.
PUBLIC_COUNTS = {
    18: (15_376_721, 140),
    34: (25_484_881, 236),
    50: (33_999_697, 338),
    101: (52_991_825, 644),
    152: (68_635_473, 950),
}


@pytest.fixture(scope="module")
def res50():
    return PoseResNet(50, 17)


@pytest.mark.parametrize("layers", PUBLIC_COUNTS)
def test_every_depth_has_the_public_number_of_parameters_and_entries(layers):
    model = PoseResNet(layers, 17)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert (parameters, len(model.state_dict())) == PUBLIC_COUNTS[layers]


def test_sixteen_joints_cost_257_parameters_less():
    seventeen, sixteen = (sum(p.numel() for p in PoseResNet(18, joints).parameters()) for joints in (17, 16))
    assert seventeen - sixteen == 257


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv1.weight", (64, 3, 7, 7)),
        ("bn1.num_batches_tracked", ()),
        ("layer1.0.conv3.weight", (256, 64, 1, 1)),
        ("layer1.0.downsample.0.weight", (256, 64, 1, 1)),
        ("layer1.0.downsample.1.running_var", (256,)),
        ("layer3.5.conv2.weight", (256, 256, 3, 3)),
        ("layer4.2.bn3.bias", (2048,)),
        ("deconv_layers.0.weight", (2048, 256, 4, 4)),
        ("deconv_layers.1.running_mean", (256,)),
        ("deconv_layers.6.weight", (256, 256, 4, 4)),
        ("deconv_layers.7.weight", (256,)),
        ("final_layer.weight", (17, 256, 1, 1)),
        ("final_layer.bias", (17,)),
    ],
)
def test_res50_has_the_public_names_and_shapes(res50, name, shape):
    assert tuple(res50.state_dict()[name].shape) == shape


def test_deconvolutions_have_no_bias_unless_asked_and_blocks_of_equal_width_no_projection(res50):
    state = res50.state_dict()
    assert "deconv_layers.0.bias" not in state
    assert "layer2.1.downsample.0.weight" not in state
    assert "layer1.0.downsample.0.weight" not in PoseResNet(18, 17).state_dict()
    assert "deconv_layers.0.bias" in PoseResNet(18, 17, deconv_with_bias=True).state_dict()


def test_a_bottleneck_carries_its_stride_in_the_three_by_three_convolution():
    block = Bottleneck(64, 32, 2)
    assert [conv.stride for conv in (block.conv1, block.conv2, block.conv3)] == [(1, 1), (2, 2), (1, 1)]


@pytest.mark.parametrize("kernel", [2, 3, 4])
def test_heat_maps_are_a_quarter_of_the_picture_with_any_deconvolution_kernel(kernel):
    model = PoseResNet(18, 5, deconv_filters=(8, 8, 8), deconv_kernels=(kernel,) * 3, final_kernel=3).eval()
    with torch.no_grad():
        assert tuple(model(torch.zeros(2, 3, 96, 64)).shape) == (2, 5, 24, 16)


def test_a_block_adds_its_input_to_what_it_computes():
    block = BasicBlock(4, 4, 1).eval()
    torch.nn.init.zeros_(block.bn2.weight)
    x = torch.randn(2, 4, 6, 6)
    with torch.no_grad():
        assert torch.equal(block(x), x.clamp(min=0))


def test_heat_maps_are_not_squashed():
    model = PoseResNet(18, 3, deconv_filters=(8, 8, 8)).eval()
    torch.nn.init.constant_(model.final_layer.bias, -7.0)
    torch.nn.init.zeros_(model.final_layer.weight)
    with torch.no_grad():
        assert torch.equal(model(torch.randn(1, 3, 64, 32)), torch.full((1, 3, 16, 8), -7.0))


@pytest.mark.parametrize("layers", [18, 50])
def test_heat_maps_are_those_of_a_plain_reference(layers):
    model = PoseResNet(layers, 17, deconv_filters=(24, 24, 24)).eval()
    plain_networks.make_learnt(model)
    picture = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        ours, plain = model(picture), plain_networks.resnet(model.state_dict(), picture)
    assert ours.shape == (2, 17, 16, 24)
    assert plain.abs().max() > 0.01
    assert float((ours - plain).abs().max() / plain.abs().max()) < 1e-4


def test_the_heads_initialisation_leaves_the_backbone_alone_and_zeroes_the_last_bias():
    model = PoseResNet(18, 17)
    backbone = model.layer1[0].conv1.weight.clone()
    initialise_head(model)
    assert torch.equal(model.layer1[0].conv1.weight, backbone)
    assert model.deconv_layers[0].weight.std().item() == pytest.approx(0.001, rel=0.02)
    assert model.final_layer.weight.std().item() == pytest.approx(0.001, rel=0.1)
    assert not model.final_layer.bias.any()


def test_initialisation_from_scratch_reaches_every_convolution_but_not_the_last_bias():
    model = PoseResNet(18, 17)
    bias = model.final_layer.bias.clone()
    torch.nn.init.constant_(model.bn1.weight, 5.0)
    initialise_all(model)
    for convolution in (
        model.conv1,
        model.layer4[0].downsample[0],
        model.deconv_layers[3],
        model.final_layer,
    ):
        assert convolution.weight.std().item() == pytest.approx(0.001, rel=0.1)
    assert torch.equal(model.bn1.weight, torch.ones(64))
    assert torch.equal(model.final_layer.bias, bias)
    assert bias.any()
