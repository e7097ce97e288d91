"""From crops to heat maps and joints: normalisation, flip averaging, weights, and what is not known."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

from pose.command.config import Config, Evaluation, Loss, Model  # noqa: E402
from pose.data.joints import COCO  # noqa: E402
from pose.judging import inference  # noqa: E402

MODEL = Model(IMAGE_SIZE=(32, 64), HEATMAP_SIZE=(8, 16), SIGMA=1)
CPU = torch.device("cpu")


def two_channels(pictures):
    """A network that hands on the first two channels of its picture."""
    return pictures[:, :2]


def batch_of(people):
    return {
        "image": torch.randint(0, 256, (people, 64, 32, 3), dtype=torch.uint8),
        "joints": torch.full((people, 17, 2), 16.0, dtype=torch.float64),
        "visible": torch.ones(people, 17),
        "center": torch.tensor([[50.0, 50.0]]).repeat(people, 1),
        "scale": torch.tensor([[0.2, 0.4]]).repeat(people, 1),
    }


def test_normalisation_follows_imagenet_in_the_channel_order_at_hand():
    crops = torch.tensor([[[[0, 128, 255]]]], dtype=torch.uint8)
    expected = [(0 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    assert inference.normalise(crops).flatten().tolist() == pytest.approx(expected, rel=1e-6)


def test_crops_come_rows_first_and_leave_channels_first():
    crops = torch.zeros(2, 5, 7, 3, dtype=torch.uint8)
    crops[1, 4, 2, 0] = 255
    pictures = inference.normalise(crops)
    assert tuple(pictures.shape) == (2, 3, 5, 7)
    assert (pictures[1, 0] == pictures[1, 0].max()).nonzero().tolist() == [[4, 2]]


@pytest.mark.parametrize("shift", [False, True])
def test_the_flip_test_is_the_mean_with_the_mirrored_pictures_maps_mirrored_back(shift):
    crops = torch.randint(0, 256, (2, 4, 6, 3), dtype=torch.uint8)
    config = Config(TEST=Evaluation(FLIP_TEST=True, SHIFT_HEATMAP=shift))
    maps = inference.heat_maps(two_channels, crops, config, ((0, 1),))
    direct = inference.normalise(crops)[:, :2]
    back = direct[:, [1, 0]]  # mirrored twice is as before; left and right have changed places
    if shift:
        back = torch.cat([back[..., :1], back[..., :-1]], dim=-1)
    assert torch.allclose(maps, (direct + back) / 2)


def test_no_convolution_of_a_test_is_rounded_to_tf32_and_a_trainings_stay_as_they_were():
    seen = []

    def network(pictures):
        seen.append(torch.backends.cudnn.allow_tf32)
        return two_channels(pictures)

    assert torch.backends.cudnn.allow_tf32
    inference.heat_maps(network, torch.zeros(1, 4, 6, 3, dtype=torch.uint8), Config(), ())
    assert (seen, torch.backends.cudnn.allow_tf32) == ([False], True)


def test_without_the_flip_test_the_network_is_asked_once():
    asked = []

    def network(pictures):
        asked.append(pictures)
        return two_channels(pictures)

    inference.heat_maps(network, torch.zeros(1, 4, 6, 3, dtype=torch.uint8), Config(), ())
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("loss", "weights"),
    [
        (Loss(), [1.0] * 17),
        (Loss(USE_DIFFERENT_JOINTS_WEIGHT=True), list(COCO.weights)),
        (Loss(USE_TARGET_WEIGHT=False), None),
        (Loss(USE_TARGET_WEIGHT=False, USE_DIFFERENT_JOINTS_WEIGHT=True), None),
    ],
)
def test_the_loss_section_decides_how_much_a_joint_counts(loss, weights):
    batch = batch_of(1)
    target, weight = inference.make_targets(batch["joints"], batch["visible"], Config(MODEL=MODEL, LOSS=loss))
    assert tuple(target.shape) == (1, 17, 16, 8)
    assert (weight is None) if weights is None else weight.flatten().tolist() == pytest.approx(weights)


class AlwaysThere(torch.nn.Module):
    """A network that finds every joint in the cell of crop pixel (16, 16), with the target's own peak."""

    def forward(self, pictures):
        maps = torch.zeros(len(pictures), 17, 16, 8)
        maps[:, :, 4, 4] = 1.0
        return maps


def test_records_of_all_batches_are_found_in_order_with_loss_and_accuracy_over_people():
    batches = [batch_of(3), batch_of(1)]
    batches[1]["center"] += 30
    found = inference.find(AlwaysThere(), batches, Config(MODEL=MODEL), CPU, (), has_truth=True)
    assert found.keypoints.shape == (4, 17, 3)
    assert (found.keypoints[3] - found.keypoints[0])[0].tolist() == pytest.approx([30, 30, 0], abs=1e-4)
    assert found.accuracy == 1.0
    target, _ = inference.make_targets(batches[0]["joints"], batches[0]["visible"], Config(MODEL=MODEL))
    peak_alone = torch.zeros_like(target)
    peak_alone[:, :, 4, 4] = 1
    assert found.loss == pytest.approx(0.5 * ((target - peak_alone) ** 2).mean().item())


def test_the_loss_shown_is_the_one_that_is_trained_with():
    batch = batch_of(1)
    batch["joints"][0, 3] = 4.0  # where the network does not look: the one hard joint
    config = Config(MODEL=MODEL, LOSS=Loss(USE_OHKM=True, TOPK=1))
    found = inference.find(AlwaysThere(), [batch], config, CPU, (), has_truth=True)
    target, _ = inference.make_targets(batch["joints"], batch["visible"], config)
    peak_alone = torch.zeros(16, 8)
    peak_alone[4, 4] = 1
    assert found.loss == pytest.approx(0.5 * ((target[0, 3] - peak_alone) ** 2).mean().item())


def test_where_no_joint_can_be_judged_there_is_a_loss_and_no_accuracy():
    batch = batch_of(2)
    batch["joints"][:] = 4.0  # cell (1, 1): the public rule counts from the third cell on
    found = inference.find(AlwaysThere(), [batch], Config(MODEL=MODEL), CPU, (), has_truth=True)
    assert found.loss > 0
    assert found.accuracy is None


def test_batches_without_a_joint_to_judge_leave_the_accuracy_of_the_others():
    batches = [batch_of(1), batch_of(3)]
    batches[1]["joints"][:] = 4.0
    found = inference.find(AlwaysThere(), batches, Config(MODEL=MODEL), CPU, (), has_truth=True)
    assert found.accuracy == 1.0


def test_without_truth_there_is_no_loss_and_no_accuracy():
    found = inference.find(AlwaysThere(), [batch_of(2)], Config(MODEL=MODEL), CPU, (), has_truth=False)
    assert (found.loss, found.accuracy) == (None, None)


def test_nobody_to_find_is_nothing_found():
    found = inference.find(AlwaysThere(), [], Config(MODEL=MODEL), CPU, (), has_truth=True)
    assert (found.keypoints.shape, found.loss) == ((0, 17, 3), None)
