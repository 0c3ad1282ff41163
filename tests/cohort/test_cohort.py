"""Cohorts from prefixes, in a folder and in a bucket."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import pytest
from ordinary_user import as_ordinary_user

from ah_ray import storage
from ah_ray.cohort import committed_names, open_cohort, video_id_of
from ah_ray.cohort.listing import NO_ENDING, NOT_UTF8, OF_MACOS, OTHERS, Ignored
from ah_ray.errors import ConfigError, ErrorKind
from ah_ray.storage import join

ODD = [
    "a b.mp4", "it's \"q\".MP4", "100%.mp4", "%20.mp4", "a#b?.webm", "é漢字.mp4", "e\u0301.mp4",
    "-lead.mp4", "deep/er/x.mkv", ".hidden.mp4", "_x.mov", "a,b.mp4",
]  # fmt: skip


def fill(prefix: str, names: list[str]) -> None:
    for name in names:
        storage.write_whole(join(prefix, name), name.encode())


def test_bucket_and_copy_have_the_same_videos(bucket, tmp_path):
    remote, local = f"s3://{bucket}/study", str(tmp_path)
    fill(remote, ODD)
    fill(local, ODD)
    of_bucket, of_folder = open_cohort(remote), open_cohort(local)
    ids = [video.video_id for video in of_bucket]
    assert ids == [video.video_id for video in of_folder]
    assert sorted(ids) == sorted(map(video_id_of, ODD))
    assert {video.uri for video in of_bucket} == {f"{remote}/{name}" for name in ODD}
    assert {video.uri for video in of_folder} == {f"{local}/{name}" for name in ODD}
    assert len(of_bucket) == len(ODD)
    assert of_bucket.size_bytes == of_folder.size_bytes == sum(len(n.encode()) for n in ODD)


def test_a_video_knows_its_version(tmp_path):
    fill(str(tmp_path), ["x.mp4"])
    (video,) = open_cohort(str(tmp_path))
    entry = storage.stat(str(tmp_path / "x.mp4"))
    assert (video.etag, video.size_bytes) == (entry.etag, entry.size_bytes)
    assert video.last_modified == entry.last_modified
    assert video.problem_kind is None


def test_ids_depend_on_the_key(tmp_path):
    fill(str(tmp_path), ["x.mp4"])
    (plain,) = open_cohort(str(tmp_path))
    (keyed,) = open_cohort(str(tmp_path), id_key=b"secret")
    assert keyed == replace(plain, video_id=video_id_of("x.mp4", b"secret"))


def test_what_is_no_video_is_counted_and_named(tmp_path):
    fill(
        str(tmp_path),
        ["x.mp4", "a.txt", "b.TXT", "c.txt", "d.txt", "README", ".DS_Store", "y.mp4.part"],
    )
    cohort = open_cohort(str(tmp_path))
    assert len(cohort) == 1
    assert cohort.ignored.count == {".txt": 4, NO_ENDING: 2, ".part": 1}
    assert cohort.ignored.examples[".txt"] == ["a.txt", "b.TXT", "c.txt"]
    assert len(cohort.ignored) == 7


def test_endings_are_a_setting(tmp_path):
    fill(str(tmp_path), ["x.mp4", "y.PART"])
    (video,) = open_cohort(str(tmp_path), endings=[".Part"])
    assert video.uri.endswith("y.PART")


def test_a_thousand_endings_do_not_fill_the_summary():
    ignored = Ignored()
    for n in range(1000):
        ignored.add(f".{n}", f"x.{n}")
    assert len(ignored) == 1000
    assert len(ignored.count) == 31
    assert ignored.count[OTHERS] == 970


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are all UTF-8")
def test_a_name_that_is_no_text_is_counted(tmp_path):
    fill(str(tmp_path), ["x.mp4"])
    (tmp_path / os.fsdecode(b"\xff.mp4")).touch()
    cohort = open_cohort(str(tmp_path))
    assert len(cohort) == 1
    assert cohort.ignored.count == {NOT_UTF8: 1}


def test_the_output_within_the_cohort_is_not_part_of_it(tmp_path):
    fill(str(tmp_path), ["x.mp4", "out/videos/x.mp4", "out2/y.mp4"])
    cohort = open_cohort(str(tmp_path), exclude=f"{tmp_path}/out/")
    assert [video.uri for video in cohort] == [f"{tmp_path}/out2/y.mp4", f"{tmp_path}/x.mp4"]
    assert len(cohort.ignored) == 0


def test_a_link_to_nothing_is_a_missing_video(tmp_path):
    (tmp_path / "gone.mp4").symlink_to("nowhere")
    (video,) = open_cohort(str(tmp_path))
    assert (video.problem_kind, video.etag) == (ErrorKind.MISSING, None)
    assert "link to nothing" in video.problem


def test_bad_entries_are_videos_with_a_problem(tmp_path):
    fill(str(tmp_path), ["good.mp4", "closed.mp4", "closed/a.mp4", "._good.mp4", "x/._b.mp4"])
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "closed.mp4").chmod(0)
    (tmp_path / "closed").chmod(0)
    cohort = as_ordinary_user(lambda: open_cohort(str(tmp_path)), tmp_path)
    (tmp_path / "closed").chmod(0o755)
    assert {video.uri.removeprefix(f"{tmp_path}/"): video.problem_kind for video in cohort} == {
        "closed": ErrorKind.DENIED,
        "closed.mp4": ErrorKind.DENIED,
        "good.mp4": None,
        "loop.mp4": ErrorKind.MISSING,
        "pipe.mp4": ErrorKind.MISSING,
    }
    assert cohort.ignored.count == {OF_MACOS: 2}


def test_bad_entries_of_a_manifest_are_videos_with_a_problem(tmp_path):
    fill(str(tmp_path), ["good.mp4", "closed.mp4"])
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "closed.mp4").chmod(0)
    os.mkfifo(tmp_path / "pipe.mp4")
    names = ["good.mp4", "closed.mp4", "loop.mp4", "loop/x.mp4", "pipe.mp4", "good.mp4/x.mp4"]
    (tmp_path / "m.csv").write_text("\n".join(["uri", *names]))
    cohort = as_ordinary_user(lambda: open_cohort(str(tmp_path / "m.csv")), tmp_path)
    denied, missing = ErrorKind.DENIED, ErrorKind.MISSING
    kinds = [video.problem_kind for video in cohort]
    assert kinds == [None, denied, missing, missing, missing, missing]


@pytest.mark.parametrize("name", ["loop", "pipe", "pipe.csv", "closed"])
def test_a_source_that_cannot_be_read_is_one_sentence(tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(ConfigError, match="cannot be read: "):
        as_ordinary_user(lambda: storage.check_readable(str(tmp_path / name)), tmp_path)


def test_an_empty_cohort_is_a_wrong_setting(tmp_path, bucket):
    with pytest.raises(ConfigError, match=f"--videos {tmp_path} is empty"):
        open_cohort(str(tmp_path))
    fill(str(tmp_path), ["a.txt", "b.txt"])
    with pytest.raises(ConfigError, match=r"holds no video, only 2 \.txt; --endings says"):
        open_cohort(str(tmp_path))
    for place in (str(tmp_path / "none"), f"s3://{bucket}/none", "s3://no-such-bucket/videos"):
        with pytest.raises(ConfigError, match=f"--videos {place} cannot be read"):
            open_cohort(place)


def test_a_folder_may_be_called_like_a_manifest(tmp_path):
    fill(str(tmp_path / "x.csv"), ["x.mp4"])
    assert len(open_cohort(str(tmp_path / "x.csv"))) == 1


@pytest.mark.parametrize("where", ["local", "s3"])
def test_committed_rows_are_found_by_name(where, tmp_path, request):
    out = str(tmp_path) if where == "local" else f"s3://{request.getfixturevalue('bucket')}/out"
    assert committed_names(out) == {}
    rows = ["a-00000001.parquet", "a-00000002.parquet", "b-c-00000003.parquet"]
    fill(join(out, "videos"), [*rows, ".tmp-00", "notes.txt", "deep/d-00000004.parquet"])
    assert committed_names(out) == {"a": tuple(rows[:2]), "b-c": (rows[2],)}
