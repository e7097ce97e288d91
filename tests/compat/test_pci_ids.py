"""Device ids as the public list of PCI ids (pci.ids) and NVIDIA's open modules name their cards."""

from __future__ import annotations

import pytest

from envcheck.compat.pci_ids import branch_for, generation_of, needs_open_module
from envcheck.host.facts import PciDevice


def _card(device):
    return PciDevice("0000:01:00.0", "10de", device)


@pytest.mark.parametrize(
    ("device", "card", "architecture"),
    [
        ("0dc4", "GeForce GTS 450", None),  # Fermi, which no table here knows
        ("0fc6", "GeForce GTX 650", "Kepler"),
        ("102d", "Tesla K80", "Kepler"),
        ("1040", "GeForce GT 520", None),
        ("1180", "GeForce GTX 680", "Kepler"),
        ("1200", "GeForce GTX 560 Ti", None),
        ("128b", "GeForce GT 710", "Kepler"),
        ("1380", "GeForce GTX 750 Ti", "Maxwell"),
        ("17fd", "Tesla M40", "Maxwell"),
        ("15f8", "Tesla P100", "Pascal"),
        ("1b06", "GeForce GTX 1080 Ti", "Pascal"),
        ("1db1", "Tesla V100", "Volta"),
        ("1eb8", "Tesla T4", "Turing"),
        ("2182", "GeForce GTX 1660 Ti", "Turing"),
        ("20b2", "A100", "Ampere"),
        ("2204", "GeForce RTX 3090", "Ampere"),
        ("2503", "GeForce RTX 3060", "Ampere"),
        ("2330", "H100", "Hopper"),
        ("2342", "GH200", "Hopper"),
        ("2684", "GeForce RTX 4090", "Ada"),
        ("28f8", "the last of Ada", "Ada"),
        ("2901", "B200", "Blackwell"),
        ("2b85", "GeForce RTX 5090", "Blackwell"),
        ("3182", "B300", "Blackwell Ultra"),
        (None, "a card without an id", None),
        ("zz", "no number", None),
        ("-1", "no id", None),
    ],
)
def test_an_id_tells_the_generation(device, card, architecture):
    row = generation_of(_card(device))
    assert (row and row.architecture) == architecture, card


def test_blackwell_and_grace_hopper_need_the_open_modules():
    needing = [
        one for one in ("1db1", "2330", "2342", "28f8", "2901", "3182") if needs_open_module(_card(one))
    ]
    assert needing == ["2342", "2901", "3182"]


def test_the_branch_is_the_loaded_one_or_the_first_that_knows_every_card():
    assert branch_for([_card("2b85")], 575) == 575
    assert branch_for([_card("2b85")], 550) == 570
    assert branch_for([_card("2b85"), _card("3182")], 575) == 580
    assert branch_for([_card("2342")], 525) == 535  # the first open modules that list a GH200 are 535.43.19
