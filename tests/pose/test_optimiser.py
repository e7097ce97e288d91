"""A checkpoint's optimiser is held against the one that is to go on with it, before anything is computed."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

from pose.networks import optimiser  # noqa: E402


def learnt(kind, **values):
    """A model of two weights and its optimiser after one step."""
    model = torch.nn.Linear(3, 2)
    made = kind(model.parameters(), lr=0.1, **values)
    model(torch.ones(1, 3)).sum().backward()
    made.step()
    return made


def adam():
    return learnt(torch.optim.Adam)


@pytest.mark.parametrize(
    ("kind", "values"),
    [(torch.optim.Adam, {}), (torch.optim.SGD, {}), (torch.optim.SGD, {"momentum": 0.9, "nesterov": True})],
)
def test_its_own_state_comes_back_to_the_bit(kind, values):
    one, two = learnt(kind, **values), learnt(kind, **values)
    for state in one.state.values():
        for value in state.values():
            if value is not None:
                value.add_(0.25)
    optimiser.load_strictly(two, one.state_dict())
    assert str(list(two.state.values())) == str(list(one.state.values()))
    assert two.param_groups[0]["lr"] == 0.1
    two.step()


def test_an_optimiser_that_made_no_step_has_no_averages_and_is_taken():
    empty = torch.optim.Adam(torch.nn.Linear(3, 2).parameters())
    optimiser.load_strictly(empty, empty.state_dict())
    assert not empty.state


def test_steps_that_are_plain_numbers_are_taken_as_torch_1_11_wrote_them():
    state, fresh = adam().state_dict(), adam()
    for of in state["state"].values():
        of["step"] = 7
    optimiser.load_strictly(fresh, state)
    assert [of["step"].item() for of in fresh.state.values()] == [7, 7]


def test_an_average_that_is_one_number_seen_many_times_gets_memory_of_its_own():
    state, fresh = adam().state_dict(), adam()
    state["state"][0]["exp_avg"] = torch.ones(1).expand(2, 3)
    optimiser.load_strictly(fresh, state)
    average = next(iter(fresh.state.values()))["exp_avg"]
    assert average.is_contiguous()
    assert average.tolist() == [[1, 1, 1], [1, 1, 1]]


WRONG_AVERAGES = {
    "exp_avg": [torch.ones(1), torch.ones(3, 2), torch.ones(2, 3, dtype=torch.float64), 3, None],
    "exp_avg_sq": [torch.ones(1), [1.0]],
    "step": [torch.ones(2), torch.tensor(math.inf), -1, "x", None, True],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, many in WRONG_AVERAGES.items() for v in many])
def test_an_average_that_does_not_fit_its_weight_is_refused(name, value):
    state, fresh = adam().state_dict(), adam()
    before = [dict(of) for of in fresh.state.values()]
    state["state"][0][name] = value
    with pytest.raises(ValueError, match=f"its optimiser's {name} "):
        optimiser.load_strictly(fresh, state)
    assert str([dict(of) for of in fresh.state.values()]) == str(before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("betas", "ab"),
        ("betas", (0.9,)),
        ("betas", (0.9, 1.5)),
        ("eps", "x"),
        ("lr", math.nan),
        ("weight_decay", None),
        ("amsgrad", 3),
        ("amsgrad", True),
        ("maximize", "x"),
    ],
)
def test_a_value_that_is_none_is_refused(name, value):
    state = adam().state_dict()
    state["param_groups"][0][name] = value
    with pytest.raises(ValueError, match="its optimiser"):
        optimiser.load_strictly(adam(), state)


@pytest.mark.parametrize("key", ["lr", "betas", "eps"])
def test_a_value_that_is_missing_is_named(key):
    state = adam().state_dict()
    del state["param_groups"][0][key]
    with pytest.raises(ValueError, match=f"its optimiser has no {key}"):
        optimiser.load_strictly(adam(), state)


@pytest.mark.parametrize(
    "state",
    [
        3,
        {},
        {"state": 3, "param_groups": []},
        {"state": {}, "param_groups": 3},
        {"state": {}, "param_groups": []},
        {"state": {}, "param_groups": [3]},
    ],
)
def test_what_is_no_optimiser_is_refused(state):
    with pytest.raises(ValueError, match="optimiser"):
        optimiser.load_strictly(adam(), state)


@pytest.mark.parametrize("numbers", [[0], [0, 0], [0, [1]], 3, [0, 1, 2]])
def test_other_numbers_of_weights_are_refused(numbers):
    state = adam().state_dict()
    state["param_groups"][0]["params"] = numbers
    with pytest.raises(ValueError, match="weights"):
        optimiser.load_strictly(adam(), state)


def test_averages_of_a_weight_that_is_not_there_are_refused():
    state = adam().state_dict()
    state["state"][9] = state["state"][0]
    with pytest.raises(ValueError, match="another number of weights"):
        optimiser.load_strictly(adam(), state)


@pytest.mark.parametrize(("one", "other"), [("adam", "sgd"), ("sgd", "adam")])
def test_of_another_optimiser_both_are_named(one, other):
    kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    with pytest.raises(ValueError, match=f"written by another optimiser, {one} instead of {other}"):
        optimiser.load_strictly(learnt(kinds[other]), learnt(kinds[one]).state_dict())
