"""Sound at its true place: second 0 is the first picture's, silence where there is none."""

from collections import deque
from fractions import Fraction

import numpy as np
import pytest
import videos
from av.audio.frame import AudioFrame
from decoding import decode_all
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.media.caged.sound import _Joiner, _mix_weights
from ah_ray.profile import SOUND_HZ as RATE_HZ

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


def block(samples: np.ndarray, *, rate_hz: int = RATE_HZ, layout: str = "mono") -> AudioFrame:
    """Return a decoded block of sound: `samples` are `[channels, n] float32`."""
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
    frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
    return frame


def joined(*blocks: tuple[float | None, AudioFrame], seconds: float) -> tuple[np.ndarray, _Joiner]:
    """Return what is heard in the first seconds of these blocks, each with its time."""
    pieces: deque = deque()
    joiner = _Joiner(pieces)
    for start_s, one in blocks:
        joiner.add(start_s, one)
    joiner.flush()
    heard = np.zeros(round(seconds * RATE_HZ), np.float32)
    for piece in pieces:
        low, high = max(0, piece.start), min(len(heard), piece.end)
        if low < high:
            heard[low:high] = piece.samples[low - piece.start : high - piece.start]
    return heard, joiner


@given(
    start_s=st.floats(-2, 2).map(lambda s: round(s, 3)),
    sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=20),
    jitter_ms=st.lists(st.integers(-20, 20), min_size=20, max_size=20),
)
def test_blocks_that_follow_each_other_are_laid_end_to_end(start_s, sizes, jitter_ms):
    stream = np.linspace(0.001, 0.9, sum(sizes), dtype=np.float32)
    blocks, at = [], 0
    for size, late_ms in zip(sizes, jitter_ms, strict=False):
        late_s = late_ms / 1000 if at else 0.0
        time_s = start_s + at / RATE_HZ + late_s
        blocks.append((time_s, block(stream[None, at : at + size])))
        at += size
    heard, _ = joined(*blocks, seconds=20)
    first = round(start_s * RATE_HZ)
    kept = stream[max(0, -first) :]
    expected = np.zeros_like(heard)
    expected[max(0, first) : max(0, first) + len(kept)] = kept
    assert np.array_equal(heard, expected)


@given(st.lists(st.floats(0.07, 3.0), min_size=1, max_size=5), st.sampled_from([RATE_HZ, 48_000]))
def test_a_gap_is_as_long_as_the_times_of_the_blocks_say(gaps_s, rate_hz):
    second = np.full((1, rate_hz), 0.5, np.float32)
    starts_s = np.cumsum([0.0, *(1.0 + gap for gap in gaps_s)])
    heard, _ = joined(*((t, block(second, rate_hz=rate_hz)) for t in starts_s), seconds=25)
    at = np.arange(len(heard)) / RATE_HZ
    is_sound = np.zeros(len(heard), bool)
    edge = np.zeros(len(heard), bool)
    for start_s in starts_s:
        is_sound |= (at >= start_s) & (at < start_s + 1)
        edge |= (np.abs(at - start_s) < 0.003) | (np.abs(at - start_s - 1) < 0.003)
    assert np.abs(heard[is_sound & ~edge] - 0.5).max() < 0.05
    assert np.abs(heard[~is_sound & ~edge]).max(initial=0) < 0.05


FORMATS = st.tuples(st.sampled_from([8000, 16_000, 44_100, 48_000]), st.sampled_from([1, 2, 6]))


@given(st.lists(FORMATS, min_size=1, max_size=6))
def test_changes_of_rate_and_channels_shift_nothing(formats):
    blocks = []
    for second, (rate_hz, n_channels) in enumerate(formats):
        at = np.arange(rate_hz) / rate_hz
        pulse = np.where(at < 0.1, 0.5 * np.sin(2 * np.pi * 500 * at), 0).astype(np.float32)
        layout = {1: "mono", 2: "stereo", 6: "5.1"}[n_channels]
        samples = np.tile(pulse, (n_channels, 1))
        blocks.append((float(second), block(samples, rate_hz=rate_hz, layout=layout)))
    heard, _ = joined(*blocks, seconds=len(formats))
    for second in range(len(formats)):
        part = np.abs(heard[second * RATE_HZ : (second + 1) * RATE_HZ])
        assert np.argmax(part > 0.05) / RATE_HZ < 0.003
        assert part.max() == pytest.approx(0.5, abs=0.08)
        assert part[round(0.11 * RATE_HZ) : -80].max() < 0.02


def test_a_block_far_back_is_laid_where_its_time_says_and_none_is_lost():
    one, other = (np.full((1, RATE_HZ), level, np.float32) for level in (0.25, 0.5))
    heard, _ = joined((2.0, block(one)), (0.5, block(other)), seconds=4)
    assert heard[RATE_HZ // 2 : RATE_HZ * 3 // 2].min() == 0.5
    assert heard[2 * RATE_HZ : 3 * RATE_HZ].min() == 0.25


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_channels_in_opposite_phase_are_heard_as_the_louder_one(noise):
    at = np.arange(RATE_HZ) / RATE_HZ
    tone = (0.5 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)
    left = tone + noise * np.random.default_rng(1).standard_normal(RATE_HZ).astype(np.float32)
    heard, joiner = joined((0.0, block(np.stack([left, -tone]), layout="stereo")), seconds=1)
    assert joiner.is_opposite and np.abs(heard).max() == pytest.approx(0.5, abs=0.1)
    _, joiner = joined((0.0, block(np.stack([left, tone]), layout="stereo")), seconds=1)
    assert not joiner.is_opposite


@pytest.mark.parametrize(
    ("names", "n", "expected"),
    [
        (("FC",), 1, [1]),
        (("FL", "FR"), 2, [1 / 2] * 2),
        ((), 9, [1 / 9] * 9),
        (("AMBI0", "AMBI1", "AMBI2", "AMBI3"), 4, [1 / 4] * 4),
    ],
)
def test_channels_weigh_alike_where_nothing_is_known_of_their_places(names, n, expected):
    assert _mix_weights(names, n).tolist() == pytest.approx(expected)


def test_the_centre_of_surround_sound_is_in_front_and_its_bass_is_left_out():
    weights = _mix_weights(("FL", "FR", "FC", "LFE", "BL", "BR"), 6)
    assert weights.sum() == pytest.approx(1) and weights.argmax() == 2 and weights[3] == 0
    assert (weights[[0, 1, 4, 5]] > 0).all()
