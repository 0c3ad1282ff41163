"""The surest moments of invented outputs, against all their clips sorted by hand."""

from __future__ import annotations

import pytest
from invented_rows import make_output, scoring, why_profile

from ah_ray import storage
from ah_ray.config import Reduction
from ah_ray.errors import ConfigError, ErrorKind
from ah_ray.study.review.moments import Surest, contrasting_moments, surest_moments

VIDEOS = {
    "a": [0.9, 0.2, 0.55],
    "b": [0.1, 0.9, ErrorKind.DECODE],
    "c": ErrorKind.MISSING,
    "d": [0.5, 0.49],
}


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> str:
    folder = str(tmp_path_factory.mktemp("scores"))
    make_output(folder, VIDEOS)
    return folder


def find_moments(out, **wanted) -> list[tuple[str, float]]:
    return [(one.video.video_id, one.p_ah) for one in surest_moments(out, **wanted)]


def test_surest_yes(out):
    assert find_moments(out) == [("a", 0.9), ("b", 0.9), ("a", 0.55), ("d", 0.5)]
    assert find_moments(out, top=1) == [("a", 0.9)]
    assert all(one.answer == "Yes" for one in surest_moments(out))


def test_surest_no(out):
    assert find_moments(out, top=2, surest=Surest.NO) == [("b", 0.1), ("a", 0.2)]


def test_most_doubtful(out):
    doubtful = find_moments(out, top=3, surest=Surest.DOUBTFUL)
    assert doubtful == [("d", 0.5), ("d", 0.49), ("a", 0.55)]
    assert len(find_moments(out, top=100, surest=Surest.DOUBTFUL)) == 7, "what failed is no moment"


def test_a_moment_has_its_time_and_its_content(out):
    moment = surest_moments(out)[1]
    assert (moment.clip_index, moment.start_s, moment.end_s) == (1, 5.0, 10.0)
    assert (moment.video.uri, moment.video.etag) == ("/cohort/b.mp4", "etag-1")


def test_doubt_is_about_the_threshold_of_the_output(tmp_path):
    make_output(str(tmp_path), VIDEOS, reduction=Reduction(threshold=0.18))
    assert find_moments(str(tmp_path), top=2, surest=Surest.DOUBTFUL) == [("a", 0.2), ("b", 0.1)]


def test_more_clips_than_a_batch(tmp_path, monkeypatch):
    monkeypatch.setattr("ah_ray.study.review.moments._BATCH_ROWS", 7)
    scores = {f"v{n:03}": [(7 * n + 3 * k) % 101 / 100 for k in range(5)] for n in range(60)}
    make_output(str(tmp_path), scores)
    every = sorted((-p, v, k) for v, clips in scores.items() for k, p in enumerate(clips))
    wanted = [(v, -p) for p, v, _ in every if -p >= 0.5][:20]
    assert find_moments(str(tmp_path), top=20) == wanted


def test_where_a_contrast_is_largest(tmp_path, out, monkeypatch):
    monkeypatch.setattr("ah_ray.study.review.moments._BATCH_ROWS", 2)
    why = str(tmp_path / "why")
    rows = make_output(why, VIDEOS, by=scoring(profile=why_profile()))
    every = sorted(
        (-clip["contrasts"][0]["distance"], row["video_id"], clip["clip_index"])
        for row in rows
        for clip in row["clips"]
        if clip["contrasts"]
    )
    found = contrasting_moments(why, "face-voice", top=4)
    assert [(one.video.video_id, one.clip_index) for one in found] == [key[1:] for key in every[:4]]
    assert len(contrasting_moments(why, "face-voice", top=100)) == 7
    assert {one.answer for one in found} <= {"Yes", "No"}
    with pytest.raises(ConfigError, match="no contrast face-hands; it has face-voice"):
        contrasting_moments(why, "face-hands")
    with pytest.raises(ConfigError, match="no contrast face-voice; it has none"):
        contrasting_moments(out, "face-voice")


def test_what_is_no_output_is_reported(tmp_path, out):
    with pytest.raises(ConfigError, match="is no output of ah_ray"):
        surest_moments(str(tmp_path))
    make_output(str(tmp_path), VIDEOS)
    storage.remove([str(tmp_path / "clips.parquet")])
    with pytest.raises(ConfigError, match="not of one run"):
        surest_moments(str(tmp_path))
    (tmp_path / "clips.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(ConfigError, match="to finish it"):
        surest_moments(str(tmp_path))
