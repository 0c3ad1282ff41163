"""What every export has in common: whom it names, where it goes, what it refuses."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from invented_rows import make_output
from study.exchange.invented_exchange import (
    KEY,
    PARTICIPANT,
    make_labels,
    make_scores,
    mark,
    run_export,
    texts_in,
)

from ah_ray.cohort.participant_names import pseudonym
from ah_ray.errors import ConfigError
from ah_ray.study.exchange.clean_text import unguarded
from ah_ray.study.exchange.settings import Tool
from ah_ray.study.exchange.vocabulary import VOCABULARY_FILE

TOOLS = [tool.value for tool in Tool]
NAMES = ("/cohort/", PARTICIPANT, "2026-01-31")


@pytest.fixture
def scores(tmp_path) -> str:
    return make_scores(tmp_path)


@pytest.mark.parametrize("tool", TOOLS)
def test_files_name_no_recording_and_nobody(scores, tool, tmp_path):
    exported = run_export(scores, tool, tmp_path / "files")
    text = texts_in(tmp_path / "files")
    assert not any(name in text for name in NAMES)
    assert "aaaa1" in text and not exported.has_names
    assert exported.n_files == sum(one.is_file() for one in (tmp_path / "files").rglob("*"))


@pytest.mark.parametrize("tool", TOOLS)
def test_names_are_kept_where_that_was_asked_for(scores, tool, tmp_path):
    run_export(scores, tool, tmp_path / "files", link_videos=True, plain_participants=True)
    text = texts_in(tmp_path / "files")
    assert "cohort/aaaa1.mp4" in text and PARTICIPANT in text


@pytest.mark.parametrize("tool", TOOLS)
def test_participants_have_the_pseudonyms_of_prepare(scores, tool, tmp_path):
    (tmp_path / "key").write_text(KEY)
    run_export(scores, tool, tmp_path / "files", id_key=str(tmp_path / "key"))
    assert pseudonym(PARTICIPANT, KEY.encode()) in texts_in(tmp_path / "files")


def test_participants_of_labels_keep_theirs(scores, tmp_path):
    labels = make_labels(tmp_path, {"aaaa1": {"label": 0}})
    run_export(scores, "csv", tmp_path / "files", labels=labels)
    assert "p-aaaa1" in (tmp_path / "files" / "recordings.csv").read_text()


def test_links_need_an_output_that_has_them(tmp_path):
    make_output(str(tmp_path / "hidden"), {"a": [0.5]}, hide_uris=True)
    with pytest.raises(ConfigError, match=r"--link-videos: .* written with --hide-uris"):
        run_export(str(tmp_path / "hidden"), "elan", tmp_path / "files", link_videos=True)
    run_export(str(tmp_path / "hidden"), "elan", tmp_path / "files")


def test_a_folder_with_files_is_never_written_to(scores, tmp_path):
    """Annotators may have worked in them."""
    run_export(scores, "elan", tmp_path / "files")
    before = texts_in(tmp_path / "files")
    with pytest.raises(ConfigError, match="holds files, in which somebody may have annotated"):
        run_export(scores, "elan", tmp_path / "files")
    assert texts_in(tmp_path / "files") == before


def test_to_a_bucket_and_from_it(bucket):
    from ah_ray import storage

    make_output(f"s3://{bucket}/scores", {"a": [0.9, 0.2]})
    exported = run_export(f"s3://{bucket}/scores", "elan", f"s3://{bucket}/files")
    assert exported.n_files == 2
    assert b"VALUE>Yes" in storage.read_bytes(f"s3://{bucket}/files/a.eaf")


def test_labels_of_other_videos_are_an_error(scores, tmp_path):
    labels = make_labels(tmp_path, {"other": {"label": 1}})
    with pytest.raises(ConfigError, match="none of the videos of"):
        run_export(scores, "csv", tmp_path / "files", labels=labels)


@pytest.mark.parametrize("tool", ["elan", "boris", "label-studio"])
def test_the_vocabulary_lies_beside_the_files(scores, tool, tmp_path):
    run_export(scores, tool, tmp_path / "files")
    assert (tmp_path / "files" / VOCABULARY_FILE).exists()


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"))))


def test_tables_have_everything_that_was_asked(scores, tmp_path):
    labels = make_labels(
        tmp_path,
        {
            "aaaa1": {
                "label": 1,
                "segments": [{"start_s": 1.25, "end_s": 12.5}],
                "annotators": ["ann", "bob"],
                "marks": [mark("ann", 1.25, 12.5)],
            }
        },
    )
    run_export(scores, "csv", tmp_path / "files", labels=labels)
    folder = tmp_path / "files"
    first, second, third = rows_of(folder / "recordings.csv")
    assert (first["p"], first["answer"], first["label"]) == ("0.9", "Yes", "Yes")
    assert (second["status"], third["status"], third["p"]) == ("partial", "failed", "")
    clips = rows_of(folder / "clips.csv")
    assert [row["p"] for row in clips] == ["0.9", "0.2", "0.7", "0.1", ""]
    assert clips[4]["error_kind"] == "decode"
    questions = {row["question"] for row in rows_of(folder / "answers.csv")}
    assert questions == {"face", "voice", "seen"}
    assert {row["contrast"] for row in rows_of(folder / "contrasts.csv")} == {"face-voice"}
    found = [
        (row["annotator"], row["start_s"], row["end_s"], row["answer"])
        for row in rows_of(folder / "labels.csv")
    ]
    assert found == [
        ("", "", "", "Yes"), ("", "1.25", "12.5", "Yes"),
        ("ann", "", "", "Yes"), ("ann", "1.25", "12.5", "Yes"), ("bob", "", "", "No"),
    ]  # fmt: skip


@pytest.mark.parametrize("tool", ["csv", "redcap", "bids"])
def test_no_cell_is_a_formula(tool, tmp_path):
    evil = '=HYPERLINK("http://x")'
    make_output(str(tmp_path / "out"), {"a": [0.5]}, said={"a": {"participant": evil}})
    run_export(str(tmp_path / "out"), tool, tmp_path / "files", plain_participants=True)
    cells = [
        cell
        for file in (tmp_path / "files").rglob("*.[ct]sv")
        for row in csv.reader(
            io.StringIO(file.read_text(encoding="utf-8-sig")),
            delimiter="\t" if file.suffix == ".tsv" else ",",
        )
        for cell in row
    ]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r") and cell]
    assert evil.replace('"', "") in {unguarded(cell).replace('"', "") for cell in cells}


def test_redcap_has_a_field_for_each_column(scores, tmp_path):
    run_export(scores, "redcap", tmp_path / "files")
    data = rows_of(tmp_path / "files" / "data.csv")
    fields = rows_of(tmp_path / "files" / "data_dictionary.csv")
    names = [field["Variable / Field Name"] for field in fields]
    assert [name for name in data[0] if not name.startswith("redcap_repeat")] == names
    assert len(set(names)) == len(names) and all(name.isidentifier() for name in names)
    choices = {
        field["Variable / Field Name"]: {
            pair.split(", ")[0]
            for pair in field["Choices, Calculations, OR Slider Labels"].split(" | ")
        }
        for field in fields
        if field["Field Type"] == "radio"
    }
    for row in data:
        assert all(row[name] in {*codes, ""} for name, codes in choices.items())
    repeats = [(row["record_id"], row["redcap_repeat_instrument"], row["redcap_repeat_instance"])
               for row in data]  # fmt: skip
    assert len(set(repeats)) == len(repeats)
    assert {one for _, one, _ in repeats} == {"", "recording", "clip"}


def test_bids_has_the_files_that_the_standard_asks_for(scores, tmp_path):
    run_export(scores, "bids", tmp_path / "files")
    folder = tmp_path / "files"
    described = json.loads((folder / "dataset_description.json").read_text())
    assert described["DatasetType"] == "derivative" and described["GeneratedBy"][0]["Name"]
    subjects = {path.name for path in folder.glob("sub-*")}
    lines = (folder / "participants.tsv").read_text().splitlines()
    assert {line.split("\t")[0] for line in lines[1:]} == subjects
    sidecar = json.loads((folder / "task-recording_events.json").read_text())
    for file in folder.glob("sub-*/beh/*_events.tsv"):
        header, *events = (line.split("\t") for line in file.read_text().splitlines())
        assert header[:2] == ["onset", "duration"] and set(header) <= sidecar.keys()
        onsets = [float(event[0]) for event in events]
        assert onsets == sorted(onsets) and all(len(event) == len(header) for event in events)
        assert {event[2] for event in events} <= sidecar["trial_type"]["Levels"].keys()


def test_two_people_are_two_subjects_of_bids(tmp_path):
    said = {name: {"participant": who} for name, who in (("a", "P 1"), ("b", "P-1"), ("c", "p.2"))}
    make_output(str(tmp_path / "out"), {name: [0.5] for name in "abc"}, said=said)
    run_export(str(tmp_path / "out"), "bids", tmp_path / "files", plain_participants=True)
    assert len(list((tmp_path / "files").glob("sub-*"))) == 3
