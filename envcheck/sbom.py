"""A recipe's bill of materials, read off its lock: a CycloneDX document of everything that is inside.

The same lock gives the same document, to the byte: its serial number is made from the lock, and it has no
time. What the base image brings stands in the base's own bill; here it is named by its digest.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from envcheck import __version__
from envcheck.environments.wheelhouse import PYTORCH_INDEX
from envcheck.errors import EnvcheckError, UsageError
from envcheck.recipes import Recipe, lock_hash, read_lock

if TYPE_CHECKING:
    from pathlib import Path

    from cyclonedx.model.bom import Bom

# For serial numbers, so that ours are nobody else's.
_NAMESPACE = uuid.UUID("9f8d2c5e-6a1b-5d3c-8e47-2b90c4f6a1d7")


def bill_of_materials(recipe: Recipe, python: str) -> dict[str, Any]:
    """Return the CycloneDX 1.6 document of `recipe` on `python` ("3.11").

    Raises `UsageError` where the recipe has no lock for that Python, `EnvcheckError` without the library.
    """
    lock = recipe.lock_for(python)
    if lock is None:
        raise UsageError(
            f"Recipe {recipe.name} has no lock for Python {python}", f"It has {', '.join(recipe.pythons)}."
        )
    try:
        from cyclonedx.output.json import JsonV1Dot6  # noqa: PLC0415 - an extra, and slow to import
    except ModuleNotFoundError:
        raise EnvcheckError(
            "A bill of materials is written by cyclonedx-python-lib, which is not installed",
            "pip install 'envcheck[sbom]'",
        ) from None
    document: dict[str, Any] = json.loads(JsonV1Dot6(_bom(recipe, python, lock)).output_as_string())
    del document["metadata"]["timestamp"]
    return document


def _bom(recipe: Recipe, python: str, lock: Path) -> Bom:
    from cyclonedx.model import HashAlgorithm, HashType, Property  # noqa: PLC0415 - see above
    from cyclonedx.model.bom import Bom, BomMetaData  # noqa: PLC0415
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415
    from packageurl import PackageURL  # noqa: PLC0415

    identity = lock_hash(lock)
    index = PYTORCH_INDEX.format(tag=recipe.tag)
    whole = Component(
        name=recipe.name,
        version=identity,
        type=ComponentType.PLATFORM,
        bom_ref=f"recipe:{recipe.name}",
        properties=[
            Property(name="envcheck:python", value=python),
            Property(name="envcheck:cuda", value=str(recipe.cuda or "none")),
            Property(name="envcheck:machine", value=recipe.machine),
        ],
    )
    base = Component(
        name=recipe.base.image,
        type=ComponentType.CONTAINER,
        bom_ref="base",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=recipe.base.digest.removeprefix("sha256:"))],
    )
    wheels = [
        Component(
            name=pin.name,
            version=pin.version,
            type=ComponentType.LIBRARY,
            bom_ref=f"wheel:{pin.name}",
            purl=PackageURL(
                "pypi",
                name=pin.name,
                version=pin.version,
                # Without it a package URL means the public index, which has no such build.
                qualifiers={"repository_url": index} if pin.is_local else None,
            ),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=pin.sha256)],
        )
        for pin in read_lock(lock)
    ]
    tool = Component(name="envcheck", version=__version__, type=ComponentType.APPLICATION, bom_ref="tool")
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, f"{recipe.name} {python} {identity}"),
        metadata=BomMetaData(component=whole),
        components=[base, *wheels],
    )
    bom.metadata.tools.components.add(tool)
    bom.register_dependency(whole, [base, *wheels])
    return bom
