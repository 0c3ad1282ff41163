"""Who is in BAH, and who agreed to be used."""

from __future__ import annotations

import pytest
import yaml
from invented_bah import ANNOTATIONS, PEOPLE, VIDEOS, edit

from ah_ray.errors import ConfigError


def test_only_who_consented(bah, prepared):
    found = prepared(bah=bah, consent="challenges")
    assert {row["participant_id"] for row in found.videos.to_pylist()} == PEOPLE.keys() - {"90003"}
    assert found.about["left_out"]["videos without consent"] == 2
    found = prepared(bah=bah, consent=["challenges", "Use in publications"])
    assert {row["participant_id"] for row in found.videos.to_pylist()} == PEOPLE.keys() - {
        "90002", "90003",
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"--consent advertising: .*no such field \(it has: age"):
        prepared(bah=bah, consent="advertising")
    (bah / "meta_data.yml").unlink()
    with pytest.raises(ConfigError, match="which tells consent: name it with --meta"):
        prepared(bah=bah, consent="challenges")
    assert {row["age"] for row in prepared(bah=bah).videos.to_pylist()} == {None}


def test_nothing_of_those_who_did_not_consent_is_opened_or_reported(bah, prepared):
    without = [video for video in VIDEOS if video.participant == "90003"]
    (bah / without[0].path).unlink()
    (bah / without[0].path).write_bytes(b"no video")
    (bah / without[1].path).unlink()
    edit(bah / ANNOTATIONS, "'0:03.5'", "'0:01'")
    found = prepared(bah=bah, consent="challenges")
    assert len(found.videos) == len(VIDEOS) - 2


def test_who_is_not_in_the_meta_data_did_not_consent(bah, faults_of):
    people = {who: fields for who, fields in PEOPLE.items() if who != "90004"}
    (bah / "meta_data.yml").write_text(yaml.dump(people))
    (fault,) = faults_of(bah=bah, consent="publications")
    assert fault.startswith("val.txt:1: ")
    assert "is of a participant without meta data; add what they consented to" in fault


def test_meta_data_that_is_wrong(bah, faults_of, prepared):
    lines = [
        edit(bah / "meta_data.yml", "Age: 31", "Age: young"),
        edit(bah / "meta_data.yml", "Age: 58", "Age: !!python/object:x.Y {}"),
    ]
    age, tag = faults_of(bah=bah)
    assert age == (
        f"meta_data.yml:{lines[0]}: participant 90001: 'young' is not an age; write whole years"
    )
    assert tag.startswith(f"meta_data.yml:{lines[1]}: participant 90002: the tag !!python/object:x")
    found = prepared(bah=bah, skip_faulty=True)
    assert {row["participant_id"] for row in found.videos.to_pylist()} == PEOPLE.keys() - {
        "90001", "90002",
    }  # fmt: skip
    assert found.about["left_out"]["faulty videos"] == 3
