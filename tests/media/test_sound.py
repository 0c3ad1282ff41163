"""Sound at its true place: second 0 is the first picture's, silence where there is none."""

import itertools

import numpy as np
import pytest
import videos
from decoding import decode_all
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.media.sound import LEAD_S, RATE_HZ, Sound

MIDDLE = RATE_HZ // 10


def track(decoded) -> np.ndarray:
    return np.concatenate([clip.samples for clip in decoded.clips])


def loud(samples: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    """Whether each tenth of a second between two times holds sound: `[n] bool`."""
    tenths = samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)].reshape(-1, MIDDLE)
    return np.abs(tenths).max(axis=1) > 0.1


def test_a_full_clip_has_exactly_80000_samples_of_the_tone(numbered):
    samples = decode_all(numbered).clips[0].samples
    assert samples.shape == (80_000,) and samples.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * RATE_HZ / len(samples) == pytest.approx(440, abs=1)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.ts", "v.avi"])
def test_a_beep_is_heard_when_it_is_seen(tmp_path, name):
    # AVI has no timestamps: its first picture would count as late by the reordering of B-frames
    codec = (*videos.X264, "-bf", "0") if name == "v.avi" else videos.X264
    path = videos.make_numbered(
        tmp_path / name, codec=codec, sound="0.5*sin(2*PI*440*t)*between(t,6,7)"
    )
    decoded = decode_all(path)
    samples = track(decoded)
    starts_s = np.argmax(np.abs(samples) > 0.25) / RATE_HZ
    assert starts_s == pytest.approx(6.0, abs=0.03)
    assert loud(samples, 6.1, 6.9).all() and not loud(samples, 7.1, 10.0).any()


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.ts"])
def test_sound_that_starts_late_is_preceded_by_silence(tmp_path, name):
    path = videos.make_numbered(tmp_path / name, sound=videos.TONE, sound_starts_s=6.0, sound_s=6.0)
    samples = track(decode_all(path))
    assert not loud(samples, 0.0, 5.9).any()
    assert loud(samples, 6.1, 11.8).all()


@pytest.mark.parametrize("name", ["v.mp4", "v.ts"])
def test_sound_that_ends_early_is_followed_by_silence(tmp_path, name):
    path = videos.make_numbered(tmp_path / name, sound=videos.TONE, sound_s=3.0)
    samples = track(decode_all(path))
    assert loud(samples, 0.1, 2.9).all()
    assert not loud(samples, 3.2, 10.0).any()


def test_sound_that_never_comes_back_does_not_hold_up_the_picture(tmp_path):
    path = videos.make_numbered(
        tmp_path / "v.mp4", n_frames=40 * 25, sound=videos.TONE, sound_s=1.0
    )
    decoded = decode_all(path)
    assert len(decoded.clips) == 8 and decoded.facts.error is None
    assert not any(np.abs(clip.samples).max() for clip in decoded.clips[1:])


def test_sound_before_the_first_picture_is_cut(tmp_path):
    beep = "0.5*sin(2*PI*440*t)*between(t,3,4)"
    path = videos.make_numbered(
        tmp_path / "v.mkv",
        sound=beep,
        sound_s=14.0,
        pts_ms="2000+N*40",
        options=("-c:a", "flac"),
    )
    samples = track(decode_all(path))
    assert np.argmax(np.abs(samples) > 0.25) / RATE_HZ == pytest.approx(1.0, abs=0.03)


def test_a_cut_video_keeps_sound_and_picture_together(tmp_path):
    whole = videos.make_numbered(
        tmp_path / "w.mp4", sound="0.5*sin(2*PI*440*t)*between(t,6,7)", n_frames=300
    )
    decoded = decode_all(videos.make_trimmed(tmp_path / "v.mp4", whole, start_s=3.0))
    starts_s = np.argmax(np.abs(track(decoded)) > 0.25) / RATE_HZ
    assert starts_s == pytest.approx(3.0, abs=0.06)


