"""Which layers lie on which card, at the released size, by arithmetic alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from released import released_config

from ah_ray.errors import ConfigError
from ah_ray.omni.model.device_map import (
    ROOM_BYTES,
    count_gpus_needed,
    find_room_bytes,
    make_device_map,
    measure_parts,
    split_layers,
)

GIB = 1024**3


@pytest.fixture(scope="module")
def sizes():
    return measure_parts(released_config())


def test_the_released_thinker_is_as_large_as_it_is_said_to_be(sizes):
    """31.7 B parameters: text 30.5 B, vision 0.54 B, sound 0.65 B."""
    assert sum(sizes.values()) / 2 == pytest.approx(31.7e9, rel=0.002)
    assert sizes["model.visual"] / 2 == pytest.approx(0.54e9, rel=0.01)
    assert sizes["model.audio_tower"] / 2 == pytest.approx(0.65e9, rel=0.02)


@pytest.mark.parametrize("card_gib", [[80], [48, 48], [24, 24, 24, 24], [48, 24, 24]])
def test_the_model_fits(sizes, card_gib):
    cards = [0.97 * gib * GIB for gib in card_gib]  # CUDA and the driver have their share
    shares = split_layers(sizes, cards)
    assert [n for share in shares for n in share.layers] == list(range(48))
    assert sum(share.weight_bytes for share in shares) == sum(sizes.values())
    for share, there in zip(shares, cards, strict=True):
        assert share.room_bytes == there - share.weight_bytes >= ROOM_BYTES


def test_the_tiny_model_fits_on_a_card_of_4_gb():
    """Whose driver and screen have taken a good part."""
    tiny = {f"model.language_model.layers.{n}": 500_000 for n in range(3)}
    share = split_layers(tiny, [2 * GIB])[0]
    assert share.room_bytes >= find_room_bytes(tiny) and find_room_bytes(tiny) < GIB
    with pytest.raises(ConfigError, match=r"and 0.3 GB on each GPU to work in"):
        split_layers(tiny, [GIB // 8])


def test_equal_cards_are_evenly_full(sizes):
    layer = sizes["model.language_model.layers.0"]
    weights = [share.weight_bytes for share in split_layers(sizes, [24 * GIB] * 4)]
    assert max(weights) - min(weights) <= 2 * layer


@pytest.mark.parametrize(
    ("card_gib", "remedy"),
    [
        ([24, 24], r"give 3 such GPUs of one node \(--gpus-per-replica 3\)"),
        ([48], "give 2 such GPUs"),
        ([3], "give larger GPUs"),
    ],
)
def test_what_would_fit_is_said(sizes, card_gib, remedy):
    with pytest.raises(ConfigError, match=f"63.4 GB of weights, .*{remedy}"):
        split_layers(sizes, [gib * GIB for gib in card_gib])


def test_how_many_cards_it_takes(sizes):
    found = [count_gpus_needed(sizes, gib * GIB) for gib in (80, 48, 24, 16, 4)]
    assert found == [1, 2, 3, 5, None]


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=6),
    st.lists(st.integers(0, 60), min_size=1, max_size=4),
)
def test_no_other_cut_leaves_more_room(layers, extra):
    """Against all cuts, tried one by one."""
    unit = GIB
    sizes = {f"model.language_model.layers.{n}": size * unit for n, size in enumerate(layers)}
    sizes |= {"model.visual": 5 * unit, "lm_head": 3 * unit}
    cards = [ROOM_BYTES + more * unit for more in extra]
    rooms = [
        min(there - held for there, held in zip(cards, held_by(cut, layers, unit), strict=True))
        for cut in cuts(len(layers), len(cards))
    ]
    if max(rooms) < ROOM_BYTES:
        with pytest.raises(ConfigError):
            split_layers(sizes, cards)
    else:
        assert min(share.room_bytes for share in split_layers(sizes, cards)) == max(rooms)


def cuts(n_layers: int, n_cards: int, start: int = 0):
    """Every way to end each card's run of layers."""
    if n_cards == 1:
        yield [n_layers]
        return
    for stop in range(start, n_layers + 1):
        for rest in cuts(n_layers, n_cards - 1, stop):
            yield [stop, *rest]


def held_by(cut, layers, unit):
    held = [sum(layers[start:stop]) * unit for start, stop in zip([0, *cut[:-1]], cut, strict=True)]
    held[0] += 5 * unit
    held[-1] += 3 * unit
    return held


def test_every_part_has_a_device(sizes):
    devices = [torch.device("cuda", n) for n in range(2)]
    places = make_device_map(split_layers(sizes, [48 * GIB] * 2), devices)
    assert sizes.keys() <= places.keys()
    assert places["model.visual"] == devices[0]
    assert places["lm_head"] == places["model.language_model.layers.47"] == devices[1]
