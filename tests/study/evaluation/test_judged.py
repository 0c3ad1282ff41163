import numpy as np
import pytest

from ah_ray.study.evaluation.bootstrap import Bootstrap
from ah_ray.study.evaluation.contents import Confusion
from ah_ray.study.evaluation.judged import Judged, measured

FEW = Bootstrap(draws=100)


def judged(label, p_ah, threshold=0.5):
    yes = [p is not None and p >= threshold for p in p_ah]
    return Judged.of(label, p_ah, yes, np.arange(len(label)))


def test_by_hand():
    found = measured(judged([1, 1, 1, 0, 0], [0.9, 0.6, 0.1, 0.7, 0.2]), FEW)
    assert found.confusion == Confusion(tp=2, fp=1, fn=1, tn=1)
    assert (found.n_videos, found.n_participants, found.n_ah) == (5, 5, 3)
    assert found.accuracy.value == pytest.approx(3 / 5)
    assert found.macro_f1.value == pytest.approx((4 / 6 + 2 / 4) / 2)
    assert found.average_precision.value == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert found.accuracy.low is None  # of five participants


def test_unscored_videos_left_out_and_counted_wrong():
    videos = judged([1, 1, 0, 0], [0.9, None, None, 0.1])
    assert measured(videos.scored(), FEW).accuracy.value == 1
    assert len(videos.scored()) == 2
    found = measured(videos.counted_wrong(), FEW)
    assert found.confusion == Confusion(tp=1, fp=1, fn=1, tn=1)
    assert found.average_precision.value == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_answered_anew():
    videos = judged([1, 0], [0.6, 0.5])
    assert videos.at(0.6).yes.tolist() == [True, False]
    assert videos.at(0.5).yes.tolist() == [True, True]
