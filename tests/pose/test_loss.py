"""The loss, held against the formula joint by joint, and the learning rate of an epoch."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

from pose.command.config import Loss  # noqa: E402
from pose.networks.loss import joints_loss, joints_mse, learning_rate  # noqa: E402


def formula(output, target, weight):
    """behaviour.md section 9: 0.5 * mean over (B, HW) of (w*p - w*t)^2 per joint, averaged over joints."""
    total = 0.0
    joints = output.shape[1]
    for joint in range(joints):
        p, t = output[:, joint].flatten(1).double(), target[:, joint].flatten(1).double()
        w = weight[:, joint].double()
        total += 0.5 * ((w * p - w * t) ** 2).mean()
    return float(total / joints)


@pytest.mark.parametrize("batch", [1, 5])
def test_the_loss_is_the_public_formula(batch):
    generator = torch.Generator().manual_seed(1)
    output, target = (torch.randn(batch, 17, 8, 6, generator=generator) for _ in range(2))
    weight = torch.rand(batch, 17, 1, generator=generator) * 1.5
    assert float(joints_mse(output, target, weight)) == pytest.approx(
        formula(output, target, weight), rel=1e-5
    )


def test_without_weights_every_joint_counts_the_same():
    output, target = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    expected = formula(output, target, torch.ones(2, 3, 1))
    assert float(joints_mse(output, target, None)) == pytest.approx(expected, rel=1e-5)


def test_an_unlabelled_joint_teaches_nothing():
    output = torch.zeros(1, 2, 4, 4, requires_grad=True)
    joints_mse(output, torch.ones(1, 2, 4, 4), torch.tensor([[[0.0], [1.0]]])).backward()
    assert not output.grad[0, 0].any()
    assert output.grad[0, 1].all()


def hardest_by_hand(output, target, weight, hardest):
    """behaviour.md section 9: 0.5 * MSE per joint, the greatest `hardest` of a person, mean over people.

    Returns the loss and its gradient: d/dp 0.5 * mean((w*p - w*t)^2) is w^2 * (p - t) / cells.
    """
    people, joints = output.shape[:2]
    cells = output[0, 0].numel()
    total, gradient = 0.0, torch.zeros_like(output)
    for person in range(people):
        losses = []
        for joint in range(joints):
            w = 1.0 if weight is None else float(weight[person, joint])
            ps, ts = (maps[person, joint].flatten().tolist() for maps in (output, target))
            squares = sum((w * p - w * t) ** 2 for p, t in zip(ps, ts, strict=True))
            losses.append((0.5 * squares / cells, joint, w))
        for loss, joint, w in sorted(losses, reverse=True)[:hardest]:
            total += loss / hardest
            apart = output[person, joint] - target[person, joint]
            gradient[person, joint] = w**2 * apart / cells / hardest / people
    return total / people, gradient


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("hardest", [1, 3, 7])
def test_hard_joints_alone_teach_as_the_public_class_would_have_it(batch, weighted, hardest):
    generator = torch.Generator().manual_seed(2)
    output, target = (torch.randn(batch, 7, 4, 3, generator=generator) for _ in range(2))
    weight = torch.rand(batch, 7, 1, generator=generator) * 1.5 if weighted else None
    loss, gradient = hardest_by_hand(output, target, weight, hardest)
    output.requires_grad_()
    found = joints_loss(output, target, weight, Loss(USE_OHKM=True, TOPK=hardest))
    found.backward()
    assert found.item() == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(output.grad, gradient)


def test_all_joints_count_unless_the_hardest_are_asked_for():
    output, target, weight = torch.randn(2, 5, 4, 4), torch.randn(2, 5, 4, 4), torch.rand(2, 5, 1)
    plain = joints_mse(output, target, weight)
    assert torch.equal(joints_loss(output, target, weight, Loss(TOPK=1)), plain)
    everyone = joints_loss(output, target, weight, Loss(USE_OHKM=True, TOPK=5))
    assert float(everyone) == pytest.approx(float(plain), rel=1e-5)


@pytest.mark.parametrize(
    ("epoch", "rate"), [(0, 1e-3), (89, 1e-3), (90, 1e-4), (119, 1e-4), (120, 1e-5), (139, 1e-5)]
)
def test_the_rate_drops_at_the_steps_and_not_an_epoch_early(epoch, rate):
    assert learning_rate(1e-3, 0.1, (90, 120), epoch) == pytest.approx(rate)
