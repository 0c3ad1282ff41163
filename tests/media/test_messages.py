"""An error is made from the code and the numbers that a child sends, and never from its words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.errors import ErrorKind, VideoError
from ah_ray.media.messages import REASONS, Failure, make_error

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
NAMES = st.sampled_from(["second", "seconds", "most", "width", "height"]) | st.text()


@given(JUNK | st.sampled_from(list(REASONS)), JUNK | st.dictionaries(NAMES, JUNK))
def test_any_junk_is_an_error_of_a_known_kind_in_one_plain_sentence(code, numbers):
    error = make_error(code, numbers)
    assert isinstance(error, VideoError) and isinstance(error.kind, ErrorKind)
    assert str(error).isprintable() and len(str(error)) < 1000


@pytest.mark.parametrize("code", REASONS)
def test_every_reason_can_be_said_with_its_numbers_and_without(code):
    numbers = dict.fromkeys(("second", "seconds", "most", "width", "height"), 12.0)
    error = Failure(code, **numbers).as_error()
    assert error.kind is REASONS[code][0] and "{" not in str(error)
    assert make_error(code, {}).kind in (REASONS[code][0], ErrorKind.DECODE)
