"""The whole job over real media, on a real Ray: rows, healing of the past, exit statuses."""

import io
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pyarrow.parquet as pq
import pytest
from outputs import OF_THE_PLACE, OF_THE_RUN, clips, row_files, verdicts

import ah_ray
from ah_ray.cohort import video_id_of
from ah_ray.errors import ConfigError
from ah_ray.exit_status import ExitStatus
from ah_ray.omni.weights.checkpoint import find_checkpoint
from ah_ray.output.runs import read_summary
from ah_ray.pipeline.reporting.monitor import Machines
from ah_ray.records import CLIPS, VERDICTS

EXPECTED = {
    "visit-01/answer 1.mp4": ("ok", None, 3),
    "visit-01/answer 2.mp4": ("ok", None, 2),
    "visit-01/answer 3.mp4": ("ok", None, 4),
    "visit-02/answer 1.mp4": ("ok", None, 2),
    "visit-02/answer 2 50%.mp4": ("ok", None, 3),
    "visit-02/browser.webm": ("ok", None, 2),
    "visit-02/upright.mp4": ("ok", None, 2),
    "visit-03/no sound.mp4": ("ok", None, 2),
    "visit-03/frozen picture.mp4": ("ok", None, 1),
    "visit-03/broken upload.mp4": ("partial", "decode", 4),
    "visit-03/sound only.mp4": ("failed", "no_video", 0),
    "visit-03/empty.mp4": ("failed", "unreadable", 0),
    "visit-03/a letter.mp4": ("failed", "unreadable", 0),
    "visit-03/playlist.mp4": ("failed", "refused", 0),
}


@pytest.fixture(scope="module")
def demo_out(whole_cohort, ray_session, tmp_path_factory):
    """The demonstration's cohort, scored once for this module."""
    out = tmp_path_factory.mktemp("scores")
    settings = {"videos": str(whole_cohort), "out": str(out), "model": "tiny"}
    summary = ah_ray.score(**settings, max_failed=1.0)
    assert summary.exit_status == ExitStatus.COMPLETE
    return out


def test_every_video_has_its_row(whole_cohort, demo_out):
    rows = verdicts(demo_out)
    found = {}
    for row in rows.values():
        key = os.path.relpath(row["uri"], whole_cohort)
        assert row["video_id"] == video_id_of(key)
        found[key] = (row["status"], row["error_kind"], row["n_clips"])
    assert found == EXPECTED


def test_the_tables_follow_the_contract(demo_out):
    assert ah_ray.read_verdicts(str(demo_out)).schema.remove_metadata() == VERDICTS
    assert ah_ray.read_clips(str(demo_out)).schema.remove_metadata() == CLIPS
    rows = verdicts(demo_out)
    flat = clips(demo_out)
    assert len(flat) == sum(row["n_clips"] for row in rows.values())
    assert len(row_files(demo_out)) == len(rows)
    for row in rows.values():
        mine = [clip for clip in flat if clip["video_id"] == row["video_id"]]
        scored = [clip["p_ah"] for clip in mine if clip["p_ah"] is not None]
        assert [clip["clip_index"] for clip in mine] == list(range(row["n_clips"]))
        assert row["n_failed_clips"] == len(mine) - len(scored)
        assert row["p_ah"] == (max(scored) if scored else None)
        assert all(clip["n_frames"] == 10 for clip in mine if clip["p_ah"] is not None)
        assert row["attempts"] == 1


def test_odd_recordings_are_marked(demo_out, whole_cohort):
    by_name = {os.path.relpath(r["uri"], whole_cohort): r for r in verdicts(demo_out).values()}
    assert by_name["visit-03/frozen picture.mp4"]["picture_is_still"] is True
    assert by_name["visit-03/no sound.mp4"]["has_audio"] is False
    assert by_name["visit-01/answer 1.mp4"]["picture_is_still"] is False
    assert by_name["visit-02/browser.webm"]["duration_s"] == pytest.approx(10.0, abs=0.05)
    assert by_name["visit-03/broken upload.mp4"]["n_failed_clips"] >= 1


