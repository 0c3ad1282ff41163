"""Which frames of real encoded videos reach a clip: their numbers are read from the pixels."""

import numpy as np
import pytest
import videos
from decoding import decode_all

from ah_ray.media.frames import frame_count


def reference(times_s: np.ndarray, duration_s: float) -> list[list[int]]:
    """What the reference picks from each full window of frames with these times."""
    numbers = []
    for start_s in np.arange(0.0, duration_s - 3 + 1e-6, 5.0):
        end_s = min(start_s + 5.0, duration_s)
        inside = np.flatnonzero((times_s >= start_s - 1e-6) & (times_s < end_s - 1e-6))
        n_wanted = frame_count(end_s - start_s, 2.0, 4)
        places = np.linspace(0, len(inside) - 1, n_wanted).round().astype(int)
        numbers.append(inside[places].tolist())
    return numbers


@pytest.mark.parametrize("name", ["mp4", "mkv", "ts", "avi"])
@pytest.mark.parametrize("fps", [24, 25, 30])
def test_picks_equal_the_references_at_the_usual_rates(tmp_path, fps, name):
    path = videos.make_numbered(tmp_path / f"v.{name}", n_frames=int(13.4 * fps), fps=str(fps))
    decoded = decode_all(path)
    n_frames = int(13.4 * fps)
    assert decoded.numbers == reference(np.arange(n_frames) / fps, n_frames / fps)
    assert decoded.facts.duration_s == pytest.approx(n_frames / fps, abs=0.002)
    assert decoded.facts.fps == pytest.approx(fps, rel=1e-3)


@pytest.mark.parametrize(
    ("fps", "seconds"),
    [("30000/1001", 11), ("24000/1001", 11), ("50", 11), ("60000/1001", 11), ("120", 6)],
)
def test_picks_of_other_constant_rates_are_within_one_frame(tmp_path, fps, seconds):
    rate = videos.rate_fps(fps)
    n_frames = int(seconds * rate)
    path = videos.make_numbered(tmp_path / "v.mp4", n_frames=n_frames, fps=fps)
    decoded = decode_all(path)
    expected = reference(np.arange(n_frames) / rate, n_frames / rate)
    assert len(decoded.numbers) == len(expected)
    for ours, theirs in zip(decoded.numbers, expected, strict=True):
        assert np.abs(np.subtract(ours, theirs)).max() <= 1


def test_slow_videos_show_all_their_frames(tmp_path):
    one_a_second = videos.make_numbered(tmp_path / "one.mp4", n_frames=12, fps="1")
    assert decode_all(one_a_second).numbers == [[0, 1, 2, 3, 4, 4], [5, 6, 7, 8, 9, 9]]
    twelve = videos.make_numbered(tmp_path / "twelve.mp4", n_frames=60, fps="12")
    assert decode_all(twelve).numbers == reference(np.arange(60) / 12, 5.0)


