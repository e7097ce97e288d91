from __future__ import annotations

import pytest

from envcheck.engine.containers import bytes_of
from envcheck.errors import UsageError


@pytest.mark.parametrize(
    ("size", "number"),
    [
        ("8g", 8_589_934_592),
        ("512m", 536_870_912),
        ("1.5g", 1_610_612_736),
        ("8GB", 8_589_934_592),
        ("1k", 1024),
        ("4194304", 4_194_304),
    ],
)
def test_a_size_is_counted_as_docker_counts_it(size, number):
    assert bytes_of(size) == number


@pytest.mark.parametrize(
    "size", ["x", "8x", "", "0", "0g", "-1", "-8g", "nan", "inf", "infg", "g", "8 apples"]
)
def test_what_is_no_size_is_refused_with_an_example(size):
    with pytest.raises(UsageError, match="is no size") as caught:
        bytes_of(size)
    assert "8g" in caught.value.hint
