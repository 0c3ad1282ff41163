"""Reading ffmpeg's log: lines as ffmpeg 9 wrote them, cut at any place."""

from hypothesis import given
from hypothesis import strategies as st

from ah_ray.media.log import DecodeLog

DECODER = b"[vist#0:0/h264 @ 0x55abbf2c6b80] [dec:h264 @ 0x55b1250b3a80] "


def decoded(pts: object, *, key: int = 0, duration: object = 512) -> bytes:
    return (
        DECODER
        + (
            f"decoder -> pts:{pts} pts_time:1 pkt_dts:{pts} pkt_dts_time:1 duration:{duration} "
            f"duration_time:0.04 keyframe:{key} frame_type:1 time_base:1/12800\n"
        ).encode()
    )


START = b"Stream mapping:\n  Stream #0:0 -> #0:0 (h264 (native) -> rawvideo (native))\n"
CORRUPT = DECODER + b"corrupt decoded frame\n"
LOST = DECODER + b"Error submitting packet to decoder: Invalid data found\n"
SELECTED = b"[vf#0:0 @ 0x557ed89dee00] filter_raw -> pts:6656 pts_time:0.52 time_base:1/12800\n"
HEARD = (
    b"[af#1:0 @ 0x557ed8a7eac0] filter_raw -> pts:352800000 pts_time:0.5 time_base:1/705600000\n"
)


def read(*lines: bytes) -> DecodeLog:
    log = DecodeLog()
    log.feed(b"".join([START, *lines]))
    return log


@given(st.integers(1, 300))
def test_lines_may_be_cut_anywhere(size):
    content = (
        START + decoded(12800, key=1) + decoded(13312) + CORRUPT + SELECTED + HEARD + decoded(13824)
    )
    log = DecodeLog()
    for start in range(0, len(content), size):
        log.feed(content[start : start + size])
    assert list(log.times_s) == [1.0, 1.04, 1.08]
    assert (log.first_s, log.n_frames) == (1.0, 3)
    assert abs(log.end_s - 1.12) < 1e-9
    assert list(log.selected_s) == [0.52] and log.sound_starts_s == 0.5
    assert log.damage_in(1.04, 1.08) and not log.damage_in(0.0, 1.04)


def test_damage_lasts_until_a_keyframe():
    log = read(decoded(0, key=1), decoded(512), CORRUPT, decoded(1024), decoded(25600, key=1))
    assert [(damage.start_s, damage.end_s) for damage in log.damages] == [(0.04, 2.0)]
    assert log.damage_in(1.0, 1.5) and not log.damage_in(2.0, 9.0)


def test_a_damaged_keyframe_does_not_heal_itself():
    log = read(decoded(0, key=1), decoded(12800, key=1), CORRUPT, decoded(13312))
    assert log.damage_in(1.0, 1.01) and log.damage_in(100.0, 101.0)
    assert not log.damages[0].is_over


def test_a_lost_packet_is_damage_and_lost_sound_is_not():
    assert read(decoded(0, key=1), LOST).damages
    assert not read(decoded(0, key=1), LOST.replace(b"vist", b"aist")).damages


def test_frames_without_timestamps_follow_the_one_before():
    log = read(decoded(0, key=1), decoded("NOPTS"), decoded("NOPTS", duration="NOPTS"))
    assert [round(time_s, 6) for time_s in log.times_s] == [0.0, 0.04, 0.08]
    assert abs(log.end_s - 0.12) < 1e-9


def test_a_last_frame_of_unknown_duration_lasts_as_long_as_the_one_before():
    log = read(decoded(0, key=1, duration=0), decoded(1280, duration=0))
    assert abs(log.end_s - 0.2) < 1e-9


def test_times_that_go_back_do_not_take_length_away():
    log = read(decoded(12800, key=1), decoded(25600), decoded(0), decoded("NOPTS"))
    assert (log.first_s, log.end_s, list(log.times_s)) == (1.0, 2.04, [1.0, 2.0, 0.0, 0.04])


def test_the_end_of_a_cut_off_file_is_seen():
    assert read(b"[in#0/mov @ 0x55] stream 0, offset 0x4c4b5b: partial file\n").cut_off
    assert not read(b"    title : stream 0, offset 0x4c4b5b: partial file\n").cut_off


def test_another_threads_unfinished_line_hides_nothing():
    unfinished = b"  Stream #0:0: Video: rawvideo"
    bare = [line.split(b"] ")[-1] for line in (decoded(12800, key=1), SELECTED, HEARD, CORRUPT)]
    log = read(*(unfinished + line for line in bare))
    assert (log.first_s, list(log.selected_s), log.sound_starts_s) == (1.0, [0.52], 0.5)
    assert log.damages


def test_what_stands_before_the_mapping_is_the_files_own_and_not_read():
    log = DecodeLog()
    log.feed(b"    title : " + decoded(0, key=1) + CORRUPT + START)
    assert log.first_s is None and not log.damages
