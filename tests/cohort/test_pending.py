from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.cohort import Cohort, Ignored, State, decide_state, make_plan, row_name
from ah_ray.cohort.cohort import _make_batch
from ah_ray.cohort.pending import MAX_ATTEMPTS
from ah_ray.errors import ErrorKind
from ah_ray.records import Video

NOW = "config-now"


def video(name: str = "v", etag: str | None = "e1") -> Video:
    return Video(
        video_id=name,
        uri=f"s3://bucket/{name}.mp4",
        etag=etag,
        size_bytes=10,
        last_modified=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
    )


def cohort(*videos: Video) -> Cohort:
    return Cohort(source="s3://bucket", ignored=Ignored(), batches=(_make_batch(videos),))


def row(name: str = "v", etag: str | None = "e1", config: str = NOW) -> str:
    return row_name(name, etag, config)


def decision(names: tuple[str, ...], failures=None, **options):
    return decide_state(video(), names, failures or {}, config_fingerprint=NOW, **options)


def test_without_a_row_it_is_new():
    assert decision(()).state is State.NEW


def test_the_row_of_this_content_and_configuration_is_the_commit():
    assert decision((row(),)).state is State.DONE


@pytest.mark.parametrize("old", [row(etag="e0"), row(config="before"), row(etag=None)])
def test_other_content_or_configuration_is_scored_again_and_its_row_is_stale(old):
    made = decision((old,), {old: (ErrorKind.CRASH, 2)})
    assert (made.state, made.stale, made.attempts) == (State.CHANGED, (old,), 0)


def test_a_done_video_may_have_a_stale_row_left():
    made = decision((row(etag="e0"), row()))
    assert (made.state, made.stale) == (State.DONE, (row(etag="e0"),))


@pytest.mark.parametrize("kind", list(ErrorKind))
@pytest.mark.parametrize("attempts", range(1, MAX_ATTEMPTS + 2))
def test_what_may_pass_is_tried_up_to_three_times(kind, attempts):
    passing = {ErrorKind.MISSING, ErrorKind.DENIED, ErrorKind.TIMEOUT, ErrorKind.CRASH}
    again = kind in passing and attempts < 3
    made = decision((row(),), {row(): (kind, attempts)})
    assert made.state is (State.RETRY if again else State.FAILED)
    assert made.attempts == attempts
    forced = decision((row(),), {row(): (kind, attempts)}, retry_failed=True)
    assert (forced.state, forced.attempts) == (State.RETRY, attempts)


def test_a_missing_video_has_a_row_of_its_own():
    gone = video(etag=None)
    assert decide_state(gone, (row(etag=None),), {}, config_fingerprint=NOW).state is State.DONE
    assert decide_state(gone, (row(),), {}, config_fingerprint=NOW).state is State.CHANGED


def test_a_plan_counts_all_and_gives_the_pending_in_order():
    videos = [video(name) for name in ("new", "done", "old", "failed", "retry", "new2")]
    committed = {
        "done": (row("done"), row("done", "e0")),
        "old": (row("old", "e0"),),
        "failed": (row("failed"),),
        "retry": (row("retry"),),
        "not in the cohort": ("x",),
    }
    failures = {row("failed"): (ErrorKind.DECODE, 1), row("retry"): (ErrorKind.TIMEOUT, 2)}
    made = make_plan(cohort(*videos), committed, failures, config_fingerprint=NOW)
    assert made.counts == {"new": 2, "done": 1, "changed": 1, "failed": 1, "retry": 1}
    pending = list(made)
    assert [one.video_id for one in pending] == ["new", "old", "retry", "new2"]
    assert pending[0] == videos[0]
    assert pending[1].stale == (row("old", "e0"),)
    assert pending[2].attempts == 2
    assert made.leftover == [row("done", "e0")]
    assert (len(made), made.put_off, made.pending_bytes) == (4, 0, 40)
    assert list(made) == pending


@given(st.integers(0, 12))
def test_a_limit_puts_the_rest_off(limit):
    videos = [video(str(n)) for n in range(10)]
    made = make_plan(cohort(*videos), {"3": (row("3"),)}, {}, config_fingerprint=NOW, limit=limit)
    assert len(made) == len(list(made)) == min(limit, 9)
    assert made.put_off == 9 - len(made)
    assert made.counts[State.NEW] == 9


def test_a_video_comes_out_of_the_columns_as_it_went_in():
    odd = Video(
        video_id="x", uri="s3://b/é \"'\n.mp4", etag=None, size_bytes=None, last_modified=None,
        problem_kind=ErrorKind.DENIED, problem="denied: why",
    )  # fmt: skip
    assert list(cohort(video(), odd)) == [video(), odd]


def test_a_million_videos_are_held_in_columns():
    batch = _make_batch([video(f"{n:016x}") for n in range(1_000)])
    assert isinstance(batch, pa.RecordBatch)
    assert batch.nbytes < 200 * 1_000


def test_a_row_that_lacks_what_is_to_be_kept_is_made_again():
    assert decision((row(),), kept={row()}).state is State.DONE
    bare = decision((row(etag="e0"), row()), kept={row(etag="e0")})
    assert (bare.state, bare.stale) == (State.BARE, (row(etag="e0"),))
    assert bare.state.pending
    gone = {row(): (ErrorKind.UNREADABLE, 1)}
    assert decision((row(),), gone, kept=set()).state is State.FAILED, "it has none to keep"
