"""Class weights and the balanced draw: of train alone, each question by itself."""

from __future__ import annotations

from collections import Counter

import pytest

from ah_ray.study.prepare.balance import NOT_DRAWN, WindowRow, balanced
from ah_ray.study.prepare.settings import Balance


def rows(*groups: tuple[int, int, str, str | None]) -> list[WindowRow]:
    """Of each (how many, label, split, question)."""
    wanted = [group for group in groups for _ in range(group[0])]
    return [
        WindowRow(
            uri="/v.mp4", video_id=f"{n:03}", window_index=0, start_s=0.0, end_s=5.0, label=label,
            question=question, participant_id="p", split=split,
        )
        for n, (_, label, split, question) in enumerate(wanted)
    ]  # fmt: skip


ROWS = rows((2, 1, "train", None), (6, 0, "train", None), (1, 1, "val", None), (5, 0, "val", None))


def test_none():
    left_out = Counter()
    assert balanced(ROWS, Balance.NONE, 0, left_out) == ROWS
    assert not left_out


def test_weights_make_both_labels_weigh_the_same():
    found = balanced(ROWS, Balance.WEIGHTS, 0, Counter())
    weights = {(row.split, row.label): row.weight for row in found}
    assert weights == {
        ("train", 1): 2.0,
        ("train", 0): pytest.approx(2 / 3),
        ("val", 1): 1.0,
        ("val", 0): 1.0,
    }
    train = [row.weight for row in found if row.split == "train"]
    assert sum(train) == pytest.approx(len(train))


def test_a_draw_takes_as_many_negatives_as_positives():
    left_out = Counter()
    found = balanced(ROWS, Balance.DRAW, 0, left_out)
    counts = Counter((row.split, row.label) for row in found)
    assert counts == {("train", 1): 2, ("train", 0): 2, ("val", 1): 1, ("val", 0): 5}
    assert left_out == {NOT_DRAWN: 4}
    assert found == [row for row in ROWS if row in found]  # in the same order, with the same index
    assert balanced(ROWS, Balance.DRAW, 0, Counter()) == found
    assert any(balanced(ROWS, Balance.DRAW, seed, Counter()) != found for seed in range(1, 5))


def test_positives_are_never_drawn():
    few = rows((6, 1, "train", None), (2, 0, "train", None))
    assert balanced(few, Balance.DRAW, 0, Counter()) == few
    one_label = rows((3, 1, "train", None))
    assert [row.weight for row in balanced(one_label, Balance.WEIGHTS, 0, Counter())] == [1, 1, 1]


def test_each_question_by_itself():
    mixed = rows((1, 1, "train", None), (3, 0, "train", None), (3, 1, "train", "?"),
                 (1, 0, "train", "?"))  # fmt: skip
    found = balanced(mixed, Balance.WEIGHTS, 0, Counter())
    weights = {(row.question, row.label): row.weight for row in found}
    assert weights == {
        (None, 1): 2.0, (None, 0): pytest.approx(2 / 3),
        ("?", 1): pytest.approx(2 / 3), ("?", 0): 2.0,
    }  # fmt: skip
    drawn = balanced(mixed, Balance.DRAW, 0, Counter())
    assert Counter((row.question, row.label) for row in drawn) == {
        (None, 1): 1, (None, 0): 1, ("?", 1): 3, ("?", 0): 1,
    }  # fmt: skip
