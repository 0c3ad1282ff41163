"""Participants and visits: where they come from, what they are called, where they lie in time."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from invented_rows import make_output, row
from spellings import SAME

from ah_ray.errors import ConfigError
from ah_ray.records import VERDICT, VERDICTS
from ah_ray.study.report.make import make_report
from ah_ray.study.report.people import (
    Person,
    make_visit_axis,
    natural_key,
    participant_name,
    people_columns,
    read_people,
)
from ah_ray.study.report.settings import ReportSettings


def verdicts(*names: str) -> pa.Table:
    rows = [row(name, [0.5]) for name in names]
    return pa.Table.from_pylist(rows, schema=VERDICT).select(VERDICTS.names)


@pytest.mark.parametrize(
    ("visits", "kind", "places"),
    [
        (["2026-01-01", "2026-01-31"], "date", [20454, 20484]),
        (["2026-01-01T12:00", "2026-01-31"], "date", [20454.5, 20484]),
        (["1", "2", "10"], "number", [1, 2, 10]),
        (["visit 2", "V03", "t1"], "number", [1, 3, 2]),
        (["baseline", "follow-up 2", "follow-up 10"], "order", [0, 1, 2]),
        (["2026-01-01", "baseline"], "order", [0, 1]),
        (["20260101", "20260131"], "order", [0, 1]),
        ([None, None], "file", []),
    ],
)
def test_visits_lie_at_dates_or_numbers_or_in_the_order_of_names(visits, kind, places):
    axis = make_visit_axis(visits)
    assert axis.kind == kind
    names = sorted({visit for visit in visits if visit}, key=natural_key)
    assert sorted(axis.place.values()) == pytest.approx(sorted(places))
    assert set(axis.place) == set(names)


def test_numbers_in_names_sort_as_numbers():
    names = ["P-10", "p-2", "P-1"]
    assert sorted(names, key=natural_key) == ["P-1", "p-2", "P-10"]


def test_the_table_of_participants_wins_over_columns_and_labels(tmp_path):
    table = tmp_path / "people.csv"
    table.write_text("video_id,participant,visit\na,anna,1\n")
    whose = pa.array(["x", "bert", None])
    rows = verdicts("a", "b", "c").drop(["participant"]).append_column("participant", whose)
    labels = {"c": {"participant_id": "carl"}}
    found = read_people(rows, str(table), labels)
    assert {name: person.participant for name, person in found.items()} == {
        "a": "anna",
        "b": "bert",
        "c": "carl",
    }
    assert found["a"].visit == "1"


def test_the_manifest_of_the_run_is_such_a_table(tmp_path):
    table = tmp_path / "manifest.csv"
    table.write_text("uri,participant,visit,question\n/cohort/a.mp4,anna,1,why\n")
    found = read_people(verdicts("a", "b"), str(table), None)
    assert found == {"a": Person(participant="anna", visit="1", question="why")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video_id,participant\nz,anna\n", "has no video of this output"),
        ("video_id,participant\na,anna\na,bert\n", "row 3 gives the video a another participant"),
        ("video_id,name\na,anna\n", "has no column participant"),
    ],
)
def test_a_wrong_table_is_an_error_that_says_what_to_do(tmp_path, text, message):
    table = tmp_path / "people.csv"
    table.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_people(verdicts("a"), str(table), None)


def test_a_participant_has_no_name_on_the_page_unless_it_is_asked_for():
    plain = participant_name(["anna"], plain=True, id_key=None)
    hashed = participant_name(["anna"], plain=False, id_key=None)
    keyed = participant_name(["anna"], plain=False, id_key=b"secret")
    assert plain == "anna"
    assert len({plain, hashed, keyed}) == 3
    assert hashed == participant_name(["anna"], plain=False, id_key=None)
    assert "anna" not in hashed + keyed


@pytest.mark.parametrize("names", SAME.values(), ids=SAME.keys())
def test_all_spellings_of_a_name_are_one_participant(names):
    people = {key: Person(participant=name) for key, name in zip("ab", names, strict=True)}
    people["c"] = Person(participant="another person")
    for plain in (True, False):
        made = people_columns("abc", people, [None] * 3, plain=plain, id_key=None)
        assert len(made["participants"]) == 2
        first, second, other = made["videos"]["participant"]
        assert first == second != other
    shown = people_columns("abc", people, [None] * 3, plain=True, id_key=None)["participants"]
    assert any("also written" in name for name in shown)


def test_a_table_may_write_a_participant_in_two_ways(tmp_path):
    table = tmp_path / "people.csv"
    table.write_text("video_id,participant\na,P-017\na,p-17\n")
    assert read_people(verdicts("a"), str(table), None)["a"].participant == "P-017"


def test_videos_of_one_participant_share_a_place():
    people = {
        "a": Person(participant="anna", visit="2"),
        "b": Person(participant="bert", visit="1"),
        "c": Person(participant="anna", visit=None),
    }
    modified = [datetime(2026, 1, 1, tzinfo=UTC)] * 4
    made = people_columns("abcd", people, modified, plain=True, id_key=None)
    assert made["participants"] == ["anna", "bert"]
    assert made["videos"]["participant"] == [0, 1, 0, None]
    assert made["videos"]["at"] == [2.0, 1.0, None, None]
    assert made["axis"]["kind"] == "number"


def test_without_visits_videos_lie_at_the_days_of_their_files():
    people = {"a": Person(participant="anna")}
    made = people_columns(
        "a", people, [datetime(1970, 1, 2, 12, tzinfo=UTC)], plain=True, id_key=None
    )
    assert (made["axis"]["kind"], made["videos"]["at"]) == ("file", [1.5])


def test_a_page_has_participants_only_where_they_are_known(tmp_path):
    out, table = str(tmp_path / "scores"), tmp_path / "people.csv"
    make_output(out, {"a": [0.9], "b": [0.1]})
    assert b'id="participants"' not in page_of(out)
    table.write_text("video_id,participant,visit\na,anna,1\nb,anna,2\n")
    page = page_of(out, participants=str(table))
    assert b'id="participants"' in page and b"anna" not in page
    assert b"anna" in page_of(out, participants=str(table), plain_participants=True)
    inside = page.split(b'id="data">')[1].split(b"</script>")[0]
    assert json.loads(inside)["videos"]["participant"] == [0, 0]


def page_of(out: str, **settings: object) -> bytes:
    from pathlib import Path

    return Path(make_report(ReportSettings(out=out, **settings)).file).read_bytes()
