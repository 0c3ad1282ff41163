"""Labels of a profile's questions reach the windows for which they hold."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_clips import settings_of

from ah_ray.errors import ConfigError
from ah_ray.profile import load_profile
from ah_ray.study.labelled_manifest import ANSWERS, WINDOWS
from ah_ray.training.data.assignment import select_windows
from ah_ray.training.data.named_labels import count_answers, select_answers

PROFILE = load_profile("seed-why")
FIRST = PROFILE.complete_questions[0].name


def answer(question, answer, start_s=None, end_s=None, *, video="v", weight=1.0):
    return {
        "video_id": video, "start_s": start_s, "end_s": end_s, "question": question,
        "answer": answer, "weight": weight, "participant_id": "p", "split": "train",
    }  # fmt: skip


def window(start_s, end_s, label=1, question=None, *, video="v", split="train"):
    return {
        "uri": f"/{video}.mp4", "video_id": video, "window_index": 0, "start_s": start_s,
        "end_s": end_s, "label": label, "question": question, "participant_id": "p",
        "split": split, "weight": 2.0,
    }  # fmt: skip


def select(windows, answers, **settings):
    chosen = settings_of(**settings)
    rows = select_answers(pa.Table.from_pylist(answers, ANSWERS), PROFILE, chosen)
    table = pa.Table.from_pylist(windows, WINDOWS)
    return select_windows(table, "train", chosen, rows, PROFILE)


def read_named(row):
    return {one.question: (one.answer, one.weight) for one in row.answers}


def test_a_window_learns_the_labels_of_all_intervals_that_it_lies_within():
    rows = select(
        [window(0, 5), window(5, 10, 0), window(10, 12.3, None), window(0, 5, 1, video="other")],
        [
            answer("face", "positive", 0.0, 5.0, weight=0.5),
            answer("face", "negative", 5.0, 12.3),
            answer("voice", "neutral", 4.0, 12.0),  # holds for a part of the first and the last
            answer("speech", "Yes"),
            answer("one-face", "No", 5.0, None),
        ],
    )
    assert [read_named(row) for row in rows] == [
        {"face": ("positive", 0.5), "speech": ("Yes", 1.0)},
        {"face": ("negative", 1.0), "voice": ("neutral", 1.0), "one-face": ("No", 1.0),
         "speech": ("Yes", 1.0)},
        {"face": ("negative", 1.0), "one-face": ("No", 1.0), "speech": ("Yes", 1.0)},
        {},
    ]  # fmt: skip
    assert [row.label for row in rows] == [True, False, None, True]
    order = [question.name for question in PROFILE.complete_questions]
    assert all(list(read_named(row)) == [n for n in order if n in read_named(row)] for row in rows)


def test_windows_without_any_label_are_left_out():
    rows = select([window(0, 5, None), window(5, 10, None)], [answer("face", "neutral", 5.0, 10.0)])
    assert [row.start_s for row in rows] == [5.0]


def test_the_first_question_may_be_labelled_by_name():
    rows = select(
        [window(0, 5, None), window(5, 10, 1)], [answer(FIRST, "Yes"), answer("face", "neutral")]
    )
    assert [row.label for row in rows] == [True, True]
    assert read_named(rows[0]) == {FIRST: ("Yes", 1.0), "face": ("neutral", 1.0)}
    with pytest.raises(ConfigError, match=r"0 – 5 s: the question ah is answered both Yes and the"):
        select([window(0, 5, 0)], [answer(FIRST, "Yes")])


def test_contradictions_are_refused():
    with pytest.raises(ConfigError, match=r"video v, 0 – 5 s: the question face is answered both"):
        select([window(0, 5)], [answer("face", "neutral"), answer("face", "positive", 0.0, 5.0)])


def test_a_simpler_question_is_asked_alone():
    text = "Does <video> and <audio> smile?"
    rows = select([window(0, 5, 1, text), window(0, 5, 0)], [answer("face", "neutral")])
    assert [read_named(row) for row in rows] == [{}, {"face": ("neutral", 1.0)}]


@pytest.mark.parametrize(
    ("answers", "settings", "told"),
    [
        (
            [answer("mood", "sad")],
            {},
            r"question mood, which profile seed-why does not ask .* --ask",
        ),
        ([answer("face", "sad")], {}, r"video v has the answer 'sad' to the question face"),
        ([answer("face", "neutral")], {"ask": "smile"}, r"--ask smile: profile seed-why has no"),
        ([answer("face", "neutral")], {"method": "grpo"}, r"grpo learns the first question only"),
    ],
)
def test_labels_that_the_profile_does_not_know(answers, settings, told):
    with pytest.raises(ConfigError, match=told):
        select([window(0, 5)], answers, **settings)


def test_ask_names_the_questions_that_are_learned():
    answers = [answer("face", "neutral"), answer("voice", "neutral"), answer("mood", "sad")]
    for ask, kept in (("face", ["face"]), (("face", "voice"), ["face", "voice"]), (FIRST, [])):
        assert list(read_named(select([window(0, 5)], answers, ask=ask)[0])) == kept
    assert not select([window(0, 5)], answers, ask=FIRST, method="grpo")[0].answers


def test_balance_weighs_the_first_question_only():
    windows = [window(5 * n, 5 * n + 5, label) for n, label in enumerate([1, 0, 0, None])]
    rows = select(
        windows, [answer("face", "neutral"), answer(FIRST, "Yes", 0.0, 5.0)], balance="weights"
    )
    assert [row.weight for row in rows[:3]] == [3.0, 1.5, 1.5]
    assert read_named(rows[0]) == {FIRST: ("Yes", 1.5), "face": ("neutral", 1.0)}
    assert all(read_named(row)["face"] == ("neutral", 1.0) for row in rows)


@given(st.lists(st.tuples(st.sampled_from([0, 1, None]), st.booleans()), max_size=20))
def test_counts_are_of_all_windows_and_questions(drawn):
    windows = [window(5 * n, 5 * n + 5, label) for n, (label, _) in enumerate(drawn)]
    answers = [
        answer("face", "neutral", 5.0 * n, 5.0 * n + 5)
        for n, (_, has_face) in enumerate(drawn)
        if has_face
    ]
    counts = count_answers(select(windows, answers), PROFILE)
    labels = [label for label, _ in drawn]
    assert sum(counts.get(FIRST, {}).values()) == len(labels) - labels.count(None)
    assert counts.get(FIRST, {"Yes": 0})["Yes"] == labels.count(1)
    assert counts.get("face", {"neutral": 0})["neutral"] == len(answers)
