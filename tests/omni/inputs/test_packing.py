from hypothesis import given
from hypothesis import strategies as st

from ah_ray.omni.inputs.packing import MAX_SKIPS, choose_next_pack, pack_clips

LENGTHS = st.lists(st.integers(1, 100))


@given(LENGTHS, st.integers(1, 200))
def test_every_clip_is_in_exactly_one_pass(lengths, budget):
    packs = pack_clips(lengths, budget)
    assert sorted(clip for chosen in packs for clip in chosen) == list(range(len(lengths)))


@given(LENGTHS, st.integers(1, 200))
def test_no_pass_is_over_the_budget_but_of_a_clip_that_is(lengths, budget):
    for chosen in pack_clips(lengths, budget):
        assert sum(lengths[clip] for clip in chosen) <= budget or len(chosen) == 1


@given(LENGTHS, st.integers(1, 200))
def test_no_two_passes_could_be_one(lengths, budget):
    totals = sorted(sum(lengths[clip] for clip in chosen) for chosen in pack_clips(lengths, budget))
    assert len(totals) < 2 or totals[0] + totals[1] > budget


@given(LENGTHS, st.integers(1, 200))
def test_equal_lengths_lie_side_by_side(lengths, budget):
    for chosen in pack_clips(lengths, budget):
        ordered = [lengths[clip] for clip in chosen]
        assert ordered == sorted(ordered, reverse=True)


def test_best_fit():
    assert pack_clips([6, 5, 4, 3, 2], 10) == [[0, 2], [1, 3, 4]]


@given(st.lists(st.lists(st.integers(1, 100), max_size=4), min_size=1), st.integers(50, 200))
def test_nobody_waits_for_ever(arrivals, budget):
    """Clips arrive a few at a time, before each pass; a clip sees only so many go by."""
    waiting: list[tuple[int, int, int]] = []  # tokens, passes gone by, clips that came before
    for coming in [*arrivals, *[[]] * 200]:
        waiting += [(n_tokens, 0, len(waiting) + i) for i, n_tokens in enumerate(coming)]
        chosen = choose_next_pack([w[0] for w in waiting], [w[1] for w in waiting], budget)
        assert bool(chosen) == bool(waiting)
        assert all(times <= MAX_SKIPS + before for _, times, before in waiting)
        waiting = [
            (n_tokens, times + 1, before)
            for i, (n_tokens, times, before) in enumerate(waiting)
            if i not in chosen
        ]
    assert not waiting or sum(map(len, arrivals)) > 200


def test_the_fullest_pass_goes_first():
    assert choose_next_pack([3, 9, 8, 2], [0, 0, 0, 0], 10) == [2, 3]


def test_who_was_passed_over_goes_next():
    assert choose_next_pack([3, 9, 8, 2], [MAX_SKIPS, 0, 0, 0], 10) == [0]
    assert choose_next_pack([3, 9, 8, 2], [MAX_SKIPS - 1, 0, 0, 0], 10) == [2, 3]
    assert choose_next_pack([], [], 10) == []
