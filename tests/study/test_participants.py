"""Who is seen: pseudonyms, whose video it is, and splits that nobody is in twice."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.cohort.participant_names import pseudonym
from ah_ray.errors import ConfigError
from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.participants import (
    check_splits,
    compiled,
    draw_splits,
    participant_in,
)


@pytest.mark.parametrize(
    ("path", "participant"),
    [
        ("Videos/90001/Visite_1/90001_Question_1_2030-01-02_Video.mp4", "90001"),
        ("90001/Visite 1/90001_Question_1_2030-01-02 10-00-00_Video.mp4", "90001"),
        ("set-a/90001/90001_Question_1_Video.mp4", "90001"),
        ("90001_Question_1_Video.mp4", "90001"),
        ("Videos/90001/Visite_1/90002_Question_1_Video.mp4", None),  # two people
        ("Videos/90001/holiday.mp4", "90001"),
        ("holiday.mp4", None),
        ("Videos/holiday.mp4", None),
    ],
)
def test_whose_video_it_is_as_bah_names_it(path, participant):
    assert participant_in(path, None) == participant


def test_whose_video_it_is_by_a_pattern():
    path = "2030/site-b/ann-03.mp4"
    assert participant_in(path, re.compile(r"(?P<visit>\d+)/.*/(?P<participant>\w+)-")) == "ann"
    assert participant_in(path, re.compile(r"/(\w+)-\d+\.mp4")) == "ann"
    assert participant_in(path, re.compile(r"[a-z]+(?=-03)")) == "ann"
    assert participant_in(path, re.compile("bob")) is None
    with pytest.raises(ConfigError, match=r"--participant-pattern \(: "):
        compiled("(")


def test_a_participant_in_two_splits_is_named_and_cannot_be_left_out():
    faults = Faults()
    known = [("ann", "train", 1), ("bob", "train", 2), ("ann", "train", 3), ("ann", "test", 4)]
    check_splits([(who, split, Place(file="f", line=line)) for who, split, line in known], faults)
    (fault,) = faults.found
    expected = "f:1: participant ann is in train (f:1) and in test (f:4); keep all videos of a"
    assert str(fault).startswith(expected)
    assert not fault.may_be_skipped


def test_drawn_splits_have_their_shares():
    people = [f"p{n}" for n in range(20)]
    drawn = draw_splits(people, (0.7, 0.1, 0.2), seed=0)
    assert Counter(drawn.values()) == {"train": 14, "val": 2, "test": 4}
    assert draw_splits(reversed(people), (0.7, 0.1, 0.2), seed=0) == drawn
    assert draw_splits(people, (0.7, 0.1, 0.2), seed=1) != drawn
    assert set(draw_splits(["a", "b", "c"], (0.7, 0.1, 0.2), seed=0).values()) == {
        "train", "val", "test",
    }  # fmt: skip
    assert draw_splits(["a", "b"], (1, 0, 0), seed=0) == {"a": "train", "b": "train"}


@given(st.integers(0, 40), st.integers(), st.integers(1, 10))
def test_everyone_is_in_one_split(n, seed, tenths):
    people = {f"p{i}" for i in range(n)}
    rest = (10 - tenths) / 10
    drawn = draw_splits(people, (tenths / 10, rest / 2, rest / 2), seed)
    assert drawn.keys() == people
    share = Counter(drawn.values())["train"]
    assert abs(share - len(people) * tenths / 10) < 2 + (len(people) < 4)


SPELLINGS = ("P-017", "p-017", "P\u2011017", "P-0\u200b17", "P_17")


@pytest.mark.parametrize("other", SPELLINGS[1:], ids=ascii)
def test_every_spelling_has_the_same_pseudonym_and_the_same_split(other):
    assert pseudonym("P-017", b"key") == pseudonym(other, b"key")
    people = ["P-017", other, *(f"Q-{n}" for n in range(9))]
    drawn = draw_splits(people, (0.4, 0.3, 0.3), seed=3)
    assert drawn["P-017"] == drawn[other]
    assert Counter(drawn[who] for who in people if who != other) == {
        "train": 4,
        "val": 3,
        "test": 3,
    }


@pytest.mark.parametrize("other", SPELLINGS[1:], ids=ascii)
def test_one_person_in_two_splits_is_found_in_every_spelling(other):
    faults = Faults()
    places = [Place(file="f", line=line) for line in (1, 2)]
    check_splits([("P-017", "train", places[0]), (other, "test", places[1])], faults)
    (fault,) = faults.found
    assert "participant P-017 (also written " in str(fault)
    assert "is in train (f:1) and in test (f:2)" in str(fault)


def test_a_path_may_spell_its_participant_in_two_ways():
    assert participant_in("Videos/p-017/1/P-017_Question_1_2030.mp4", None) == "P-017"
