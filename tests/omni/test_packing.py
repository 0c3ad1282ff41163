from hypothesis import given
from hypothesis import strategies as st

from ah_ray.omni.packing import pack

LENGTHS = st.lists(st.integers(1, 100))


@given(LENGTHS, st.integers(1, 200))
def test_every_clip_is_in_exactly_one_pass(lengths, budget):
    packs = pack(lengths, budget)
    assert sorted(clip for chosen in packs for clip in chosen) == list(range(len(lengths)))


@given(LENGTHS, st.integers(1, 200))
def test_no_pass_is_over_the_budget_but_of_a_clip_that_is(lengths, budget):
    for chosen in pack(lengths, budget):
        assert sum(lengths[clip] for clip in chosen) <= budget or len(chosen) == 1


@given(LENGTHS, st.integers(1, 200))
def test_no_two_passes_could_be_one(lengths, budget):
    totals = sorted(sum(lengths[clip] for clip in chosen) for chosen in pack(lengths, budget))
    assert len(totals) < 2 or totals[0] + totals[1] > budget


@given(LENGTHS, st.integers(1, 200))
def test_equal_lengths_lie_side_by_side(lengths, budget):
    for chosen in pack(lengths, budget):
        ordered = [lengths[clip] for clip in chosen]
        assert ordered == sorted(ordered, reverse=True)


def test_best_fit():
    assert pack([6, 5, 4, 3, 2], 10) == [[0, 2], [1, 3, 4]]
