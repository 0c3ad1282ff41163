"""A run reports once that the model would answer in another form."""

from __future__ import annotations

import pytest
from invented_rows import clip

from ah_ray.pipeline.actors.format_check import N_CLIPS, FormatCheck


@pytest.mark.parametrize(("mass", "told"), [(0.01, 1), (0.99, 0), (None, 0)])
def test_the_first_clips_decide(mass, told):
    said: list[str] = []
    check = FormatCheck(said.append)
    for number in range(4 * N_CLIPS):
        check.see([clip(number, 0.4, format_mass=mass)])
        assert len(said) <= (number + 1 >= N_CLIPS)
    assert len(said) == told
    assert all("begin only 0.01 of its answers with <answer>" in one for one in said)
