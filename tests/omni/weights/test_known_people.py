"""Whose videos a model was trained on, as its own record and those of its base and adapters say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ah_ray.errors import ConfigError
from ah_ray.omni.weights.training_record import models_learned_from
from ah_ray.provenance.learned_from import Use, learned_from


def record(name: str, use: Use = Use.TRAINING, by: str = "") -> dict:
    one = learned_from(use, data_fingerprint="f", participants=[name], contents=[], by=by)
    return one.model_dump(mode="json")


def folder(place: Path, **files: object) -> Path:
    place.mkdir()
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (place / f"{name}.json").write_text(text)
    return place


def list_known(*places: Path) -> list[tuple[str, bool, bool]]:
    return [
        (one.by, one.has_participant("ann"), one.has_participant("bob"))
        for one in models_learned_from(*places)
    ]


def test_a_base_and_its_adapter_count_both(tmp_path):
    base = folder(tmp_path / "base", training={"learned_from": [record("ann")]})
    lora = folder(tmp_path / "lora-3", training={"learned_from": [record("bob")]})
    assert list_known(base, lora) == [("model base", True, False), ("model lora-3", False, True)]


def test_a_merge_says_all_that_went_into_it(tmp_path):
    """Beside merge.json lies what was copied from the base."""
    records = [record("ann", by="model base"), record("bob", by="model lora")]
    merged = folder(
        tmp_path / "merged",
        merge={"learned_from": records},
        training={"learned_from": [record("ann")]},
    )
    assert list_known(merged) == [("model base", True, False), ("model lora", False, True)]


def test_a_merge_of_an_earlier_version_keeps_what_its_base_said(tmp_path):
    merged = folder(tmp_path / "m", merge={}, training={"learned_from": [record("ann")]})
    assert list_known(merged) == [("model m", True, False)]


@pytest.mark.parametrize("content", [{}, [], {"learned_from": None}])
def test_a_model_without_a_record_is_not_known(tmp_path, content):
    assert list_known(folder(tmp_path / "m", training=content)) == []
    assert list_known(folder(tmp_path / "n")) == []


@pytest.mark.parametrize("content", ["{", {"learned_from": [1]}, {"learned_from": [{"use": "x"}]}])
def test_a_damaged_record_is_an_error(tmp_path, content):
    """Otherwise people whom the model knows would count as strangers."""
    with pytest.raises(ConfigError, match=r"training\.json of m is damaged where it says whose"):
        list_known(folder(tmp_path / "m", training=content))
