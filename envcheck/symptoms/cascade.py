"""What follows from what, where several failures are seen at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def roots(caused_by: Mapping[str, Sequence[str]], seen: Collection[str]) -> dict[str, str]:
    """Return for each id the id of what explains it in the end: itself where nothing that was seen does.

    `caused_by` has for each id those that explain it, the likeliest first; no two explain each other.
    """

    def root(name: str) -> str:
        cause = next((one for one in caused_by.get(name, ()) if one in seen), None)
        return root(cause) if cause is not None else name

    return {name: root(name) for name in caused_by}
