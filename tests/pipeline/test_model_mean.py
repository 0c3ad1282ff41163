"""What several models made of one clip."""

import pytest
from invented_rows import clip, why_profile, with_answers

from ah_ray.errors import ErrorKind
from ah_ray.pipeline.actors.model_mean import average_models


def test_one_alone_is_its_own():
    assert average_models([clip(0, 0.25)]) == clip(0, 0.25)


def test_all_have_a_say():
    made = average_models([clip(3, 0.2, answer_mass=0.5), clip(3, 0.9), clip(3, 0.7)])
    assert made.model_p_ah == [0.2, 0.9, 0.7]
    assert (made.clip_index, made.start_s, made.n_frames) == (3, 15.0, 10)
    assert abs(made.p_ah - 0.6) < 1e-12
    assert abs(made.answer_mass - (0.5 + 0.9 + 0.9) / 3) < 1e-12
    assert (made.score_s, made.error_kind, made.error) == (0.75, None, None)


def test_the_mean_of_what_is_known():
    made = average_models(
        [clip(3, 0.2, format_mass=0.5), clip(3, 0.9, format_mass=None), clip(3, 0.7)]
    )
    assert made.format_mass == (0.5 + 0.8) / 2


def test_answers_and_contrasts_are_means_too():
    each = [with_answers(clip(0, p), why_profile()) for p in (0.2, 0.6)]
    failed = clip(0, ErrorKind.SCORING)
    made = average_models([*each, failed])
    assert [one.answer for one in made.answers] == [one.answer for one in each[0].answers]
    assert [one.p for one in made.answers[:3]] == pytest.approx([0.4, 0.6, each[0].answers[2].p])
    assert made.contrasts[0].distance == pytest.approx(each[0].contrasts[0].distance)


def test_one_that_failed_is_named_and_left_out():
    made = average_models([clip(0, 0.2), clip(0, ErrorKind.SCORING), clip(0, 0.4)])
    assert made.model_p_ah == [0.2, None, 0.4]
    assert abs(made.p_ah - 0.3) < 1e-12
    assert made.error_kind is ErrorKind.SCORING
    assert made.error == "model 2 of 3: clip 0 broke"


def test_a_clip_without_frames_failed_for_all():
    made = average_models([clip(0, ErrorKind.DECODE)] * 2)
    assert (made.p_ah, made.answer_mass, made.model_p_ah) == (None, None, [None, None])
    assert (made.error_kind, made.error) == (ErrorKind.DECODE, "clip 0 broke")
