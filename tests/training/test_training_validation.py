import pytest

from ah_ray.training.data.dataloader import LabelledWindow
from ah_ray.training.validation import Validator, compute_measures


def test_reads_the_answer_as_a_replica_does(learner, questions, stager, clips, tiny, profile):
    from ah_ray.config import Arithmetic
    from ah_ray.omni.scorer import OmniScorer

    scorer = OmniScorer.load(tiny, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu")
    expected = [score.p_ah for score in scorer.score([clip.clip for clip in clips])]
    for budget in (4096, 200):
        validate = Validator(learner(), questions, stager, token_budget=budget)
        validate._learner.model.eval()
        assert validate.compute_probabilities(clips) == pytest.approx(expected, abs=1e-5)


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
