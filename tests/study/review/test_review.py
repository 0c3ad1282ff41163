"""Moments cut out of real videos: which, from where, once each, and nothing that tells a name."""

from __future__ import annotations

import shutil
import tempfile

import pytest
import videos
from invented_review import read_sheet, score_invented, write_rows
from rich.console import Console

from ah_ray import storage
from ah_ray.cohort.identity import video_id_of
from ah_ray.errors import ConfigError, StorageError
from ah_ray.media.ffmpeg import stream_copy
from ah_ray.media.ffmpeg.stream_copy import Way
from ah_ray.study.review.make import Review, make_review
from ah_ray.study.review.settings import cut_settings

SCORES = {"one": [0.9, 0.2], "two": [0.6, 0.8], "three": [0.1, 0.3]}


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    """10 s, a key frame every 5 s."""
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "125", "-bf", "2")
    path = tmp_path_factory.mktemp("recording") / "recording.mp4"
    return videos.make_numbered(path, n_frames=250, codec=codec, sound=videos.TONE)


@pytest.fixture
def cohort(recording, tmp_path):
    """Ann's videos, by the ids of SCORES."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    return {name: shutil.copy(recording, folder / f"Ann {name}.mp4") for name in SCORES}


@pytest.fixture
def out(cohort, tmp_path):
    score_invented(tmp_path / "scores", {n: (cohort[n], p) for n, p in SCORES.items()})
    return tmp_path / "scores"


@pytest.fixture
def review(tmp_path):
    def run(out, **settings) -> Review:
        values = {"out": str(out), "to": str(tmp_path / "review"), **settings}
        return make_review(cut_settings(**values), Console(quiet=True))

    return run


def names(review: Review) -> set[str]:
    return {one.clip for one in review.cut}


def test_the_surest_moments_are_cut(out, review, tmp_path):
    made = review(out, top=2, surest=("yes", "no"))
    assert names(made) == {
        "clips/one-0000.000s.mp4", "clips/two-0005.000s.mp4",
        "clips/three-0000.000s.mp4", "clips/one-0005.000s.mp4",
    }  # fmt: skip
    assert {one.way for one in made.cut} == {Way.COPIED} and not made.skipped
    folder = tmp_path / "review"
    assert all((folder / one.clip).stat().st_size > 1000 for one in made.cut)
    sheet = read_sheet(folder / "sheet.csv")
    assert [row["clip"] for row in sheet] == [one.clip for one in made.cut]
    assert {row["answer"] + row["note"] + row["reviewer"] for row in sheet} == {""}
    assert (folder / "index.html").read_text().count('"video_id"') == 1 + len(sheet)


def test_no_clip_has_a_name_before_it_is_delivered(out, review, tmp_path, monkeypatch):
    """So that a job that is killed leaves nobody's face in the temporary folder."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    run, seen = stream_copy.run_ffmpeg, []

    def watched(*outputs, **settings):
        run(*outputs, **settings)
        seen.append((list(temporary.iterdir()), list((tmp_path / "review").rglob("*.mp4"))))

    monkeypatch.setattr(stream_copy, "run_ffmpeg", watched)
    made = review(out, top=1)
    assert names(made) and seen == [([], [])] * len(seen) and seen
    assert not list(temporary.iterdir())


def test_nothing_tells_a_name_or_a_score(out, review, tmp_path):
    review(out)
    for path in (tmp_path / "review").rglob("*.*"):
        assert "Ann" not in str(path.relative_to(tmp_path)) and b"Ann" not in path.read_bytes()
    text = (tmp_path / "review" / "sheet.csv").read_text()
    assert "p_ah" not in text and "0.9" not in text and "Yes" not in text
    review(out, show_scores=True, to=str(tmp_path / "shown"))
    assert {row["p_ah"] for row in read_sheet(tmp_path / "shown" / "sheet.csv")} == {
        "0.9000", "0.6000", "0.8000",
    }  # fmt: skip


def test_the_order_tells_nothing_and_stays(tmp_path, recording, review):
    scores = {f"v{n}": (recording, [0.99 - n / 100, 0.01 + n / 100]) for n in range(6)}
    score_invented(tmp_path / "many", scores)
    made = review(tmp_path / "many", top=6, surest=("yes", "no"))
    order = [one.moment.p_ah for one in made.cut]
    assert order != sorted(order) and order != sorted(order, reverse=True)
    halves = [p > 0.5 for p in order]
    assert len(set(halves[:6])) == len(set(halves[6:])) == 2, "Yes and No are mixed"
    assert [one.clip for one in review(tmp_path / "many", top=6, surest=("no", "yes")).cut] == [
        one.clip for one in made.cut
    ]


