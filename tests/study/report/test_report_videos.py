"""The columns that the page's script reads: nothing lost, and no name unless asked."""

from __future__ import annotations

import json

import pyarrow as pa
from invented_rows import row

from ah_ray.config import Windows
from ah_ray.errors import ErrorKind
from ah_ray.output.tables import flat_clips
from ah_ray.records import VERDICT, VERDICTS
from ah_ray.study.report.videos import make_columns, select_videos


def tables(*rows: dict) -> tuple[pa.Table, pa.Table]:
    whole = pa.Table.from_pylist(list(rows), schema=VERDICT)
    return whole.select(VERDICTS.names), flat_clips(whole.combine_chunks())


def test_a_video_is_one_place_in_every_column():
    verdicts, clips = tables(
        row("a", [0.9, ErrorKind.DECODE, 0.1234]), row("b", ErrorKind.TIMEOUT), row("c", [0.5])
    )
    made = make_columns(verdicts, clips)
    videos = made["videos"]
    assert {len(column) for column in videos.values()} == {3}
    assert videos["id"] == ["a", "b", "c"]
    assert videos["p"] == [900, None, 500]
    assert videos["answer"] == ["Y", "", "Y"]
    assert [made["statuses"][place] for place in videos["status"]] == ["partial", "failed", "ok"]
    assert [made["kinds"][k] if k is not None else None for k in videos["kind"]] == [
        "decode",
        "timeout",
        None,
    ]
    assert videos["p_clips"] == [[900, None, 123], [], [500]]
    assert videos["clip_answers"] == ["Y.N", "", "Y"]
    assert videos["end_s"] == [15.0, None, 5.0]
    assert videos["spans"] == [None, None, None]
    assert videos["failed"] == [[[1, made["kinds"].index("decode")]], [], []]


def test_irregular_windows_are_written_out():
    video = row("a", [0.2, 0.3, 0.4])
    video["clips"][2] |= {"start_s": 7.5, "end_s": 12.5}  # a tail that was moved back
    overlapping = row("b", [0.2, 0.3])
    overlapping["clips"][1] |= {"start_s": 2.5, "end_s": 7.5}
    made = make_columns(*tables(video, overlapping))["videos"]
    assert made["spans"] == [
        [[0.0, 5.0], [5.0, 10.0], [7.5, 12.5]],
        [[0.0, 5.0], [2.5, 7.5]],
    ]
    hopped = make_columns(*tables(overlapping), windows=Windows(hop_s=2.5))
    assert (hopped["hop_s"], hopped["videos"]["spans"]) == (2.5, [None])


def test_a_short_last_clip_is_regular():
    video = row("a", [0.2, 0.3])
    video["clips"][1]["end_s"] = 8.25
    made = make_columns(*tables(video))["videos"]
    assert (made["spans"], made["end_s"]) == ([None], [8.25])


def test_names_stay_out_of_errors_and_there_is_no_url():
    video = row(
        "a", ErrorKind.MISSING, uri="/cohort/anna 2024.mp4", error="/cohort/anna 2024.mp4: gone"
    )
    made = make_columns(*tables(video))
    assert "anna" not in json.dumps(made)
    assert made["videos"]["error"] == ["…: gone"]
    assert "url" not in made["videos"]


def test_with_links_the_error_is_whole_and_the_url_escaped():
    video = row("a", ErrorKind.MISSING, uri="/cohort/anna #2.mp4", error="anna #2.mp4: gone")
    made = make_columns(*tables(video), links=True)["videos"]
    assert made["url"] == ["file:///cohort/anna%20%232.mp4"]
    assert made["error"] == ["anna #2.mp4: gone"]


def test_ids_are_keyed_again():
    verdicts, clips = tables(row("anna", [0.5, 0.6]), row("bert", [0.5]))
    made = make_columns(verdicts, clips, id_key=b"secret")["videos"]
    assert "anna" not in json.dumps(made)
    assert len(set(made["id"])) == 2
    assert [len(p) for p in made["p_clips"]] == [2, 1]  # the timelines are still theirs
    assert made["id"] != make_columns(verdicts, clips, id_key=b"other")["videos"]["id"]


def test_labels_and_segments():
    labels = {
        "a": {"label": 1, "segments": [{"start_s": 1.0, "end_s": 2.004}]},
        "b": {"label": 0, "segments": []},
        "unscored": {"label": 1, "segments": []},
    }
    verdicts, clips = tables(row("a", [0.5]), row("b", [0.5]), row("c", [0.5]))
    made = make_columns(verdicts, clips, labels=labels)["videos"]
    assert made["label"] == [1, 0, None]
    assert made["segments"] == [[[1.0, 2.0]], [], []]


def test_remarks():
    rows = [row(name, [0.5]) for name in "abc"]
    rows[0] |= {"has_audio": False, "sound_is_silent": True}
    rows[1] |= {"sound_is_silent": True, "picture_is_still": True}
    assert make_columns(*tables(*rows))["videos"]["remarks"] == [
        ["no sound"],
        ["silent", "still picture"],
        [],
    ]


def test_a_table_holds_the_surest_in_the_order_of_ids():
    verdicts, _ = tables(
        row("a", [0.1]), row("b", [0.9]), row("c", ErrorKind.DECODE), row("d", [0.8])
    )
    assert select_videos(verdicts, 2)["video_id"].to_pylist() == ["b", "d"]
    assert select_videos(verdicts, 3)["video_id"].to_pylist() == ["a", "b", "d"]
    assert len(select_videos(verdicts, 4)) == 4
