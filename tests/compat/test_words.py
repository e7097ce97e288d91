from __future__ import annotations

import pytest
from packaging.version import Version

from envcheck.compat.words import by_capability, card, cards, code_text
from envcheck.host.facts import Gpu
from tests.compat.machines import GTX_1080_TI, RTX_3090, machine


def test_cards_of_one_kind_are_counted_and_their_order_changes_nothing():
    gpus = machine(RTX_3090, GTX_1080_TI, RTX_3090).gpus
    assert cards(gpus) == "GeForce GTX 1080 Ti, 2 x GeForce RTX 3090"
    assert cards(reversed(gpus)) == cards(gpus)
    assert cards([Gpu(index=3), Gpu()]) == "GPU 3, a GPU"


def test_machine_code_is_named_as_compilers_name_it_in_the_order_of_numbers():
    assert code_text((Version("12.0"), Version("9.0"), Version("10.0"))) == "sm_90, sm_100, sm_120"


def test_groups_begin_with_the_unknown_capability_and_then_the_oldest():
    gpus = machine(RTX_3090, ("new", None), GTX_1080_TI).gpus
    assert [capability and str(capability) for capability, _ in by_capability(gpus)] == [None, "6.1", "8.6"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NVIDIA GeForce\nRTX  3090\r\n", "GeForce RTX 3090"),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition",) * 2,
        ("x" * 5000, "x" * 57 + "..."),
        ("\n", "GPU 0"),
    ],
)
def test_a_name_from_outside_is_one_line_of_a_names_length(name, said):
    assert card(Gpu(index=0, name=name)) == said.removeprefix("NVIDIA ")