def test_the_summary_is_written(demo_out):
    (path,) = (demo_out / "runs").iterdir()
    summary = json.loads(path.read_text())
    assert summary["counts"]["by_status"] == {"ok": 9, "partial": 1, "failed": 4}
    assert summary["counts"]["failed_by_kind"] == {"unreadable": 2, "no_video": 1, "refused": 1}
    assert summary["ignored_endings"] == {".txt": 1}
    assert summary["exit_status"] == 0
    assert summary["clips_scored"] == 25
    assert summary["versions"]["ray"]


@pytest.mark.slow
def test_the_same_rows_from_a_bucket(scored, whole_cohort, demo_out, bucket, s3_client):
    for path in whole_cohort.rglob("*.*"):
        key = f"study a/{path.relative_to(whole_cohort)}"
        s3_client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    with ThreadPoolExecutor(4) as threads:  # a first page of a listing that holds no video
        for n in range(1_000):
            threads.submit(s3_client.put_object, Bucket=bucket, Key=f"study a/0/{n}.txt", Body=b"")
    out = f"s3://{bucket}/scores"
    outcome = scored(f"s3://{bucket}/study a", out, max_failed=1.0)
    assert outcome.summary.ignored_endings == {".txt": 1_001}
    assert outcome.summary.exit_status == ExitStatus.COMPLETE
    ignore = OF_THE_RUN | OF_THE_PLACE
    assert verdicts(out, ignore) == verdicts(demo_out, ignore)
    assert clips(out) == clips(demo_out)
    uris = {row["uri"] for row in ah_ray.read_verdicts(out).to_pylist()}
    assert f"s3://{bucket}/study a/visit-02/answer 2 50%.mp4" in uris


@pytest.mark.slow
def test_names_are_taken_as_they_are(
    scored_without_model, small_cohort, tmp_path, bucket, s3_client
):
    body = (small_cohort / "visit-01 answer 2.mp4").read_bytes()
    names = ["a b.mp4", "it's \"so\".mp4", "50%25.mp4", "a#b?c.mp4", "żółć 日本.mp4", "-v.mp4",
             "[x]*.mp4", "_hidden/.dot.MP4"]  # fmt: skip
    folder = tmp_path / "names"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
        s3_client.put_object(Bucket=bucket, Key=f"v/{name}", Body=body)
    scored_without_model(folder, tmp_path / "out")
    scored_without_model(f"s3://{bucket}/v", f"s3://{bucket}/out")
    local, remote = verdicts(tmp_path / "out"), verdicts(f"s3://{bucket}/out")
    assert {row["uri"] for row in local.values()} == {f"{folder}/{name}" for name in names}
    assert {row["uri"] for row in remote.values()} == {f"s3://{bucket}/v/{n}" for n in names}
    assert local.keys() == remote.keys() == {video_id_of(name) for name in names}
    assert {row["status"] for row in [*local.values(), *remote.values()]} == {"ok"}


def test_changed_content_is_noticed_and_removed_videos_leave(scored_without_model, last_night):
    cohort, out = last_night.cohort, last_night.out
    before, files = verdicts(out), row_files(out)
    changed, removed = "visit-01 answer 1.mp4", "visit-01 answer 2.mp4"
    (cohort / changed).write_bytes((cohort / "visit-02 answer 1.mp4").read_bytes())
    (cohort / removed).unlink()
    outcome = scored_without_model(cohort, out)
    after = verdicts(out)
    assert outcome.summary.videos_done == 1
    assert video_id_of(removed) not in after
    assert after[video_id_of(changed)]["n_clips"] == 2 != before[video_id_of(changed)]["n_clips"]
    assert after[video_id_of(changed)]["etag"] != before[video_id_of(changed)]["etag"]
    unchanged = before.keys() - {video_id_of(changed), video_id_of(removed)}
    assert {i: after[i] for i in unchanged} == {i: before[i] for i in unchanged}
    mine = [name for name in row_files(out) if name.startswith(video_id_of(changed))]
    assert len(mine) == 1 and mine[0] not in files, "the row of the old content must go"


