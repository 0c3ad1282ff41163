"""Settings of jobs/clips.py, and what is said of wrong ones."""

from __future__ import annotations

import pytest

from ah_ray.errors import ConfigError
from ah_ray.study.review.moments import Surest
from ah_ray.study.review.settings import answer_settings, cut_settings

CUT = {"out": "scores", "to": "review"}
BACK = {"out": "scores", "answers": ["a.csv"], "labels_out": "labels"}


def test_defaults():
    settings = cut_settings(**CUT)
    assert (settings.top, settings.surest, settings.show_scores) == (10, (Surest.YES,), False)
    assert answer_settings(**BACK).split is None


def test_by_their_words():
    assert cut_settings(**CUT, surest=["no", "doubtful"]).surest == (Surest.NO, Surest.DOUBTFUL)
    assert answer_settings(**BACK, split="0.5, 0.25,0.25").split == (0.5, 0.25, 0.25)


def test_a_contrast_takes_the_place_of_the_surest():
    assert cut_settings(**CUT).kinds == (Surest.YES,)
    assert cut_settings(**CUT, contrast=["face-voice"]).kinds == ()
    assert cut_settings(**CUT, contrast=["face-voice"], surest=["no"]).kinds == (Surest.NO,)
    with pytest.raises(ConfigError, match="--contrast chooses moments by their scores"):
        cut_settings(**CUT, draw=8, contrast=["face-voice"])


def test_what_is_chosen_for_a_training():
    assert not cut_settings(**CUT).chooses
    assert cut_settings(**CUT, doubtful=True).chooses and cut_settings(**CUT, diverse=True).chooses


@pytest.mark.parametrize(
    ("make", "values", "told"),
    [
        (cut_settings, CUT | {"doubtful": True, "draw": 8}, "--draw chooses in another way than"),
        (cut_settings, CUT | {"diverse": True, "surest": ["no"]}, "--surest chooses in another"),
        (cut_settings, CUT | {"answered": ["labels"]}, "--answered is of no use without --doubt"),
        (cut_settings, CUT | {"diverse": True, "calibration": ["c"]}, "--calibration is of no use"),
        (cut_settings, {"out": "x"}, "--to is missing: OUT and --to (or --answers and"),
        (cut_settings, CUT | {"top": 0}, "--top: "),
        (cut_settings, CUT | {"to": " "}, "--to: is empty"),
        (answer_settings, {"out": "x", "answers": ["a"]}, "--labels-out is missing: OUT, --ans"),
        (answer_settings, BACK | {"answers": [""]}, "--answers: is empty"),
        (answer_settings, BACK | {"split": "1,1,1"}, "--split: give the shares of train, val and"),
        (answer_settings, BACK | {"participants": "p.csv"}, "participants need pseudonyms: give"),
        (
            answer_settings,
            BACK | {"id_key": "k", "plain_participants": True},
            "--id-key hides who it is and --plain-participants shows it",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(make, values, told):
    with pytest.raises(ConfigError) as caught:
        make(**values)
    assert told in str(caught.value)