VARIABLE = {
    "jitter": ("N*40+8*mod(N*N\\,7)", lambda n: n * 40 + 8 * (n * n % 7)),
    "bursts": ("N*20+700*floor(N/40)", lambda n: n * 20 + 700 * (n // 40)),
    "long pauses": ("N*10+2400*floor(N/60)", lambda n: n * 10 + 2400 * (n // 60)),
}


@pytest.mark.parametrize("kind", VARIABLE)
def test_picks_at_a_variable_rate_are_the_nearest_frames_or_those_that_stand(tmp_path, kind):
    expression, time_ms = VARIABLE[kind]
    path = videos.make_numbered(tmp_path / "v.mkv", n_frames=300, pts_ms=expression)
    times_s = np.array([time_ms(n) for n in range(300)]) / 1000
    decoded = decode_all(path)
    assert len(decoded.clips) >= 2
    for clip, numbers in zip(decoded.clips, decoded.numbers, strict=True):
        inside = times_s[(times_s >= clip.start_s) & (times_s < clip.end_s)]
        n_wanted = frame_count(clip.end_s - clip.start_s, 2.0, 4)
        one_frame_s = np.median(np.diff(inside))
        for ideal_s, number in zip(
            np.linspace(clip.start_s, clip.end_s - one_frame_s, n_wanted), numbers, strict=True
        ):
            nearest = np.abs(times_s - ideal_s).argmin()
            standing = np.searchsorted(times_s, ideal_s + 1e-6, side="right") - 1
            is_near = abs(times_s[nearest] - ideal_s) <= one_frame_s
            assert abs(number - (nearest if is_near else standing)) <= 1


def test_a_window_whose_pictures_come_late_shows_the_one_that_stands_until_then(tmp_path):
    # 7 frames in the first 5 s: one at its start, and six in its last second; then 25 fps
    path = videos.make_numbered(
        tmp_path / "v.mkv", n_frames=140, pts_ms="if(eq(N\\,0)\\,0\\,4000+N*160*lt(N\\,7))"
        "+gte(N\\,7)*(1000+(N-7)*40)",
    )  # fmt: skip
    assert decode_all(path).numbers[0] == [0, 0, 0, 0, 0, 0, 0, 0, 2, 5]


def test_a_window_without_a_new_frame_shows_the_picture_that_stands(tmp_path):
    path = videos.make_numbered(
        tmp_path / "v.mkv", n_frames=60, pts_ms="if(lt(N\\,50)\\,N*40\\,11000+(N-50)*400)"
    )
    assert decode_all(path).numbers[1] == [49] * 10


def test_overlapping_windows_share_frames(tmp_path, numbered):
    decoded = decode_all(numbered, hop_s=2.0)
    expected = np.linspace(0, 124, 10).round().astype(int)
    assert [clip.start_s for clip in decoded.clips] == [0, 2, 4, 6, 8]
    for index, numbers in enumerate(decoded.numbers[:4]):
        assert numbers == (expected + 50 * index).tolist()
    assert decoded.numbers[4] == (200 + np.linspace(0, 99, 8).round()).astype(int).tolist()


def test_a_tail_that_is_moved_back_gets_its_own_picks(numbered):
    decoded = decode_all(numbered, tail="shift")
    assert (decoded.clips[-1].start_s, decoded.clips[-1].end_s) == (7.0, 12.0)
    assert decoded.numbers[-1] == (175 + np.linspace(0, 124, 10).round()).astype(int).tolist()


@pytest.mark.parametrize("container", ["ts", "mp4"])
def test_windows_count_from_the_first_picture(tmp_path, container):
    path = videos.make_late_start(tmp_path / f"v.{container}", offset_s=77.7, sound=videos.TONE)
    decoded = decode_all(path)
    assert decoded.numbers[:2] == reference(np.arange(250) / 25, 10.0)
    assert decoded.facts.duration_s == pytest.approx(12.0, abs=0.01)


def test_an_edit_list_hides_what_lies_before_the_cut(tmp_path, numbered):
    decoded = decode_all(videos.make_trimmed(tmp_path / "v.mp4", numbered, start_s=3.0))
    assert decoded.facts.duration_s == pytest.approx(9.0, abs=0.05)
    expected = [(75 + np.array(n)).tolist() for n in reference(np.arange(225) / 25, 9.0)]
    for ours, theirs in zip(decoded.numbers, expected, strict=True):
        assert np.abs(np.subtract(ours, theirs)).max() <= 1


def test_a_browsers_recording_has_no_duration(tmp_path):
    path = videos.make_numbered(
        tmp_path / "v.webm",
        codec=videos.VP8_LIVE,
        pts_ms="N*40+7*mod(N\\,3)",
        sound=videos.TONE,
        live=True,
    )
    decoded = decode_all(path)
    assert decoded.facts.duration_s == pytest.approx(12.0, abs=0.05)
    expected = reference(np.arange(300) / 25, 12.0)
    for ours, theirs in zip(decoded.numbers, expected, strict=False):
        assert np.abs(np.subtract(ours, theirs)).max() <= 1


FORMATS = {
    "odd size": {"size_px": (319, 241), "pixel_format": "yuv444p"},
    "odd size, subsampled": {"size_px": (319, 241), "codec": videos.VP9},
    "10 bit": {"pixel_format": "yuv420p10le"},
    "4:4:4": {"pixel_format": "yuv444p"},
    "AV1": {"codec": videos.AV1},
    "AV1 10 bit": {"codec": videos.AV1, "pixel_format": "yuv420p10le"},
    "VP9": {"codec": videos.VP9},
    "MPEG-4": {"codec": videos.MPEG4},
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats(tmp_path, name):
    settings = dict(FORMATS[name])
    decoded = decode_all(videos.make_numbered(tmp_path / "v.mp4", n_frames=125, **settings))
    assert decoded.numbers == reference(np.arange(125) / 25, 5.0)
    size_px = settings.get("size_px", (320, 240))
    assert (decoded.facts.width_px, decoded.facts.height_px) == size_px


def test_b_frames_in_avi_without_timestamps(tmp_path):
    path = videos.make_numbered(tmp_path / "v.avi", n_frames=125, codec=videos.MPEG4)
    assert decode_all(path).numbers == reference(np.arange(125) / 25, 5.0)


@pytest.mark.parametrize("degrees", [90, -90, 180])
def test_rotation_is_applied(tmp_path, numbered, degrees):
    decoded = decode_all(videos.make_rotated(tmp_path / "v.mp4", numbered, degrees=degrees))
    displayed = (320, 240) if degrees == 180 else (240, 320)
    assert (decoded.facts.width_px, decoded.facts.height_px) == displayed
    # the metadata turns the picture counter-clockwise; turning it back makes it readable
    upright = [np.rot90(frame, -degrees // 90) for frame in decoded.clips[0].frames]
    expected = np.linspace(0, 124, 10).round().astype(int).tolist()
    assert [videos.read_number(np.ascontiguousarray(frame)) for frame in upright] == expected
