from dataclasses import replace

import numpy as np
import pytest

from ah_ray.config import Arithmetic
from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.omni.scorer import OmniScorer
from ah_ray.profile import load_profile
from ah_ray.training.data.dataloader import LabelledWindow
from ah_ray.training.data.questions import NamedAnswer, Questions
from ah_ray.training.validation import (
    QuestionMeasures,
    Validator,
    compute_measures,
    measure_questions,
)


def test_reads_the_answer_as_a_replica_does(learner, questions, stager, clips, tiny, profile):
    scorer = OmniScorer.load(tiny, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu")
    expected = [score.p_ah for score in scorer.score([clip.clip for clip in clips])]
    for budget in (4096, 200):
        validate = Validator(learner(), questions, stager, token_budget=budget)
        validate._learner.model.eval()
        assert validate.compute_probabilities(clips) == pytest.approx(expected, abs=1e-5)


def test_reads_all_labelled_questions_as_a_replica_does(learner, stager, clips, tiny):
    """Clips of one pass may be labelled by different questions."""
    profile = load_profile("seed-why").model_copy(update={"max_pixels": 4096, "min_pixels": 4096})
    scorer = OmniScorer.load(tiny, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu")
    scores = scorer.score([clip.clip for clip in clips])
    asked = [("face", "speech"), (), ("voice",), ("words", "ah-sound", "face")]
    labelled = [
        replace(clip, answers=tuple(NamedAnswer(question=name, answer="Yes") for name in names))
        for clip, names in zip(clips, asked, strict=True)
    ]
    questions = Questions(profile, load_tokenizer(tiny), 13)
    validate = Validator(learner(), questions, stager, token_budget=4096)
    validate._learner.model.eval()
    for names, score, read in zip(asked, scores, validate.read_answers(labelled), strict=True):
        assert set(read) == {"ah", *names}
        for name, p in read.items():
            expected = [answer.p for answer in score.answers if answer.question == name]
            assert list(p) == pytest.approx(expected, abs=1e-5)


def test_measures_of_further_questions_by_hand():
    face = load_profile("seed-why").complete_questions[1]

    def make_window(answer):
        return replace(window("a", 0, None), answers=(NamedAnswer(question="face", answer=answer),))

    found = [
        (make_window("positive"), {"face": (0.8, 0.1, 0.1)}),
        (make_window("negative"), {"face": (0.1, 0.2, 0.7)}),
        (make_window("negative"), {"face": (0.5, 0.1, 0.4)}),
        (window("a", 0, True), {"ah": (0.5, 0.5)}),
    ]
    (measured,) = measure_questions((face,), found)
    assert (measured.question, measured.n_windows) == ("face", 3)
    assert measured.accuracy == pytest.approx(2 / 3)
    assert measured.macro_f1 == pytest.approx((2 / 3 + 2 / 3) / 2)  # nothing is neutral
    assert measured.loss == pytest.approx(-np.log([0.8, 0.7, 0.4]).mean())


def test_without_labels_of_the_first_question_the_others_choose_the_checkpoint():
    each = [
        QuestionMeasures(question=name, n_windows=1, loss=1.0, accuracy=1.0, macro_f1=f1)
        for name, f1 in (("face", 0.5), ("voice", 0.9))
    ]
    unlabelled = [(window("a", 0, None), 0.4)]
    assert compute_measures(unlabelled, tuple(each)).score == pytest.approx(0.7)
    both = [(window("a", 0, True), 0.4), (window("b", 0, False), 0.4), *unlabelled]
    assert compute_measures(both, tuple(each)).score == compute_measures(both[:2]).score


def window(uri, start_s, label, question=None):
    return LabelledWindow(
        uri=uri, start_s=start_s, end_s=start_s + 5, label=label, question=question, weight=1.0
    )


def test_measures_by_hand():
    judged = compute_measures(
        [
            (window("a", 0, True), 0.9),
            (window("a", 5, False), 0.2),
            (window("b", 0, False), 0.6),
            (window("c", 0, False), 0.1),
            (window("c", 0, True, "simple?"), 0.8),
            (window("c", 5, False, "simple?"), 0.7),
        ]
    )
    assert judged.accuracy == 0.75
    assert judged.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert judged.average_precision == 1.0
    assert judged.video_macro_f1 == pytest.approx((2 / 3 + 2 / 3) / 2)  # b is a Yes by mistake
    assert judged.simple_accuracy == 0.5
    assert judged.n_windows == 6
    assert judged.score == pytest.approx((judged.macro_f1 + judged.video_macro_f1) / 2)


def test_nothing_to_judge():
    judged = compute_measures([])
    assert (judged.loss, judged.macro_f1, judged.score) == (None, None, 0.0)
    simple = compute_measures([(window("a", 0, True, "simple?"), 0.8)])
    assert (simple.video_macro_f1, simple.score) == (None, 1.0)
