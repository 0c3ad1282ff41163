"""Labels that can teach nothing are refused before anything starts."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_process import run_here
from labelled_clips import settings_of

from ah_ray.errors import ConfigError
from ah_ray.profile import Profile, load_profile
from ah_ray.study.labelled_manifest import LABELLED_VIDEOS, WINDOWS, write_labels
from ah_ray.training.data.assignment import make_order
from ah_ray.training.data.dataloader import LabelledWindow
from ah_ray.training.data.label_check import (
    check_answers,
    check_epochs,
    check_labels,
    check_questions,
)
from ah_ray.training.data.questions import NamedAnswer

GOOD = "Is there a smile in <video> and <audio>?"


def window(label: bool, question: str | None = None, uri: str = "a.mp4") -> LabelledWindow:
    return LabelledWindow(uri=uri, start_s=0, end_s=5, label=label, question=question, weight=1)


BOTH = [window(True), window(False)]


def make_profile(**fields: object) -> Profile:
    """`seed-why`, whose first question has other fields."""
    profile = load_profile("seed-why")
    first, *others = profile.complete_questions
    asked = (first.model_copy(update=fields), *others)
    return profile.model_copy(update={"questions": asked})


@pytest.mark.parametrize("name", ["seed", "seed-why", "seed-inference", "tiny"])
def test_labels_are_answers_to_the_first_question_of_our_profiles(name):
    for method in ("lora", "grpo"):
        check_answers(settings_of(method=method), load_profile(name), BOTH)


def test_labels_that_do_not_say_which_answer_is_right():
    two = make_profile(answers=("low", "high"), positive="high")
    check_answers(settings_of(), two, BOTH)  # 1 is high, 0 is low
    with pytest.raises(ConfigError, match=r"first question, ah, .* --method grpo rewards Yes"):
        check_answers(settings_of(method="grpo"), two, BOTH)
    three = make_profile(answers=("low", "medium", "high"), positive="high")
    named = replace(window(True), answers=(NamedAnswer(question="ah", answer="high"),))
    check_answers(settings_of(), three, [named, window(True, GOOD)])
    with pytest.raises(ConfigError, match=r"2 windows have a label of 0 or 1, .* column ah that"):
        check_answers(settings_of(), three, [named, *BOTH])


def test_a_question_with_one_answer_teaches_nothing():
    profile = load_profile("seed-why")
    faces = [
        replace(window(True), answers=(NamedAnswer(question="face", answer=answer),))
        for answer in ("positive", "negative")
    ]
    check_questions(settings_of(), profile, [*BOTH, *faces])
    with pytest.raises(ConfigError, match=r"all 1 windows .* question face have .* positive"):
        check_questions(settings_of(), profile, [*BOTH, faces[0]])


def check(train, val=(), **settings) -> None:
    check_labels(settings_of(**settings), train, val)
    check_epochs(make_order(settings_of(**settings), train, workers=1))


@pytest.mark.parametrize(
    ("train", "val", "settings", "told"),
    [
        ([], BOTH, {}, "no window of the split `train`"),
        ([window(True)] * 3, BOTH, {}, "all 3 windows of the split `train` are labelled Yes"),
        ([window(False)], [], {}, "are labelled No"),
        ([window(False)], [], {"balance": "draw"}, "are labelled No"),
        ([window(False)], [], {"balance": "weights"}, "are labelled No"),
        ([window(False)], [], {"method": "grpo"}, "are labelled No"),
        # The simpler questions' labels are no labels of the question itself.
        ([window(True), window(False, GOOD), window(True, GOOD)], [], {}, "are labelled Yes"),
        ([*BOTH, window(True, "no places")], [], {}, "must hold <video> exactly once"),
        (BOTH, [window(True, "only <video>")], {}, "must hold <audio> exactly once"),
        ([*BOTH, window(True, GOOD + "<video>")], [], {}, "must hold <video> exactly once"),
        ([*BOTH, window(True, GOOD + "<|video_pad|>")], [], {}, r"holds <\|video_pad\|>"),
        ([*BOTH, window(True, "")], [], {}, "must hold <video>"),
        (BOTH, [], {"simple_epochs": 1, "epochs": 2}, "--simple-epochs 1: no window"),
        (
            [*BOTH, window(True, GOOD)],
            [],
            {"simple_epochs": 1, "epochs": 2, "balance": "draw"},
            "--balance draw: the windows of epoch 1 have one label only",
        ),
    ],
)
def test_what_cannot_teach_is_reported(train, val, settings, told):
    with pytest.raises(ConfigError, match=told):
        check(train, val, **settings)


@given(
    labels=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30),
    simple_epochs=st.integers(0, 2),
    balance=st.sampled_from(["none", "weights", "draw"]),
)
def test_what_passes_has_windows_in_every_epoch(labels, simple_epochs, balance):
    rows = [window(y, GOOD if simple else None, f"{n}.mp4") for n, (y, simple) in enumerate(labels)]
    settings = {"epochs": 3, "simple_epochs": simple_epochs, "balance": balance}
    order = make_order(settings_of(**settings), rows, workers=1)
    try:
        check(rows, **settings)
    except ConfigError:
        one_label = len({y for y, simple in labels if not simple} or {y for y, _ in labels}) == 1
        assert one_label or not all(order.count_steps(epoch) for epoch in range(3))
    else:
        assert all(order.count_steps(epoch) for epoch in range(3))


@pytest.mark.parametrize(
    ("label", "question", "told"),
    [(1, None, "are labelled Yes"), (0, "no places", "must hold <video> exactly once")],
)
def test_the_job_says_so_and_starts_nothing(tmp_path, label, question, told):
    same = {"uri": "gone.mp4", "video_id": "v", "participant_id": "p", "split": "train"}
    row = {"window_index": 0, "start_s": 0.0, "end_s": 5.0, "label": label, "weight": 1.0}
    windows = pa.Table.from_pylist([{**same, **row, "question": question}], WINDOWS)
    videos = pa.Table.from_pylist([], LABELLED_VIDEOS)
    write_labels(str(tmp_path / "labels"), windows, videos, {"data_fingerprint": "0" * 16})
    done = run_here(
        "train", "--labels", tmp_path / "labels", "--model", "tiny", "--out", tmp_path / "out"
    )
    assert done.returncode == 2 and told in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