def test_limit_then_the_rest(scored_without_model, small_cohort, tmp_path):
    out = tmp_path / "out"
    first = scored_without_model(small_cohort, out, limit=2, max_failed=1.0).summary
    assert (first.videos_done, first.exit_status) == (2, ExitStatus.MISSING_ROWS)
    second = scored_without_model(small_cohort, out, max_failed=1.0).summary
    assert (second.videos_done, second.exit_status) == (2, ExitStatus.COMPLETE)
    for summary in (first, second):  # each run records figures of its own rows alone
        assert summary.figures is not None and summary.figures.n_rows == 2
    assert read_summary(str(out), second.run_id).figures == second.figures
    assert scored_without_model(small_cohort, out, max_failed=1.0).summary.videos_done == 0


def test_a_spent_budget_of_gpu_hours_ends_the_run(
    scored_without_model, whole_cohort, tmp_path, monkeypatch
):
    out, cohort = tmp_path / "out", tmp_path / "cohort"
    cohort.mkdir()
    for n in range(300):
        (cohort / f"{n:03}.mp4").symlink_to(whole_cohort / "visit-01/answer 2.mp4")

    def machines(*_) -> Machines:  # once three rows are there, a million GPUs
        rows = list((out / "videos").glob("*.parquet"))
        return Machines(n_replicas=1, n_gpus=1_000_000 if len(rows) >= 3 else 0)

    monkeypatch.setattr("ah_ray.pipeline.reporting.monitor.LOOK_EVERY_S", 0.2)
    monkeypatch.setattr("ah_ray.pipeline.work.count_machines", machines)
    summary = scored_without_model(cohort, out, gpu_hours=50.0).summary
    assert summary.exit_status == ExitStatus.MISSING_ROWS and summary.bounded
    assert "the budget of 50 GPU hours is spent" in summary.trouble
    assert summary.gpu_hours > 50.0
    assert 3 <= len(verdicts(out)) == len(row_files(out)) < 300, "what is complete is kept"


def test_failed_videos_and_the_exit_status(scored_without_model, last_night):
    assert last_night.outcome.summary.exit_status == ExitStatus.TOO_MANY_FAILED
    cohort, out = last_night.cohort, last_night.out
    again = scored_without_model(cohort, out).summary
    assert (again.videos_done, again.exit_status) == (0, ExitStatus.TOO_MANY_FAILED)
    retried = scored_without_model(cohort, out, retry_failed=True, max_failed=0.25).summary
    assert (retried.videos_done, retried.exit_status) == (1, ExitStatus.COMPLETE)
    assert verdicts(out)[video_id_of("empty.mp4")]["attempts"] == 2


def test_what_may_pass_is_tried_three_times(scored_without_model, small_cohort, tmp_path):
    manifest = tmp_path / "cohort.csv"
    manifest.write_text(f"uri,video_id\n{small_cohort}/gone.mp4,gone\n")
    out = tmp_path / "out"
    nights = [scored_without_model(manifest, out, max_failed=1.0).summary for _ in range(4)]
    assert [night.videos_done for night in nights] == [1, 1, 1, 0]
    (row,) = verdicts(out).values()
    assert (row["error_kind"], row["attempts"], row["etag"]) == ("missing", 3, None)
    (small_cohort / "visit-01 answer 1.mp4").rename(small_cohort / "gone.mp4")
    scored_without_model(manifest, out)
    (row,) = verdicts(out).values()
    assert (row["status"], row["attempts"]) == ("ok", 1)


