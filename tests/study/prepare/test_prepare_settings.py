"""Settings of prepare.py: each mistake is one sentence that names the flag."""

from __future__ import annotations

import pytest

from ah_ray.errors import ConfigError
from ah_ray.study.prepare.settings import Balance, Negatives, prepare_settings

GOOD = {"bah": "bah", "out": "out", "id_key": "key"}


def test_defaults_are_the_published_rules():
    found = prepare_settings(**GOOD)
    assert (found.window_s, found.tail, found.min_tail_s) == (5.0, "drop", 3.0)
    assert (found.negatives, found.balance) == (Negatives.CLEAN, Balance.NONE)
    assert found.windows.hop_s == found.window_s
    assert found.shares == (0.7, 0.1, 0.2)
    assert found.rules_given() == []


def test_shares_and_consent_in_several_forms():
    table = {"table": "t.csv", "out": "out", "id_key": "key"}
    for split in ("0.5, 0.25,0.25", [0.5, 0.25, 0.25]):
        assert prepare_settings(**table, split=split).shares == (0.5, 0.25, 0.25)
    assert prepare_settings(**table, consent="a").consent == ("a",)
    assert prepare_settings(**table, consent=["a", "b"]).consent == ("a", "b")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"out": None}, "--out"),
        ({"bah": " "}, "--bah: is empty: give a value, or leave it out"),
        ({"consent": ["challenges", ""]}, "--consent: is empty"),
        (
            {"bah": None},
            "give one of --bah, --table, --import-swift, --elan, --boris, --label-studio: ",
        ),
        ({"table": "t.csv"}, "give one of --bah, --table"),
        ({"id_key": None}, "participants need pseudonyms: give --id-key FILE .* or --plain-part"),
        ({"plain_participants": True}, "--id-key hides who it is and --plain-participants shows"),
        ({"split": "0.8,0.1,0.1"}, "--split draws splits, and BAH brings its own"),
        ({"bah": None, "table": "t.csv", "split": "0.8,0.1"}, "--split: give the shares of train"),
        ({"bah": None, "table": "t.csv", "split": "0,0.5,0.5"}, "--split: give the shares"),
        ({"bah": None, "table": "t.csv", "split": "a,b,c"}, "--split: give the shares"),
        ({"bah": None, "table": "t.csv", "split": "nan,0,0"}, "--split: give the shares"),
        ({"bah": None, "table": "t.csv", "meta": "m.yml"}, "--meta goes with --bah"),
        ({"bah": None, "table": "t.csv", "negatives": "unmarked"}, "--negatives unmarked goes"),
        ({"bah": None, "import_swift": "x", "consent": "a"}, "filter before exporting"),
        ({"cut_clips": "clips"}, "--cut-clips goes with --export-swift FILE"),
        ({"window_s": 40}, "--window-s: .*less than or equal to 30"),
        ({"tail": "cut"}, "--tail: .*drop"),
        ({"min_window_s": 4}, "--min-window-s is above --min-tail-s or --window-s"),
        (
            {"windows": 4},
            "windows: there is no such setting; choose from annotations, bah",
        ),
    ],
)
def test_mistakes(settings, told):
    given = {name: value for name, value in {**GOOD, **settings}.items() if value is not None}
    with pytest.raises(ConfigError, match=told):
        prepare_settings(**given)