def test_no_sound_is_silence_of_the_same_length(tmp_path):
    decoded = decode_all(videos.make_numbered(tmp_path / "v.mp4", n_frames=125))
    assert decoded.facts.has_audio is False and decoded.facts.sound_is_silent is True
    assert decoded.clips[0].samples.shape == (80_000,)
    assert not decoded.clips[0].samples.any()


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_a_track_without_any_sound_in_it_is_silence(tmp_path, numbered, name):
    path = tmp_path / name
    videos.run_ffmpeg("-i", numbered, "-c", "copy", "-bsf:a", "noise=drop=1", path)
    decoded = decode_all(path)
    assert decoded.kinds == [None, None]
    assert not np.any(track(decoded)) and decoded.facts.sound_is_silent is True


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_a_track_of_noise_for_a_decoder_costs_no_picture(tmp_path, numbered, name):
    path = tmp_path / name
    videos.run_ffmpeg("-i", numbered, "-c", "copy", "-bsf:a", "noise=amount=1", path)
    decoded = decode_all(path)
    assert decoded.kinds == [None, None] and decoded.numbers == decode_all(numbered).numbers


@pytest.mark.parametrize(("default", "loudness"), [(0, 0.1), (1, 0.8)])
def test_of_several_tracks_the_default_one_is_heard(tmp_path, default, loudness):
    decoded = decode_all(videos.make_two_tracks(tmp_path / "v.mkv", default=default))
    assert np.abs(decoded.clips[0].samples[8000:72_000]).max() == pytest.approx(loudness, rel=0.1)


def test_stereo_is_averaged_so_that_loud_channels_do_not_clip(tmp_path):
    stereo = "0.9*sin(2*PI*440*t)|0.9*sin(2*PI*440*t)"
    path = videos.make_numbered(tmp_path / "v.mkv", n_frames=125, sound=stereo)
    samples = decode_all(path).clips[0].samples
    assert np.abs(samples[8000:72_000]).max() == pytest.approx(0.9, abs=0.03)


def test_digital_silence_is_flagged_and_a_whisper_is_not(tmp_path):
    silent = videos.make_numbered(tmp_path / "silent.mp4", n_frames=125, sound="0")
    facts = decode_all(silent).facts
    assert facts.has_audio is True and facts.sound_is_silent is True
    whisper = videos.make_numbered(
        tmp_path / "whisper.mp4", n_frames=250, sound="0.002*sin(2*PI*440*t)*gte(t,8)"
    )
    assert decode_all(whisper).facts.sound_is_silent is False


@given(
    start_s=st.floats(-2, 2).map(lambda s: round(s, 3)),
    cuts=st.lists(st.integers(1, 40_000), max_size=20),
)
def test_pieces_of_any_size_are_laid_where_they_belong(start_s, cuts):
    stream = np.linspace(0.001, 0.9, 3 * RATE_HZ, dtype=np.float32)
    sound = Sound()
    sound.place(start_s)
    content = stream.tobytes()
    bounds = [0, *np.minimum(np.cumsum(cuts), len(content)).tolist(), len(content)]
    for low, high in itertools.pairwise(bounds):
        sound.feed(content[low:high])
    expected = np.zeros(6 * RATE_HZ, np.float32)
    first = round(start_s * RATE_HZ)
    kept = stream[max(0, -first) :]
    expected[max(0, first) : max(0, first) + len(kept)] = kept
    assert np.array_equal(sound.take(0.0, 1.0), expected[:RATE_HZ])
    sound.drop_before(1.0)
    assert np.array_equal(sound.take(1.0, 6.0), expected[RATE_HZ:])


def test_sound_far_ahead_of_its_picture_is_not_kept_and_missed_where_it_is_needed():
    sound, minute = Sound(), np.full(60 * RATE_HZ, 0.5, np.float32).tobytes()
    sound.place(0.0)
    for _ in range(120):
        sound.feed(minute)
    assert LEAD_S - 60 <= sound.end_s <= LEAD_S and sound.is_cut
    assert not sound.lacks(1000.0) and sound.take(999.0, 1000.0).min() == 0.5
    sound.drop_before(1000.0)
    sound.feed(minute)  # room again, but not for what follows a hole
    assert sound.lacks(LEAD_S + 5.0)
