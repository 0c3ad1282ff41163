import numpy as np
import pytest

from ah_ray.study.evaluation.predictions import Predictions, measure
from ah_ray.study.evaluation.schema import Confusion


def predictions(label, p_ah, threshold=0.5):
    yes = [p is not None and p >= threshold for p in p_ah]
    return Predictions.of(label, p_ah, yes, np.arange(len(label)))


def test_by_hand():
    found = measure(predictions([1, 1, 1, 0, 0], [0.9, 0.6, 0.1, 0.7, 0.2]))
    assert found.confusion == Confusion(tp=2, fp=1, fn=1, tn=1)
    assert (found.n_videos, found.n_participants, found.n_ah) == (5, 5, 3)
    assert found.accuracy.value == pytest.approx(3 / 5)
    assert found.macro_f1.value == pytest.approx((4 / 6 + 2 / 4) / 2)
    assert found.average_precision.value == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert found.accuracy.too_few  # of five participants
    assert found.recall_ah.low is None  # of three


def test_unscored_videos_left_out_and_counted_wrong():
    videos = predictions([1, 1, 0, 0], [0.9, None, None, 0.1])
    assert measure(videos.without_unscored()).accuracy.value == 1
    assert len(videos.without_unscored()) == 2
    found = measure(videos.count_unscored_as_wrong())
    assert found.confusion == Confusion(tp=1, fp=1, fn=1, tn=1)
    assert found.average_precision.value == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_other_answers_at_a_threshold():
    videos = predictions([1, 0], [0.6, 0.5])
    assert videos.answer_at(0.6).yes.tolist() == [True, False]
    assert videos.answer_at(0.5).yes.tolist() == [True, True]
