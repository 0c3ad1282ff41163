"""Recordings made here with known truth, of more kinds than those that are kept."""

from __future__ import annotations

import format_recordings  # noqa: F401 — it adds its own recipes
import odd_recordings  # noqa: F401 — and so does this
import pytest
import recorder_recordings  # noqa: F401 — and so does this
from generated_recordings import RECIPES
from recording_cases import judge

from ah_ray.config import Tail, Windows
from ah_ray.media.windows import Given

QUICK = [name for name, recipe in RECIPES.items() if recipe.quick]
REST = [name for name in RECIPES if name not in QUICK]


@pytest.fixture(scope="session")
def sessions(tmp_path_factory):
    """A folder for the plain recordings that others are built from, each made once."""
    return tmp_path_factory.mktemp("sessions")


def check(name, folder, windows):
    recipe = RECIPES[name]
    path = recipe.make(folder)
    assert str(judge(recipe.case, path=path, windows=windows)) == "right"


@pytest.mark.parametrize("name", QUICK)
def test_a_clip_holds_the_picture_and_the_sound_of_its_interval(name, sessions):
    check(name, sessions, Windows(tail=Tail.KEEP))


@pytest.mark.heavy
@pytest.mark.parametrize("name", REST)
def test_so_it_does_for_the_rest(name, sessions):
    check(name, sessions, Windows(tail=Tail.KEEP))


@pytest.mark.heavy
@pytest.mark.long
@pytest.mark.parametrize("name", RECIPES)
def test_so_does_a_window_that_is_given(name, sessions):
    spans = [(at, at + 1.6) for at in (0.0, 2.6, 5.2, 5.6, 9.9)]
    check(name, sessions, Given.of(spans))
