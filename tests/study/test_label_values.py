"""Labels, times, ages and consent as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.study.label_values import age_of, consent_of, label_of, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0), ("2.5", 2.5), ("2,5", 2.5), ("65", 65.0), ("90.", 90.0), ("0:02", 2.0),
        ("1:05", 65.0), ("01:05.250", 65.25), ("00:00:02.200", 2.2), ("1:02:03", 3723.0),
        (" 0:07 ", 7.0), ("75:00", 4500.0),
    ],
)  # fmt: skip
def test_times(text, seconds):
    assert seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "0:60", "1:2:3:4", "1:60:00", "1:", ":5", "nan", "inf", "1e3", "٣"]
)
def test_what_is_no_time(text):
    assert seconds_of(text) is None


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_all_forms_agree(hours, minutes, seconds, ms):
    expected = hours * 3600 + minutes * 60 + seconds + ms / 1000
    assert seconds_of(f"{hours}:{minutes:02}:{seconds:02}.{ms:03}") == pytest.approx(expected)
    assert seconds_of(f"{hours * 60 + minutes}:{seconds:02}.{ms:03}") == pytest.approx(expected)
    assert seconds_of(f"{expected:.3f}") == pytest.approx(expected)


def test_labels_ages_and_consent():
    assert [label_of(text) for text in ("0", "1", "1.0", "True", " no ")] == [0, 1, 1, 1, 0]
    assert [label_of(text) for text in ("2", "", "-1", "A/H", "None")] == [None] * 5
    assert [age_of(text) for text in ("44", "44.0", "131", "-4", "old", "44.5")] == [
        44, 44, None, None, None, None,
    ]  # fmt: skip
    assert [consent_of(text) for text in ("Yes", "no", "true", "", None, "maybe")] == [
        True, False, True, False, False, None,
    ]  # fmt: skip
