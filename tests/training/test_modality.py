"""Which looks see one of picture and sound: the right share, and the same after a restart."""

import pytest
from labelled_clips import settings_of

from ah_ray.errors import ConfigError
from ah_ray.profile import Sees
from ah_ray.training.data.modality import draw_modality
from ah_ray.training.data.sampler import Order, OrderWindow


def draw_all(seed=0, epochs=2, n=4000, share=0.3):
    return [
        [draw_modality(seed, epoch, window, share) for window in range(n)]
        for epoch in range(epochs)
    ]


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
def test_the_share_is_as_set_and_half_of_it_each(share):
    (drawn,) = draw_all(epochs=1, share=share)
    for sees in (Sees.PICTURE, Sees.SOUND):
        assert drawn.count(sees) / len(drawn) == pytest.approx(share / 2, abs=0.025)


def test_nothing_is_drawn_without_a_share():
    assert set(draw_all(epochs=1, n=50, share=0.0)[0]) == {Sees.BOTH}


def test_epochs_seeds_and_windows_differ_and_a_repetition_does_not():
    first, second = draw_all()
    assert draw_all() == [first, second]
    assert first != second and first != draw_all(seed=1)[0]


def test_a_training_that_continues_asks_as_it_would_have_asked():
    """With any number of workers: what a step sees depends on its windows and epoch alone."""
    windows = [OrderWindow(video=n // 3, label=bool(n % 2)) for n in range(60)]
    order = Order(windows=windows, batch=8, epochs=2, seed=3, lanes=4)

    def list_asked(rank=0, workers=1, after=0):
        epochs = [e for e in range(2) for _ in range(order.count_steps(e))]
        steps = list(zip(epochs, order.steps(rank, workers), strict=True))[after:]
        return [
            {(window, draw_modality(3, epoch, window, 0.5)) for window in step}
            for epoch, step in steps
        ]

    whole = list_asked()
    assert list_asked(after=5) == whole[5:]
    halves = zip(list_asked(0, 2), list_asked(1, 2), strict=True)
    assert [one | other for one, other in halves] == whole


def test_rewards_see_both():
    settings_of(modality_dropout=0.3)
    with pytest.raises(ConfigError, match=r"--modality-dropout goes with --method lora or full"):
        settings_of(modality_dropout=0.3, method="grpo")
