import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.training.steps.learning_rate import compute_learning_rate


@given(n_steps=st.integers(1, 5000), warmup=st.floats(0, 1))
def test_rises_then_falls_and_never_leaves_its_bounds(n_steps, warmup):
    rates = [
        compute_learning_rate(step, n_steps=n_steps, highest=1e-3, warmup=warmup)
        for step in range(n_steps)
    ]
    assert all(0 <= rate <= 1e-3 for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_by_hand():
    rates = [
        compute_learning_rate(step, n_steps=10, highest=1.0, warmup=0.2) for step in (0, 1, 2, 6, 9)
    ]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.5, 0.0380602], abs=1e-6)
