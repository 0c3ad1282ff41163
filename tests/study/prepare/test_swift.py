"""ms-swift's JSONL: exported as the models were trained, and read back as it was."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path

import pytest
from invented_bah import VIDEOS
from rich.console import Console
from seen_file import look_at

from ah_ray import storage
from ah_ray.errors import ConfigError, ErrorKind, VideoError
from ah_ray.profile import load_profile
from ah_ray.study.label_errors import FaultyInput
from ah_ray.study.labelled_manifest import read_labelled_videos, read_windows
from ah_ray.study.prepare.prepared import print_prepared
from ah_ray.study.prepare.swift_export import split_files, user_text

SYSTEM = "You are a Multimodal Emotion Analysis Expert."
USER = (
    "Combine the <video> and <audio> content to analyze whether this video clip exhibits "
    "Ambivalence/Hesitancy emotions. Output the answer in the format <answer>answer is here"
    "</answer>, responding only with Yes or No."
)
DEMOGRAPHICS = ("age", "gender", "ethnicity", "language")


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def files(folder: Path) -> list[Path]:
    return [folder / f"swift{part}.jsonl" for part in ("", ".val", ".test")]


@pytest.fixture
def export(bah, prepared, tmp_path):
    def run(**settings):
        return prepared(**{"bah": bah, "export_swift": tmp_path / "swift.jsonl", **settings})

    return run


def read_back(prepared, tmp_path, **settings):
    back = {"import_swift": tmp_path / "swift.jsonl", "out": tmp_path / "back", **settings}
    return prepared(**back)


def without_demographics(videos):
    return videos.drop_columns(list(DEMOGRAPHICS))


def test_each_line_is_a_chat_as_the_models_were_trained(export, tmp_path):
    found = export()
    train = lines_of(files(tmp_path)[0])
    rows = [row for row in found.windows.to_pylist() if row["split"] == "train"]
    assert len(train) == len(rows) == 9
    for line, row in zip(train, rows, strict=True):
        assert line["messages"] == [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": USER},
            {"role": "assistant", "content": f"<answer>{'Yes' if row['label'] else 'No'}</answer>"},
        ]
        assert line["videos"] == line["audios"] == [row["uri"]]


@pytest.mark.parametrize(
    ("given", "version", "profile"),
    [
        ({}, "4.6.0", "swift-4.6"),
        ({"swift_version": "4.0.0"}, "4.0.0", "seed"),
        ({"swift_version": "4.5.3"}, "4.5.3", "seed-32"),
    ],
)
def test_an_export_says_for_which_ms_swift_it_is(export, tmp_path, given, version, profile):
    found = export(**given)
    about = json.loads((tmp_path / "swift.swift.json").read_text())
    assert (about["ms_swift"], about["scored_with_profile"]) == (version, profile)
    assert found.about["export"] == about
    screen = Console(record=True, width=200, file=io.StringIO())
    print_prepared(screen, found.out, found.about)
    assert f"for ms-swift {version}: models that it trains are scored with profile {profile}" in (
        screen.export_text()
    )


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"swift_version": "4.6.0.dev0"}, "--swift-version: ms-swift 4.6.0.dev0 is a development"),
        ({"swift_version": "new"}, "--swift-version: 'new' is no version of ms-swift"),
        ({"swift_version": "4.6.0", "export_swift": None}, "--swift-version goes with --export"),
    ],
)
def test_a_version_that_does_not_tell_is_refused(export, given, problem):
    with pytest.raises(ConfigError, match=problem):
        export(**given)


def test_an_export_without_a_version_before_it_says_nothing(bah, prepared):
    assert "export" not in prepared(bah=bah).about


def test_no_trainer_meets_another_split(export, tmp_path):
    export()
    for path, split in zip(files(tmp_path), ("train", "val", "test"), strict=True):
        assert {line["ah_ray"]["split"] for line in lines_of(path)} == {split}


@pytest.mark.parametrize("cut", [False, True])
def test_read_back_it_is_the_same_manifest(export, prepared, tmp_path, cut):
    clips = {"cut_clips": tmp_path / "clips"} if cut else {}
    before = export(balance="weights", tail="shift", **clips)
    after = read_back(prepared, tmp_path)
    assert after.windows == before.windows
    assert without_demographics(after.videos) == without_demographics(before.videos)
    assert after.about["data_fingerprint"] == before.about["data_fingerprint"]
    assert read_windows(str(tmp_path / "back")) == before.windows
    assert set(read_labelled_videos(str(tmp_path / "back"))["age"].to_pylist()) == {None}


def test_clips_are_files_as_published(export, tmp_path):
    found = export(cut_clips=tmp_path / "clips", tail="shift")
    rows = {(row["video_id"], row["window_index"]): row for row in found.windows.to_pylist()}
    n_files = 0
    for line in (line for path in files(tmp_path) for line in lines_of(path)):
        (mp4,), (wav,) = line["videos"], line["audios"]
        row = rows[line["ah_ray"]["video_id"], line["ah_ray"]["window_index"]]
        seconds = row["end_s"] - row["start_s"]
        assert Path(mp4).parent == Path(wav).parent == tmp_path / "clips"
        assert Path(mp4).stem == Path(wav).stem == f"{row['video_id']}-{row['window_index']:04d}"
        seen = look_at(Path(mp4))
        assert seen.duration_s == pytest.approx(seconds, abs=0.041) and seen.duration_s <= 5
        assert seen.container_s <= 5 and seen.has_sound
        with wave.open(wav) as heard:
            assert (heard.getframerate(), heard.getnchannels()) == (16_000, 1)
            assert heard.getnframes() == round(seconds * 16_000)
        n_files += 2
    assert n_files == len(list((tmp_path / "clips").iterdir())) == 2 * len(rows)


def test_windows_that_cannot_be_cut_are_reported_at_once(bah, export, tmp_path, monkeypatch):
    def cut(_source, *, start_s, **_):
        if start_s == 6:
            raise VideoError(ErrorKind.DECODE, "no picture")

    monkeypatch.setattr("ah_ray.study.prepare.swift_export.write_clip", cut)
    monkeypatch.setattr("ah_ray.storage.write_file", lambda *_: None)
    with pytest.raises(FaultyInput) as caught:
        export(cut_clips=tmp_path / "clips")
    assert [str(fault) for fault in caught.value.faults] == [
        f"{bah / video.path}: 6 – {end} s cannot be cut: no picture; take the video out of the "
        "labels, or upload the recording again: parts of it are damaged"
        for video, end in ((VIDEOS[0], 9.5), (VIDEOS[4], 11))
    ]
    assert not any((tmp_path / "labels").iterdir())


@pytest.mark.parametrize("place", [{"cut_clips": "file"}, {"export_swift": "file/swift.jsonl"}])
def test_where_nothing_can_be_written_is_reported_before_a_video_is_opened(
    export, tmp_path, monkeypatch, place
):
    (tmp_path / "file").touch()
    monkeypatch.setattr("ah_ray.study.prepare.make.durations_of", pytest.fail)
    with pytest.raises(ConfigError, match=r"file.* cannot be written to"):
        export(**{name: tmp_path / path for name, path in place.items()})


def test_an_export_before_leaves_nothing_behind(bah, export, prepared, tmp_path):
    export()
    labels = tmp_path / "labels.csv"
    labels.write_text(f"uri,label,participant\n{bah / VIDEOS[0].path},1,ann\n")
    prepared(table=labels, split="1,0,0", export_swift=tmp_path / "swift.jsonl")
    assert [path.exists() for path in files(tmp_path)] == [True, False, False]
    assert len(read_back(prepared, tmp_path).windows) == 2


def test_a_question_is_asked_instead_of_the_prompt(bah, prepared, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "uri,label,participant,question\n"
        f"{bah / VIDEOS[3].path},1,ann,Is the voice calm?\n{bah / VIDEOS[3].path},0,ann,\n"
    )
    before = prepared(table=labels, split="1,0,0", export_swift=tmp_path / "swift.jsonl")
    said = [line["messages"][1]["content"] for line in lines_of(tmp_path / "swift.jsonl")]
    assert said == [USER, "<video><audio>Is the voice calm?"]
    assert read_back(prepared, tmp_path).windows == before.windows
    assert user_text(load_profile("seed"), "In <audio>, or?") == "<video>In <audio>, or?"


def test_rules_are_not_applied_a_second_time(export, prepared, tmp_path):
    export()
    with pytest.raises(ConfigError, match="read back as it was: leave out --tail, --balance"):
        read_back(prepared, tmp_path, tail="keep", balance="draw")


def test_lines_of_ours_that_are_wrong(export, tmp_path, faults_of):
    export()
    path = files(tmp_path)[0]
    lines = lines_of(path)
    lines[0]["ah_ray"]["start_s"] = "soon"
    del lines[1]["ah_ray"]
    lines[2]["ah_ray"]["split"] = "holdout"
    lines[3]["ah_ray"]["end_s"] = -1.0
    lines[4]["messages"][-1]["content"] = "Perhaps"
    lines[5] = lines[6]
    lines[8]["ah_ray"]["participant_id"] = "90005"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + "{no JSON\n")
    found = faults_of(import_swift=path)
    expected = [
        "swift.jsonl:1: `ah_ray`: start_s: Input should be a valid number; export it again",
        "swift.jsonl:2: `ah_ray`: is missing; export it again",
        "swift.jsonl:3: `ah_ray`: split: 'holdout' is none of train, val, test; export it again",
        "swift.jsonl:4: `ah_ray`: ",
        "swift.jsonl:5: the answer 'Perhaps' is unknown; write <answer>Yes</answer> or No",
        "swift.jsonl:7: window ",
        "swift.jsonl:9: it tells of ",
        "swift.jsonl:9: participant 90005 is in train (",
        "swift.jsonl:10: it is not JSON: ",
    ]
    assert len(found) == len(expected)
    for told, beginning in zip(found, expected, strict=True):
        assert told.startswith(beginning)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("uri", "http://169.254.169.254/a.mp4", "asks a host that the manifest chooses"),
        ("video_id", "../a", "is not of [A-Za-z0-9._-]"),
        ("window_index", 1 << 40, "window_index: Input should be less than"),
        ("weight", -1.0, "weight: Input should be greater than or equal to 0"),
        ("video", {"label": 7, "duration_s": 2.0, "segments": []}, "video.label: Input should be"),
        ("uri", "a.mp4", "uri: 'a.mp4' is not whole"),
        ("uri", "/elsewhere/a.mp4", "what a line before does not"),
    ],
)
def test_what_ours_may_not_tell(export, tmp_path, faults_of, name, value, told):
    export()
    path = files(tmp_path)[0]
    lines = lines_of(path)
    number = next(n for n, line in enumerate(lines) if line["ah_ray"]["window_index"] == 1)
    lines[number]["ah_ray"][name] = value
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (fault,) = faults_of(import_swift=path)
    assert fault.startswith(f"swift.jsonl:{number + 1}: ") and told in fault
    assert fault.endswith("; export it again")


def test_in_a_bucket(bucket, bah, prepared):
    place = f"s3://{bucket}"
    before = prepared(bah=bah, out=f"{place}/labels", export_swift=f"{place}/swift.jsonl",
                      cut_clips=f"{place}/clips")  # fmt: skip
    after = prepared(import_swift=f"{place}/swift.jsonl", out=f"{place}/back")
    assert after.windows == before.windows
    names = [entry.key for page in storage.list_pages(f"{place}/clips") for entry in page]
    assert len(names) == 2 * len(before.windows)


def test_where_splits_go():
    assert split_files("s3://b/x.jsonl") == {
        "train": "s3://b/x.jsonl", "val": "s3://b/x.val.jsonl", "test": "s3://b/x.test.jsonl",
    }  # fmt: skip
    assert split_files("/a/data")["val"] == "/a/data.val"
