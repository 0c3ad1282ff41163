"""Answers to further questions: of several models, and of a whole video."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.verdicts.further_answers import average_answers, average_contrasts, reduce_asked


def clip(index: int, length_s: float = 5.0, **p: float) -> dict:
    """A clip with one question's answers."""
    answers = [{"question": "q", "answer": name, "p": x, "mass": 0.5} for name, x in p.items()]
    return {"start_s": 5.0 * index, "end_s": 5.0 * index + length_s, "answers": answers or None}


def values(asked: list[dict]) -> list[tuple[str, float]]:
    return [(one["answer"], pytest.approx(one["p"])) for one in asked]


def test_each_answer_is_reduced_by_itself():
    clips = [clip(0, good=0.8, bad=0.2), clip(1), clip(2, good=0.4, bad=0.6)]
    asked = reduce_asked(clips, {"q": "mean"})
    assert values(asked) == [("good", 0.6), ("bad", 0.4)]
    assert {(one["question"], one["reducer"]) for one in asked} == {("q", "mean")}
    assert values(reduce_asked(clips, {"q": "any"})) == [("good", 0.8), ("bad", 0.6)]


def test_lengths_count_where_the_reducer_asks_for_them():
    clips = [clip(0, good=0.9), clip(1, length_s=3.0, good=0.1)]
    assert values(reduce_asked(clips, {"q": "duration"})) == [("good", (0.9 * 5 + 0.1 * 3) / 8)]


def test_no_question_and_no_answer():
    assert reduce_asked([clip(0, good=0.8)], {}) is None
    assert reduce_asked([clip(0, good=0.8)], {"other": "mean"}) is None
    assert reduce_asked([clip(0), clip(1)], {"q": "mean"}) is None


SHARES = st.lists(st.floats(0, 1), min_size=2, max_size=2).filter(lambda p: sum(p) > 0)


@given(st.lists(SHARES, min_size=1, max_size=5))
def test_means_of_distributions_are_distributions(members):
    answers = [clip(0, a=a / (a + b), b=b / (a + b))["answers"] for a, b in members]
    mean = average_answers(answers)
    assert sum(one["p"] for one in mean) == pytest.approx(1)
    assert [one["answer"] for one in mean] == ["a", "b"]
    assert all(one["mass"] == pytest.approx(0.5) for one in mean)


def test_a_model_that_was_not_asked_is_left_out():
    mean = average_answers([clip(0, a=0.2)["answers"], None, clip(0, a=0.4, b=0.6)["answers"]])
    assert [(one["answer"], pytest.approx(one["p"])) for one in mean] == [("a", 0.3), ("b", 0.6)]
    assert average_answers([None, None]) is None
    distances = [[{"contrast": "c", "distance": x}] for x in (0.2, 0.6)]
    assert average_contrasts([*distances, None]) == [
        {"contrast": "c", "distance": pytest.approx(0.4)}
    ]
