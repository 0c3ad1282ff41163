import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ah_ray.verdicts.reduction import Scaling, logit, sigmoid

PROBABILITIES = st.floats(0, 1)
SCALINGS = st.builds(Scaling, slope=st.floats(0.01, 100), intercept=st.floats(-50, 50))


@given(st.floats(1e-6, 1 - 1e-6))
def test_logit_and_back(p):
    assert sigmoid(logit(p)) == pytest.approx(p)


@given(SCALINGS, PROBABILITIES, PROBABILITIES)
def test_scaled_is_a_probability_and_keeps_the_order(scaling, p, q):
    low, high = sorted((scaling(p), scaling(q)))
    assert 0 <= low <= high <= 1
    if p < q:
        assert scaling(p) <= scaling(q)


def test_by_hand():
    assert Scaling(slope=1)(0.3) == pytest.approx(0.3)
    assert Scaling(slope=0.5)(0.9) == pytest.approx(0.75)  # odds 9 → √9
    assert Scaling(slope=1, intercept=math.log(2))(0.5) == pytest.approx(2 / 3)
    assert 0 < Scaling(slope=1)(0.0) < 1e-6 and 1 > Scaling(slope=1)(1.0) > 1 - 1e-6


@pytest.mark.parametrize(
    "wrong", [{"slope": 0}, {"slope": -1}, {"slope": math.inf}, {"slope": 1, "intercept": math.nan}]
)
def test_what_would_turn_the_order_is_none(wrong):
    with pytest.raises(ValidationError):
        Scaling(**wrong)
