"""The distance between the answers to two questions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from ah_ray.verdicts.contrast import measure_contrast

WEIGHTS = st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda w: sum(w) > 1e-3)
ANSWERS = WEIGHTS.map(lambda w: [x / sum(w) for x in w])


@given(ANSWERS, ANSWERS)
def test_it_is_scipys(first, second):
    found = measure_contrast(first, second)
    assert 0 <= found <= 1
    assert found**2 == pytest.approx(np.nan_to_num(jensenshannon(first, second, 2)) ** 2, abs=1e-9)
    assert found == measure_contrast(second, first)


def test_its_ends():
    assert measure_contrast([0.2, 0.8], [0.2, 0.8]) == 0
    assert measure_contrast([1, 0, 0], [0, 0.5, 0.5]) == 1
