from __future__ import annotations

import textwrap
from dataclasses import dataclass

import pytest

from envcheck.choice.requirements.read import read


@dataclass
class Folder:
    """A repository of somebody else's."""

    path: object

    def write(self, name, text):
        file = self.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def read(self, name, text):
        return read(self.write(name, text))

    def wishes(self, name, text):
        """What is asked for, the empty left out; sets as sorted text."""
        asked = self.read(name, text).wishes
        found = {key: getattr(asked, key) for key in ("torch", "tag", "cuda", "python", "base_image")}
        return {
            key: value if isinstance(value, str) else ",".join(sorted(map(str, value)))
            for key, value in found.items()
            if value
        }

    def origins(self, name, text):
        return [one.replace(f"{self.path}/", "") for one in self.read(name, text).wishes.origins]

    def packages(self, name, text):
        return [str(one) for one in self.read(name, text).packages]


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)