def test_what_is_not_there_or_another_is_reported_and_skipped(out, cohort, review):
    cohort["one"].unlink()
    with cohort["two"].open("ab") as file:
        file.write(b"more")
    made = review(out, top=3, surest=("yes", "no"))
    told = {one.moment.video.video_id: one.reason for one in made.skipped}
    assert told == {
        "one": "the video is no longer where it was scored; bring it back",
        "two": "the video is no longer what was scored; score it again first",
    }
    assert names(made) == {"clips/three-0000.000s.mp4", "clips/three-0005.000s.mp4"}


def test_one_window_that_cannot_be_decoded(tmp_path, recording, review):
    short = videos.make_truncated(tmp_path / "short.mp4", recording, share=0.45)
    score_invented(tmp_path / "scores", {"short": (short, [0.9, 0.8])})
    made = review(tmp_path / "scores")
    assert names(made) == {"clips/short-0000.000s.mp4"}
    assert [one.moment.start_s for one in made.skipped] == [5.0]


def test_where_nothing_could_be_cut_nothing_is_written(out, cohort, review, tmp_path):
    for path in cohort.values():
        path.unlink()
    assert not review(out).cut
    assert list((tmp_path / "review").iterdir()) == []


def test_a_page_of_somebody_else_is_never_replaced(out, review, tmp_path):
    review(out)
    review(out)
    page = tmp_path / "review" / "index.html"
    page.write_text("<h1>of somebody</h1>")
    with pytest.raises(ConfigError, match=r"--to .*index\.html: .* that is no page of clips\.py"):
        review(out)
    assert page.read_text() == "<h1>of somebody</h1>"


def test_from_a_bucket_each_video_is_fetched_once(bucket, recording, review, monkeypatch):
    fetched = []

    def download(uri, *rest, **options):
        fetched.append(uri)
        return original(uri, *rest, **options)

    original = storage.download
    monkeypatch.setattr(storage, "download", download)
    scores = {}
    for name, p_ah in SCORES.items():
        uri = f"s3://{bucket}/cohort/{name}.mp4"
        storage.write_file(uri, recording)
        scores[name] = (uri, p_ah)
    score_invented(f"s3://{bucket}/scores", scores)
    made = review(f"s3://{bucket}/scores", to=f"s3://{bucket}/review", surest=("yes", "no"))
    assert len(made.cut) == 6 and sorted(fetched) == sorted(uri for uri, _ in scores.values())
    assert storage.exists(f"s3://{bucket}/review/index.html")
    assert storage.stat(f"s3://{bucket}/review/clips/one-0000.000s.mp4").size_bytes > 1000


def test_hidden_names_are_found_by_the_listing(cohort, review, tmp_path):
    folder, key = cohort["one"].parent, tmp_path / "key"
    key.write_text("of sixteen bytes or more")
    ids = {name: video_id_of(path.name, key.read_bytes()) for name, path in cohort.items()}
    hidden = {ids[name]: (cohort[name], p_ah) for name, p_ah in SCORES.items()}
    score_invented(tmp_path / "scores", hidden, hide_uris=True)
    with pytest.raises(ConfigError, match="give --videos"):
        review(tmp_path / "scores")
    with pytest.raises(ConfigError, match="none of the videos is in --videos"):
        review(tmp_path / "scores", videos=str(folder))
    cohort["two"].rename(folder / "renamed.mp4")
    made = review(tmp_path / "scores", videos=str(folder), id_key=str(key))
    assert names(made) == {f"clips/{ids['one']}-0000.000s.mp4"}
    assert len(made.skipped) == 2 and "bring it back" in made.skipped[0].reason


def test_answers_are_never_written_over(out, review, tmp_path):
    review(out)
    again = review(out)
    sheet = tmp_path / "review" / "sheet.csv"
    assert [row["clip"] for row in read_sheet(sheet)] == [one.clip for one in again.cut]
    with pytest.raises(ConfigError, match="is of other clips"):
        review(out, surest=("no",))
    for column, told in (("answer", "answers"), ("note", "notes"), ("reviewer", "a name")):
        rows = [row | {column: ""} for row in read_sheet(sheet)]
        rows[-1][column] = "Yes"
        write_rows(sheet, rows)
        with pytest.raises(ConfigError, match=f"has {told} in it"):
            review(out)
        assert read_sheet(sheet) == rows
        write_rows(sheet, [row | {column: ""} for row in rows])


def test_fewer_than_were_asked_for(out, tmp_path, recording, review):
    assert len(review(out, top=100).cut) == 3, "there are three Yes"
    score_invented(tmp_path / "quiet", {"only": (recording, [0.1])})
    with pytest.raises(ConfigError, match="has no clip for --surest yes"):
        review(tmp_path / "quiet")


def test_storage_that_stays_away_is_no_fault_of_a_video(out, review, monkeypatch):
    def gone(uri):
        if uri.endswith(".mp4"):
            raise StorageError("no route to storage")
        return stat(uri)

    stat = storage.stat
    monkeypatch.setattr(storage, "stat", gone)
    with pytest.raises(StorageError, match="no route"):
        review(out)
