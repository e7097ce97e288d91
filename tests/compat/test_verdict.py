from __future__ import annotations

import pytest

from envcheck.compat.verdict import Reason, join


def _reasons(*verdicts):
    return tuple(Reason("rule", verdict, "") for verdict in verdicts)


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        (("fits", "fits"), "fits"),
        (("fits", "unknown"), "unknown"),
        (("unknown", "refused", "fits"), "refused"),
        ((), "fits"),
    ],
)
def test_one_refusal_refuses_and_unknown_never_counts_as_fits(verdicts, together):
    assert join(_reasons(*verdicts)) == together
