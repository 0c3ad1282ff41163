"""Nothing that a child says is believed: a lie is a row, never an exception, and leaves nothing."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from decoding import decode_all
from decoding_processes import (
    children,
    descriptors,
    end_warm_parent,
    start_lying_parent,
    wait_until,
    warm_parent,
)
from lying_child import DAMAGE, LATE, MAGIC

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind
from ah_ray.records import VideoFacts
from ah_ray.remarks import Remark

LIMITS = Limits(timeout_s=20.0, timeout_s_per_mb=0, max_duration_s=60)
SHORT = Limits(timeout_s=1.0, timeout_s_per_mb=0)


@pytest.fixture(scope="module", autouse=True)
def _lying_parent():
    with pytest.MonkeyPatch.context() as patch:
        start_lying_parent(patch)
        yield
        end_warm_parent()


def decode_lie(folder: Path, lie: str, limits: Limits = LIMITS) -> VideoFacts:
    """Return the facts of a recording whose child lies; check that nothing is left behind."""
    path = folder / "v.bin"
    path.write_text(MAGIC + lie + "\n")
    parent, before = warm_parent(), descriptors()
    theirs = descriptors(parent.pid)
    facts = decode_all(path, limits=limits).facts
    assert not children()
    assert descriptors() == before
    assert wait_until(lambda: descriptors(parent.pid) == theirs)
    assert warm_parent() == parent
    return facts


@pytest.mark.parametrize("lie", DAMAGE)
def test_a_lie_is_damage_of_its_video(tmp_path, lie):
    facts = decode_lie(tmp_path, lie)
    assert facts.error_kind is ErrorKind.DECODE
    assert facts.error.isprintable()
    assert facts.n_clips in (0, 2)


@pytest.mark.parametrize("lie", LATE)
def test_a_lie_after_the_last_clip_takes_none_back_and_adds_nothing(tmp_path, lie):
    facts = decode_lie(tmp_path, lie)
    assert facts.error is None and facts.n_clips == 2
    assert facts.width_px in (None, 256)


def test_truth_is_believed_and_the_next_recording_is_decoded(tmp_path, numbered):
    facts = decode_lie(tmp_path, "truth")
    assert facts.error is None and (facts.n_clips, facts.width_px) == (2, 256)
    assert decode_all(numbered).facts.error is None


@pytest.mark.parametrize(
    ("lie", "n_clips"),
    [("silence", 0), ("silence after a clip", 2), ("closed and still there", 2), ("time", 0)],
)
def test_silence_is_a_timeout(tmp_path, lie, n_clips):
    started = time.monotonic()
    facts = decode_lie(tmp_path, lie, SHORT)
    assert (facts.n_clips, facts.error_kind) == (n_clips, ErrorKind.TIMEOUT)
    assert "--timeout-s" in facts.error
    assert time.monotonic() - started < 10


def test_greed_meets_the_limit_of_memory(tmp_path):
    facts = decode_lie(tmp_path, "greed", LIMITS.model_copy(update={"max_memory_bytes": 256 << 20}))
    assert facts.error_kind is ErrorKind.REFUSED and "--max-memory-bytes" in facts.error


def test_samples_that_are_no_numbers_are_sound_within_its_bounds(tmp_path):
    path = tmp_path / "v.bin"
    path.write_text(MAGIC + "no numbers\n")
    samples = decode_all(path, limits=LIMITS).clips[0].samples
    assert np.isfinite(samples).all() and np.abs(samples).max() <= 1


def test_only_known_remarks_are_kept(tmp_path):
    assert decode_lie(tmp_path, "odd remarks").remarks == (Remark.SIZE_CHANGES,)