def test_what_the_manifest_says_changes_no_score(scored_without_model, small_cohort, tmp_path):
    manifest, out = small_cohort / "cohort.csv", tmp_path / "out"
    names = ("empty.mp4", "visit-01 answer 1.mp4")

    def night(site: str, **settings):
        lines = [f"{name},v{n},P-{n},{n},3,{site}" for n, name in enumerate(names)]
        header = "uri,video_id,participant,visit,question,site"
        manifest.write_text("\n".join([header, *lines]))
        return scored_without_model(manifest, out, max_failed=1.0, **settings).summary

    assert night("north", group_by=("site",)).videos_done == 2
    first = list(verdicts(out).values())
    assert [one["participant"] for one in first] == ["P-0", "P-1"]
    assert [(one["visit"], one["question"]) for one in first] == [("0", "3"), ("1", "3")]
    assert night("south", group_by=("site",)).videos_done == 0
    assert [one["groups"] for one in verdicts(out).values()] == [[("site", "south")]] * 2
    assert night("south").videos_done == 0
    assert [one["groups"] for one in verdicts(out).values()] == [None, None]
    for content in row_files(out).values():
        (row,) = pq.read_table(io.BytesIO(content)).to_pylist()
        assert row["groups"] == [("site", "north")], "a file says what was said when it was scored"


def test_another_configuration_is_refused_then_replaces(scored_without_model, last_night):
    cohort, out = last_night.cohort, last_night.out
    with pytest.raises(ConfigError, match=r"window_s 5.0 → 4.0.*--rescore"):
        scored_without_model(cohort, out, window_s=4.0)
    with pytest.raises(ConfigError, match=r"reducer any → mean.*jobs/reduce.py"):
        scored_without_model(cohort, out, reducer="mean")
    again = {"window_s": 4.0, "hop_s": 4.0, "rescore": True, "max_failed": 1.0}
    part = scored_without_model(cohort, out, limit=2, **again)
    assert part.summary.exit_status == ExitStatus.MISSING_ROWS
    assert len({row["config_fingerprint"] for row in verdicts(out).values()}) == 1
    whole = scored_without_model(cohort, out, **again)
    assert whole.summary.videos_done == 2
    assert len(verdicts(out)) == len(row_files(out)) == 4


def test_hidden_names_are_nowhere(scored_without_model, small_cohort, tmp_path, bucket, s3_client):
    for path in small_cohort.iterdir():
        s3_client.put_object(Bucket=bucket, Key=f"jane-doe/{path.name}", Body=path.read_bytes())
    key = tmp_path / "key"
    key.write_bytes(os.urandom(32))
    out = tmp_path / "out"
    settings = {"id_key": str(key), "max_failed": 1.0}
    scored_without_model(f"s3://{bucket}/jane-doe", out, hide_uris=True, **settings)
    assert len(verdicts(out)) == 4
    for path in filter(lambda path: path.is_file(), out.rglob("*")):
        for secret in (b"jane-doe", b"visit-01", bucket.encode(), key.read_bytes()):
            assert secret not in path.read_bytes(), f"{secret} is in {path.name}"
    for row in verdicts(out).values():
        assert row["uri"] is None
    assert video_id_of("empty.mp4") not in verdicts(out), "ids must be keyed"
    with pytest.raises(ConfigError, match="was written with --hide-uris"):
        scored_without_model(f"s3://{bucket}/jane-doe", out, **settings)


@pytest.mark.slow
def test_a_model_in_a_bucket_is_copied_once_and_gives_the_same(
    scored, first_night, tmp_path, bucket, s3_client
):
    for path in find_checkpoint("tiny").iterdir():
        s3_client.put_object(Bucket=bucket, Key=f"models/small/{path.name}", Body=path.read_bytes())
    cache = tmp_path / "cache"
    settings = {"profile": "tiny", "device": "cpu", "model_cache": str(cache)}
    scored(first_night.cohort, tmp_path / "far", model=f"s3://{bucket}/models/small", **settings)
    far, near = (
        verdicts(out, OF_THE_RUN | {"model"}) for out in (tmp_path / "far", first_night.out)
    )
    assert far == near, "where a model lies does not enter its fingerprint"
    assert {row["model"] for row in verdicts(tmp_path / "far").values()} == {"small"}
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 1
