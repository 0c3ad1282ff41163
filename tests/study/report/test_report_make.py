"""From an output to a file: where it goes, what is refused, how large it gets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from invented_rows import make_output, scoring
from study.report.invented_report import LARGE, make_labelled, make_night

from ah_ray import storage
from ah_ray.config import Reduction
from ah_ray.errors import ConfigError, ErrorKind
from ah_ray.output.config import make_config, write_config
from ah_ray.study.report.make import WrittenReport, make_report
from ah_ray.study.report.settings import ReportSettings
from ah_ray.verdicts.reduction import Scaling


def data_of(made: WrittenReport) -> dict:
    return _data(storage.read_bytes(made.file).decode())


def _data(text: str) -> dict:
    inside = text.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    return json.loads(inside)


def text_of(made: WrittenReport) -> str:
    return " ".join(storage.read_bytes(made.file).decode().split())


@pytest.fixture
def out(tmp_path) -> str:
    make_output(str(tmp_path / "scores"), {"a": [0.9, 0.2], "b": ErrorKind.DECODE})
    return str(tmp_path / "scores")


def test_it_lies_in_the_output_unless_told_otherwise(out, tmp_path):
    assert make_report(ReportSettings(out=out)).file == f"{out}/report.html"
    elsewhere = str(tmp_path / "page.html")
    made = make_report(ReportSettings(out=out, to=elsewhere))
    assert made.file == elsewhere
    assert made.n_bytes == Path(elsewhere).stat().st_size


def test_from_a_bucket_and_to_it(bucket):
    out = f"s3://{bucket}/scores"
    make_output(out, {"a": [0.9, 0.2]})
    made = make_report(ReportSettings(out=out))
    assert made.file == f"{out}/report.html"
    assert data_of(made)["videos"]["id"] == ["a"]


def test_two_nights_are_shown(out):
    make_night(out, "run-0", days_before=1, videos=100, failed=2)
    make_night(out, "run-1", days_before=0, videos=130, failed=3)
    text = text_of(make_report(ReportSettings(out=out)))
    assert "as of 2 January 2026, 03:48 UTC" in text
    assert "+30" in text
    assert "The last run wrote 2 rows: 100% of the scored are a Yes" in text


def test_a_first_night_has_one_column(out):
    make_night(out, "run-1", days_before=0, videos=130, failed=3)
    text = text_of(make_report(ReportSettings(out=out)))
    assert "The last run</h2>" in text and "Tonight against last night" not in text
    section = text.split('id="nights"')[1].split("</section>")[0]
    assert section.count('<th scope="col" class="number">') == 2 and "–" not in section


def test_a_small_cohort_is_shown_in_its_own_terms(out):
    text = text_of(make_report(ReportSettings(out=out)))
    assert "2 videos, 10 seconds" in text
    assert "<dd>2026-01-02 (UTC)</dd>" in text


def test_videos_without_a_row_are_shown(out):
    make_night(out, "run-1", days_before=0, videos=130, failed=3, missing=4)
    text = text_of(make_report(ReportSettings(out=out)))
    assert "4 more videos of the cohort have no row yet" in text


def test_labels_add_measures_and_what_annotators_marked(tmp_path):
    out, study = make_labelled(tmp_path)
    made = make_report(ReportSettings(out=out, labels=study.labels, draws=100))
    text = text_of(made)
    for words in ("Macro-F1", "Brier score", "under 10 participants: no figure", "topk3"):
        assert words in text
    videos, labels = data_of(made)["videos"], {v["video_id"]: v for v in study.videos}
    for name, label, segments in zip(
        videos["id"], videos["label"], videos["segments"], strict=True
    ):
        if name in labels:
            assert label == labels[name]["label"]
            assert len(segments) == len(labels[name]["segments"])
    assert "Unscored counted wrong" in text
    assert ">Gender<" in text and ">Language<" not in text  # which is unknown of everybody
    assert "answer differs from label (of any split)" in text
    assert "participant_id" not in text
    assert "test-000" not in text.replace('"test-000-', "")  # a participant; videos bear the name


def test_no_column_is_shown_twice_where_all_were_scored(tmp_path):
    out, study = make_labelled(tmp_path)
    made = make_report(ReportSettings(out=out, labels=study.labels, split="val", draws=100))
    assert "Unscored counted wrong" not in text_of(made)


def test_no_output_no_page_and_no_folder_either(tmp_path):
    with pytest.raises(ConfigError, match=r"it has no config\.json"):
        make_report(ReportSettings(out=str(tmp_path / "nothing")))
    assert not (tmp_path / "nothing").exists()


def test_a_page_is_replaced_and_nothing_else(out, tmp_path):
    page = str(tmp_path / "page.html")
    make_report(ReportSettings(out=out, to=page, title="Once"))
    assert "Twice" in text_of(make_report(ReportSettings(out=out, to=page, title="Twice")))
    precious = tmp_path / "precious.txt"
    precious.write_text("of somebody")
    verdicts = Path(out) / "verdicts.parquet"
    before = verdicts.read_bytes()
    for place, words in (
        (precious, "a file already that is no page"),
        (verdicts, "the output itself uses that name"),
        (Path(out) / "runs" / "x.json", "the output itself uses that name"),  # nothing is there
        (tmp_path, "that is a folder; give a file"),
        (f"{tmp_path}/new/", "that is a folder; give a file"),
    ):
        with pytest.raises(ConfigError, match=f"--to {re.escape(str(place))}: .*{words}"):
            make_report(ReportSettings(out=out, to=str(place)))
    assert precious.read_text() == "of somebody" and verdicts.read_bytes() == before


def test_a_page_in_a_bucket_is_replaced_and_nothing_else(bucket):
    out = f"s3://{bucket}/scores"
    make_output(out, {"a": [0.9]})
    for _ in range(2):
        make_report(ReportSettings(out=out))
    storage.write_whole(f"s3://{bucket}/precious.txt", b"of somebody")
    for place in ("precious.txt", "scores/clips.parquet", "folder/"):
        with pytest.raises(ConfigError, match=f"--to s3://{bucket}/{place}"):
            make_report(ReportSettings(out=out, to=f"s3://{bucket}/{place}"))


def test_where_nothing_can_be_written_names_the_flag(out, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"cannot be written to.*with --to"):
        make_report(ReportSettings(out=out, to=str(tmp_path / "file" / "page.html")))


@pytest.mark.parametrize("flag", ["link_videos", "with_frames"])
def test_hidden_names_cannot_be_linked_to(tmp_path, flag):
    out = str(tmp_path / "scores")
    make_output(out, {"a": [0.5]}, hide_uris=True)
    write_config(out, make_config(scoring(), Reduction(), hide_uris=True))
    assert make_report(ReportSettings(out=out)).n_videos == 1
    with pytest.raises(ConfigError, match=f"--{flag.replace('_', '-')}: .* --hide-uris"):
        make_report(ReportSettings(out=out, **{flag: True}))


def test_a_calibrated_page_has_one_scale(tmp_path):
    """The scores of the video and its clips, and the threshold, are on the same scale."""
    calibrated = Reduction(threshold=0.36, scaling=Scaling(slope=0.08), calibration_fingerprint="c")
    out = str(tmp_path / "scores")
    make_output(out, {"a": [0.004, 0.0001]}, reduction=calibrated)
    made = make_report(ReportSettings(out=out))
    data = data_of(made)
    assert data["videos"]["p"] == [data["videos"]["p_clips"][0][0]] == [391]
    assert data["clip_yes_from"] == "Yes from 0.36 on"
    assert "Scores of clips are calibrated" in text_of(made)


def test_no_rounded_number_contradicts_an_answer(tmp_path):
    out = str(tmp_path / "scores")
    near = Reduction(threshold=0.99997)
    make_output(out, {"a": [0.99995], "b": [0.99998], "c": [0.5]}, reduction=near)
    made = make_report(ReportSettings(out=out))
    data = data_of(made)
    assert data["clip_yes_from"] == "Yes from 0.99997 on"
    assert data["videos"]["p"] == pytest.approx([999.95, 1000, 500], rel=1e-12)
    assert "under the threshold of 0.99997" in text_of(made)


def test_a_page_with_pictures_says_that_it_shows_people(out):
    made = make_report(ReportSettings(out=out, with_frames=True))
    assert "This page shows people" in text_of(made)
    assert list(made.frames.missing) == ["a"]  # there is no such recording
    assert "This page shows people" not in text_of(make_report(ReportSettings(out=out)))


def test_keyed_ids_are_said(out):
    made = make_report(ReportSettings(out=out, id_key=b"secret"))
    assert "made for this page with a key" in text_of(made)
    assert data_of(made)["videos"]["id"] != ["a", "b"]


def test_of_very_many_videos_the_surest_are_listed(tmp_path):
    out = str(tmp_path / "scores")
    make_output(out, {"a": [0.1], "b": [0.8], "c": [0.7]})
    made = make_report(ReportSettings(out=out, most_videos=2))
    assert (made.n_videos, made.n_listed) == (3, 2)
    assert data_of(made)["videos"]["id"] == ["b", "c"]
    assert "holds the 2 with the highest scores of 3" in text_of(made)


def test_ten_thousand_videos_are_under_twenty_megabytes(large):
    assert large.stat().st_size < 20e6
    assert len(_data(large.read_text())["videos"]["id"]) == LARGE
