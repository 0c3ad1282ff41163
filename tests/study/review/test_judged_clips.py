"""Answers of invented reviewers, clip by clip."""

from __future__ import annotations

import pytest

from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.review.judged_clips import agreement, judged_clips
from ah_ray.study.review.sheet import Answer

HERE = Place(file="sheet.csv", line=2)


def answer(reviewer: str, yes: bool, start_s: float = 0.0, video_id: str = "a") -> Answer:
    return Answer(
        video_id=video_id, start_s=start_s, end_s=start_s + 5, yes=yes, reviewer=reviewer,
        content=None, participant=None, place=HERE,
    )  # fmt: skip


def judge(*answers: Answer):
    faults = Faults()
    return judged_clips(answers, faults), faults.found


def test_the_majority_of_each_clip():
    clips, faults = judge(
        answer("A", True), answer("B", True), answer("C", False),
        answer("A", True, 5), answer("B", False, 5), answer("A", False, 0, "b"),
    )  # fmt: skip
    assert [(one.video_id, one.start_s, one.yes) for one in clips] == [
        ("a", 0, True), ("a", 5, None), ("b", 0, False),
    ]  # fmt: skip
    assert not faults


def test_times_that_a_spreadsheet_rounded_are_the_same():
    clips, _ = judge(answer("A", True, 7.0431), answer("B", True, 7.043))
    assert len(clips) == 1 and len(clips[0].answers) == 2


def test_who_answers_twice():
    clips, faults = judge(answer("A", True), answer("A", True))
    assert len(clips[0].answers) == 1 and not faults, "the same sheet, sent twice"
    _, faults = judge(answer("A", True), answer("A", False))
    assert [fault.problem for fault in faults] == ["A answers this clip twice, and differently"]
    assert faults[0].video == "a"


def test_agreement():
    answers = [(1, 1, 1), (1, 0, 1), (0, 0, 1), (0, 0, 0)]  # of A, B, C
    clips, _ = judge(
        *[answer(who, bool(yes), 5 * n) for n, row in enumerate(answers)
          for who, yes in zip("ABC", row, strict=True)],
        answer("A", True, 50),
        answer("A", True, 60), answer("B", False, 60),
    )  # fmt: skip
    found = agreement(clips)
    assert found.reviewers == ("A", "B", "C")
    assert (found.n_shared, found.n_unanimous, found.n_ties, found.n_by_all) == (5, 2, 1, 4)
    # pairs that agree: 3, 1, 1, 3 of 3 each; 6 of 12 answers are Yes, so chance is 1/2
    assert found.fleiss == pytest.approx((8 / 12 - 0.5) / 0.5)
    a_and_b = found.pairs[0]
    assert (a_and_b.names, a_and_b.n_clips, a_and_b.n_same) == (("A", "B"), 5, 3)
    # A: 3 Yes of 5, B: 1 of 5; by chance 3·1/25 + 2·4/25 = 11/25
    assert a_and_b.kappa == pytest.approx((15 / 25 - 11 / 25) / (14 / 25))


def test_one_reviewer_agrees_with_nobody():
    found = agreement(judge(answer("A", True))[0])
    assert (found.pairs, found.fleiss, found.n_shared) == ((), None, 0)
