"""A recipe's bill of materials: valid by CycloneDX's own schema, whole, and the same each time."""

from __future__ import annotations

import json
import sys

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from envcheck.errors import EnvcheckError, UsageError
from envcheck.recipes import load_recipe, load_recipes, read_lock
from envcheck.sbom import bill_of_materials


@pytest.mark.parametrize("recipe", load_recipes(), ids=lambda recipe: recipe.name)
def test_every_recipes_bill_is_valid_and_names_each_wheel_of_its_lock(recipe):
    for python in recipe.pythons:
        bill = bill_of_materials(recipe, python)
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
        named = {
            (one["name"], one["version"], one["hashes"][0]["content"])
            for one in bill["components"]
            if one["type"] == "library"
        }
        assert named == {(pin.name, pin.version, pin.sha256) for pin in read_lock(recipe.lock_for(python))}
        (base,) = (one for one in bill["components"] if one["type"] == "container")
        assert base["hashes"][0]["content"] == recipe.base.digest.removeprefix("sha256:")


def test_a_package_url_names_the_index_that_has_the_wheel():
    bill = bill_of_materials(load_recipe("cpu"), "3.11")
    found = {one["name"]: PackageURL.from_string(one["purl"]) for one in bill["components"] if "purl" in one}
    torch = found["torch"]
    assert torch.version.endswith("+cpu")
    assert torch.qualifiers == {"repository_url": "https://download.pytorch.org/whl/cpu"}
    assert found["numpy"].qualifiers == {}


def test_the_same_lock_gives_the_same_bill_and_another_one_another_number():
    recipe = load_recipe("cpu")
    bill = bill_of_materials(recipe, "3.11")
    assert json.dumps(bill) == json.dumps(bill_of_materials(recipe, "3.11"))
    assert bill["serialNumber"] != bill_of_materials(recipe, "3.12")["serialNumber"]


def test_a_python_without_a_lock_is_bad_input():
    with pytest.raises(UsageError, match=r"has no lock for Python 3\.7"):
        bill_of_materials(load_recipe("cpu"), "3.7")


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cyclonedx.output.json", None)
    with pytest.raises(EnvcheckError, match="which is not installed") as raised:
        bill_of_materials(load_recipe("cpu"), "3.11")
    assert raised.value.hint == "pip install 'envcheck[sbom]'"
