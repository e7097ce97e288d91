"""A network's counts against the published tables' (behaviour.md, sections 15 and 17)."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

from pose.command.config import Options, load  # noqa: E402
from pose.networks import models  # noqa: E402
from pose.networks.summary import GIGA, summary  # noqa: E402


def built(name):
    config, _ = load(f"experiments/coco/{name}", (), Options())
    return models.build(config.MODEL), config.MODEL.image_height_width


@pytest.mark.parametrize(
    ("name", "parameters", "published"),
    [
        ("resnet/res18_256x192_d256x3_adam_lr1e-3.yaml", 15_376_721, 5.79),
        ("resnet/res50_256x192_d256x3_adam_lr1e-3.yaml", 33_999_697, 8.99),
        ("resnet/res50_384x288_d256x3_adam_lr1e-3.yaml", 33_999_697, 20.23),
        ("hrnet/w32_256x192_adam_lr1e-3.yaml", 28_536_113, 7.12),
    ],
)
def test_the_counts_are_the_published_ones(name, parameters, published):
    found = summary(*built(name))
    assert (found.parameters, round(found.counted / GIGA, 2)) == (parameters, published)
    assert f"{parameters:,} parameters" in str(found)


def test_a_deconvolution_counts_once_by_its_input_in_the_true_figure():
    # behaviour.md, section 17: about 5.05 for ResNet-50 at 256x192.
    found = summary(*built("resnet/res50_256x192_d256x3_adam_lr1e-3.yaml"))
    assert found.true / GIGA == pytest.approx(5.05, abs=0.01)
    assert "where deconvolutions count once" in str(found)


def test_the_network_stays_as_it_was():
    model = models.build(load("experiments/drawn/res18_96x64.yaml", (), Options())[0].MODEL).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    summary(model, (96, 64))
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
