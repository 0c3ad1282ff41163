"""No text that a recording or its name carries changes what is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import edit_matroska as mkv
import numpy as np
import pytest
from hostile_texts import CODECS, SPOKEN, make_recording, tag, texts
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ah_ray.config import Limits, Windows
from ah_ray.media.decode import decode
from ah_ray.profile import load_profile
from ah_ray.records import Clip, VideoFacts

WINDOWS = Windows(window_s=1.0, hop_s=1.0, min_tail_s=0.5)
KEPT = settings(
    max_examples=4,
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""The folder is the same for all examples; each writes its files again."""


@dataclass(frozen=True)
class Plain:
    """A recording without any tag, and what is made of it."""

    path: Path
    clips: list[Clip] = field(repr=False)
    facts: VideoFacts = field(repr=False)


def decoded(path: Path) -> Plain:
    *clips, facts = decode(
        path, profile=load_profile("tiny"), windows=WINDOWS, limits=Limits(timeout_s=30)
    )
    facts = replace(facts, decode_s=0.0, decode_cpu_s=0.0)
    return Plain(path, clips, facts)


def assert_same(path: Path, plain: Plain) -> None:
    found = decoded(path)
    assert found.facts == plain.facts
    for clip, same in zip(found.clips, plain.clips, strict=True):
        assert (clip.start_s, clip.end_s, clip.error) == (same.start_s, same.end_s, same.error)
        assert np.array_equal(clip.frames, same.frames)
        assert np.array_equal(clip.samples, same.samples)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> dict[str, Plain]:
    """One for each container."""
    folder = tmp_path_factory.mktemp("untagged")
    found = {}
    for ending in CODECS:
        source = make_recording(folder / f"source.{ending}")
        found[ending] = decoded(tag(source, folder / f"plain.{ending}", None))
        assert len(found[ending].clips) == 2, ending
        assert found[ending].facts.error is None, ending
    return found


@pytest.mark.parametrize("ending", CODECS)
@KEPT
@given(text=texts())
def test_no_tag_changes_anything(recordings, tmp_path, ending, text):
    plain = recordings[ending]
    assert_same(tag(plain.path, tmp_path / f"tagged.{ending}", text), plain)


@pytest.mark.parametrize("ending", CODECS)
@pytest.mark.parametrize("line", SPOKEN)
@pytest.mark.heavy
def test_no_line_of_a_log_in_a_tag_changes_anything(recordings, tmp_path, ending, line):
    plain = recordings[ending]
    assert_same(tag(plain.path, tmp_path / f"tagged.{ending}", f"\n{line}\n{line}\r\n"), plain)


_FIELDS = {"22b59c": "language", "536e": "name", "258688": "codec's name", "22b59d": "language tag"}


@pytest.mark.parametrize("which", _FIELDS)
@pytest.mark.parametrize("ending", ["mkv", "webm"])
@KEPT
@given(text=texts())
def test_no_field_of_a_matroska_track_changes_anything(recordings, tmp_path, ending, which, text):
    """A muxer would keep the language to three letters; whoever writes the file need not."""
    read = mkv.read(recordings[ending].path)
    plain = mkv.write(tmp_path / f"plain.{ending}", read.tracks, read.blocks, like=read)
    tracks = [mkv.with_field(track, which, text.encode()) for track in read.tracks]
    tagged = mkv.write(tmp_path / f"tagged.{ending}", tracks, read.blocks, like=read)
    assert_same(tagged, decoded(plain))


@KEPT
@given(text=texts(), data=st.data())
def test_no_name_changes_anything(recordings, tmp_path, text, data):
    ending = data.draw(st.sampled_from(sorted(CODECS)))
    plain = recordings[ending]
    name = text.replace("/", "|").encode()[:120].decode("utf-8", "ignore")
    folder = tmp_path / f"f{name}"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.{ending}"
    path.write_bytes(plain.path.read_bytes())
    assert_same(path, plain)
    path.unlink()
    folder.rmdir()
