"""One person has one name, however it is written."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spellings import SAME

from ah_ray.cohort.participant_names import normal_form, pseudonym, show_spellings, spellings


@pytest.mark.parametrize("pair", SAME.values(), ids=SAME)
def test_these_are_one_person(pair):
    one, other = pair
    assert normal_form(one) == normal_form(other)
    assert list(spellings([one, other, one]).values()) == [[one, other]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("P-017", "P-018"), ("17", "170"), ("17", "17.5"), ("1-7", "17"), ("P17", "Q17"),
        ("Zoe", "Zo\u00eb"), ("A 1", "A 2"), ("10", "1"), ("1.05", "1.5"), ("-17", "17"),
    ],
)  # fmt: skip
def test_these_are_two(one, other):
    assert normal_form(one) != normal_form(other)


@given(st.text(min_size=1))
def test_the_normal_form_is_stable(name):
    assert normal_form(normal_form(name)) == normal_form(name)
    for form in ("NFC", "NFD"):
        assert normal_form(unicodedata.normalize(form, name)) == normal_form(name)


def test_both_spellings_are_shown():
    assert show_spellings(["P-017"]) == "P-017"
    assert show_spellings(["P-017", "p-017", "P-017"]) == "P-017 (also written p-017)"
    assert show_spellings(["P-017", "P-\u200b017"]) == "P-017 (also written P-\\u200b017)"


def test_a_pseudonym_is_an_hmac_that_is_no_video_id():
    expected = hmac.new(b"key", b"participant\x0090001", hashlib.sha256).hexdigest()[:16]
    assert pseudonym("90001", b"key") == expected
    assert pseudonym("90001", b"another key") != expected != pseudonym("90002", b"key")
    assert pseudonym("90001", None) == "90001"
