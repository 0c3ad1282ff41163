"""More recipes: tracks and their flags, edit lists, shapes, rates, codecs, damage."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import edit_flv as flv
import edit_matroska as mkv
import edit_mp4 as mp4
import numbered_sessions as made
import videos
from generated_recordings import LONG, TS_OPTIONS, long_session, no_sound, recipe
from numbered_sessions import session

VIDEO_OF = {"webm": made.VP8, "avi": made.MPEG4, "mpg": made.MPEG2}
SOUND_OF = {"webm": made.OPUS, "avi": made.MP3, "mpg": ("-c:a", "mp2")}


def plain(folder: Path, ending: str, **settings: object) -> Path:
    """A session in the usual codecs of a container."""
    settings = {
        "video": VIDEO_OF.get(ending, made.H264),
        "sound": SOUND_OF.get(ending, made.AAC),
        **settings,
    }
    if ending == "ts":
        settings["options"] = (*TS_OPTIONS, "10", *settings.get("options", ()))
    return session(folder, ending, **settings)


def exactly(numbers: Sequence[int]) -> list[tuple[int, int]]:
    return [(number, number + 1) for number in sorted(set(numbers))]


# ── Picture and sound far apart in the file, other containers (part 6) ──────────────────────────


def stretches_av(folder: Path, ending: str, *, stretch_s: float, sound_first: bool) -> Path:
    """Return a file that holds stretches of one track and of the other in turn."""
    source = long_session(folder, ending, SOUND_OF.get(ending, made.AAC))
    out = folder / f"out.{ending}"
    with (
        av.open(str(source)) as read,
        av.open(str(out), "w", options={"max_interleave_delta": "1"}) as written,
    ):
        streams = {
            stream.index: written.add_stream_from_template(stream) for stream in read.streams
        }
        packets = [packet for packet in read.demux() if packet.dts is not None]

        def place(packet: av.Packet) -> tuple[float, int]:
            at_s = float((packet.dts or 0) * packet.time_base)
            is_sound = packet.stream.type == "audio"
            return max(0.0, at_s) // stretch_s, is_sound != sound_first

        for packet in sorted(packets, key=place):
            packet.stream = streams[packet.stream.index]
            written.mux(packet)
    return out


for _ending in ("mp4", "avi"):
    for _stretch_s in (30.0, 65.0):
        for _order, _first in (("picture", False), ("sound", True)):
            recipe(
                f"stretches of {_stretch_s:g} s, {_order} first, {_ending}",
                partial(stretches_av, ending=_ending, stretch_s=_stretch_s, sound_first=_first),
                **LONG,
            )

# ── Last samples that last long (part 7) ────────────────────────────────────────────────────────


def long_last(folder: Path, *, seconds: float, edits: bool = True, **settings: object) -> Path:
    source = mp4.with_last_duration(
        session(folder, "mp4", **settings), folder / "last.mp4", seconds
    )
    if edits:
        return source
    return mp4.edit(
        source,
        folder / "out.mp4",
        lambda name, track, content: None if (name, track) == (b"edts", 0) else content,
    )


for _seconds in (20, 60, 3600):
    recipe(
        f"the last picture lasts {_seconds} s against the edit list",
        partial(long_last, seconds=_seconds),
        quick=_seconds == 20,
    )
    recipe(
        f"the last picture lasts {_seconds} s against the edit list, no sound",
        partial(long_last, seconds=_seconds, sound=None),
        **no_sound(),
    )
recipe(
    "the last picture lasts 15 s while the voice goes on, no edit list",
    partial(long_last, seconds=15.04, edits=False, sound_s=(0.0, 27.0)),
    duration_s=27.0,
    duration_tolerance_s=15.1,  # or the picture ends, and the rest of the sound is remarked on
    numbers=[(0, 300)],
    unscored_sound_s=(0.0, 15.5),
    remarks_allowed=["sound_outside_picture"],
)

# ── Sound that no clip holds (part 8) ───────────────────────────────────────────────────────────

for _ending in ("mp4", "mkv", "webm", "ts", "flv", "mpg", "avi"):
    recipe(
        f"camera off at 12 s, sound to 27 s, {_ending}",
        partial(plain, ending=_ending, sound_s=(0.0, 27.0)),
        quick=_ending == "ts",
        unscored_sound_s=(14.5, 15.5),
        remarks=["sound_outside_picture"],
        off_s=0.1 if _ending in ("avi", "mpg") else 0.0,
    )
    if _ending != "avi":  # which has no time at which a track begins
        recipe(
            f"sound from 4.3 s, {_ending}",
            partial(plain, ending=_ending, sound_s=(4.3, 12.0)),
            sound=[[0, None], [4.3, 4.3]],
            off_s=0.1 if _ending in ("avi", "mpg") else 0.0,
        )
    recipe(
        f"sound to 7.2 s, {_ending}",
        partial(plain, ending=_ending, sound_s=(0.0, 7.2)),
        sound=[[0, 0], [7.2, None]],
        off_s=0.1 if _ending in ("avi", "mpg") else 0.0,
    )
for _ending in ("mp4", "mkv", "webm", "ts", "flv"):
    recipe(
        f"camera on at 8 s, {_ending}",
        partial(plain, ending=_ending, true_s=8.0, seconds=6.0, sound_s=(0.0, 14.0)),
        quick=_ending == "mkv",
        duration_s=6.0,
        pictures=[[0, 8]],
        sound=[[0, 8]],
        numbers=[(200, 350)],
        unscored_sound_s=(7.5, 8.5),
        remarks=["sound_outside_picture"],
    )
    recipe(
        f"camera on at 8 s, off at 14 s, sound to 22 s, {_ending}",
        partial(plain, ending=_ending, true_s=8.0, seconds=6.0, sound_s=(0.0, 22.0)),
        duration_s=6.0,
        pictures=[[0, 8]],
        sound=[[0, 8]],
        numbers=[(200, 350)],
        unscored_sound_s=(15.0, 17.0),
        remarks=["sound_outside_picture"],
    )

recipe(
    "camera off after one picture, sound to 15 s",
    partial(plain, ending="mp4", seconds=0.04, sound_s=(0.0, 15.0)),
    duration_s=0.04,
    numbers=[(0, 1)],
    unscored_sound_s=(14.5, 15.1),
    remarks=["sound_outside_picture"],
    error_kinds=["no_video"],
    sound_is_silent=True,  # so it is in that one picture's time
)

# ── Sound that cannot be used, or has no layout (parts 9 and 11) ────────────────────────────────


def many_channels(folder: Path, *, ending: str, n: int, codec: Sequence[str]) -> Path:
    """Channels without a layout; the beeps are in every other one."""
    channels = [made.beeps() if k % 2 == 0 else "0" for k in range(n)]
    return session(
        folder, ending, sound=codec, channels=channels, video=VIDEO_OF.get(ending, made.H264)
    )


_BARE_OPUS = (*made.OPUS[:2], "-b:a", "512k", "-mapping_family", "255")
for _n in (3, 4, 9, 16):
    for _ending in ("mkv", "webm"):
        recipe(
            f"Opus of {_n} channels without a layout, {_ending}",
            partial(many_channels, ending=_ending, n=_n, codec=_BARE_OPUS),
            quick=(_n, _ending) == (9, "mkv"),
        )
    for _ending in ("mkv", "mov"):
        recipe(
            f"PCM of {_n} channels, {_ending}",
            partial(many_channels, ending=_ending, n=_n, codec=made.PCM),
            quick=(_n, _ending) == (16, "mov"),
        )


def two_sounds(folder: Path, ending: str, **settings: object) -> Path:
    """The same sound in two tracks."""
    return plain(folder, ending, options=("-map", "0", "-map", "1", "-map", "1"), **settings)


def unknown_sound(
    folder: Path, *, ending: str, tracks: Sequence[int], name: bytes, sounds: int = 1
) -> Path:
    """Sound tracks (2, 3) whose codec nobody decodes."""
    make = two_sounds if sounds == 2 else plain
    path = make(folder, ending)
    for track in tracks:
        out = folder / f"unknown-{track}.{ending}"
        if ending == "mkv":
            read = mkv.read(path)
            changed = list(read.tracks)
            changed[track - 1] = mkv.with_field(read.tracks[track - 1], "86", name)
            path = mkv.write(out, changed, read.blocks, like=read)
        else:
            path = mp4.with_codec_name(path, out, track=track - 1, name=name)
    return path


_UNHEARD = {"sound": None, "has_audio": None, "sound_is_silent": True}
for _ending, _names in {
    "mp4": (b"ac-4", b"mhm1", b"apac", b"zzzz", b"\0\0\0\1"),
    "mov": (b"apac", b"dtse"),
    "mkv": (b"A_AC4", b"A_MPEGH", b"A_NOBODY/KNOWS"),
}.items():
    for _name in _names:
        _what = _name.decode("latin-1").replace("\0", "0").replace("\1", "1").replace("/", " ")
        recipe(
            f"only sound is {_what}, {_ending}",
            partial(unknown_sound, ending=_ending, tracks=[2], name=_name),
            quick=_name == b"mhm1",
            remarks=["sound_undecodable"],
            **_UNHEARD,
        )
        recipe(
            f"first sound is {_what}, {_ending}",
            partial(unknown_sound, ending=_ending, tracks=[2], name=_name, sounds=2),
            quick=_name == b"A_AC4",
            remarks=["sound_from_another_track"],
            remarks_allowed=["sound_undecodable"],
        )
        recipe(
            f"second sound is {_what}, {_ending}",
            partial(unknown_sound, ending=_ending, tracks=[3], name=_name, sounds=2),
        )
    recipe(
        f"both sounds are unknown, {_ending}",
        partial(unknown_sound, ending=_ending, tracks=[2, 3], name=_names[0], sounds=2),
        remarks=["sound_undecodable"],
        **_UNHEARD,
    )

_PHASES = {
    "exactly": [made.beeps(), f"-({made.beeps()})"],
    "nearly": [made.beeps(), f"-0.97*({made.beeps()})"],
    "softly": [made.beeps(level=0.1), f"-({made.beeps(level=0.1)})"],
    "with noise": [f"{made.beeps()}+0.002*random(0)", f"-({made.beeps()})+0.002*random(1)"],
}
for _how, _channels in _PHASES.items():
    for _ending, _codec in {
        "mp4": made.AAC, "webm": made.OPUS, "avi": made.MP3, "mov": made.PCM, "mkv": made.AC3,
    }.items():  # fmt: skip
        recipe(
            f"channels opposite, {_how}, {_ending}",
            partial(plain, ending=_ending, channels=_channels, sound=_codec),
            quick=(_how, _ending) == ("nearly", "webm"),
            remarks=["channels_opposite"],
            off_s=0.1 if _ending == "avi" else 0.0,
        )
recipe(
    "one channel is silent",
    partial(plain, ending="mp4", channels=[made.beeps(), "0"]),
)
recipe("stereo in phase", partial(plain, ending="mp4", channels=[made.beeps(), made.beeps()]))

# ── Which track (part 10) ───────────────────────────────────────────────────────────────────────


def two_pictures_mkv(folder: Path, *, flags: Sequence[dict[str, int]]) -> Path:
    """Screen (numbers from 2500 on), camera and sound; flags: 88 is default, b9 enabled."""
    screen = mkv.read(session(folder, "mkv", true_s=100.0, sound=None))
    camera = mkv.read(session(folder, "mkv"))
    tracks = [screen.tracks[0], *camera.tracks]
    for at, wanted in enumerate(flags):
        track = mkv.with_field(tracks[at], "d7", bytes([at + 1]))
        track = mkv.with_field(track, "73c5", bytes([at + 1] * 4))
        for name, value in {"88": 0, "b9": 1, **wanted}.items():
            track = mkv.with_field(track, name, bytes([value]))
        tracks[at] = track
    own = [replace(block, track=block.track + 1) for block in camera.blocks]
    return mkv.write(folder / "out.mkv", tracks, mkv.in_time(screen.blocks, own), like=camera)


def two_pictures_mp4(folder: Path, *, flags: dict[int, int]) -> Path:
    """Screen and camera in an MP4; tracks that are not enabled are not played."""
    screen, camera = session(folder, "mp4", true_s=100.0, sound=None), session(folder, "mp4")
    both = folder / "both.mp4"
    videos.run_ffmpeg(
        *("-i", screen, "-i", camera, "-map", "0:v", "-map", "1:v", "-map", "1:a"),
        *("-c", "copy", both),
    )
    return mp4.with_track_flags(both, folder / "out.mp4", flags)


_SOUND_FLAGS = {"88": 1}
_CAMERA, _SCREEN = {"numbers": [(0, 300)]}, {"numbers": [(2500, 2800)], "pictures": [[0, 100]]}
recipe(
    "the camera is default, mkv",
    partial(two_pictures_mkv, flags=[{}, {"88": 1}, _SOUND_FLAGS]),
    quick=True,
    **_CAMERA,
)
recipe(
    "the screen is not enabled, mkv",
    partial(two_pictures_mkv, flags=[{"b9": 0}, {"88": 1}, _SOUND_FLAGS]),
    **_CAMERA,
)
recipe(
    "both pictures are default, mkv",
    partial(two_pictures_mkv, flags=[{"88": 1}, {"88": 1}, _SOUND_FLAGS]),
    **_SCREEN,
)
recipe(
    "no picture is default, mkv", partial(two_pictures_mkv, flags=[{}, {}, _SOUND_FLAGS]), **_SCREEN
)
recipe(
    "the screen is not enabled, mp4",
    partial(two_pictures_mp4, flags={0: 2, 1: 3}),
    quick=True,
    **_CAMERA,
)
recipe("the camera is not enabled, mp4", partial(two_pictures_mp4, flags={0: 3, 1: 2}), **_SCREEN)
recipe("both pictures are enabled, mp4", partial(two_pictures_mp4, flags={0: 3, 1: 3}), **_SCREEN)
recipe("no picture is enabled, mp4", partial(two_pictures_mp4, flags={0: 2, 1: 2}), **_SCREEN)

# ── Time bases, joined movies, encryption (part 12) ─────────────────────────────────────────────

for _scale in (25, 600, 1000, 90_000, 1_000_000, 10_000_000, 705_600_000):
    recipe(
        f"time base 1/{_scale}, mp4",
        partial(plain, ending="mp4", options=("-video_track_timescale", str(_scale))),
        quick=_scale == 705_600_000,
    )


def joined_mp4(folder: Path, *, tail: bytes | None = None, **second: object) -> Path:
    first = session(folder, "mp4").read_bytes()
    out = folder / "out.mp4"
    rest = tail if tail is not None else session(folder, "mp4", true_s=20.0, **second).read_bytes()
    out.write_bytes(first + rest)
    return out


recipe("two mp4s joined", joined_mp4, quick=True, remarks=["second_movie"])
recipe(
    "two mp4s joined, the second of another size",
    partial(joined_mp4, size_px=(640, 360)),
    remarks=["second_movie"],
)
recipe("zeros follow the movie", partial(joined_mp4, tail=bytes(50_000)))
recipe("rubbish follows the movie", partial(joined_mp4, tail=b"\xd5rubbish" * 5000))
recipe(
    "a free box follows the movie",
    partial(joined_mp4, tail=struct.pack(">I4s", 5008, b"free") + bytes(5000)),
)


def encrypted(folder: Path, *, tracks: Sequence[int]) -> Path:
    """Some tracks are marked as encrypted (CENC), and their samples are scrambled."""
    source = session(folder, "mp4")
    data = bytearray(source.read_bytes())
    stbl = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
    tree = mp4.boxes(bytes(data))
    for track in tracks:
        for at, size in mp4.sample_places(tree, stbl, track):
            data[at : at + size] = bytes(byte ^ 0x5A for byte in data[at : at + size])
    scrambled = folder / "scrambled.mp4"
    scrambled.write_bytes(bytes(data))
    return mp4.with_protection(scrambled, folder / "out.mp4", tracks=tracks)


def encrypted_by_ffmpeg(folder: Path) -> Path:
    key = "76a6c65c5ea762046bd749a2e632ccbb"
    return session(
        folder, "mp4",
        options=("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key,
                 "-encryption_kid", key),
    )  # fmt: skip


_ENCRYPTED = {
    "error_kinds": ["unreadable", "refused", "decode", "no_video"],
    "error_says": "encrypted",
}
recipe("sound is encrypted", partial(encrypted, tracks=[1]), quick=True,
       remarks=["sound_encrypted"], **_UNHEARD)  # fmt: skip
recipe("picture is encrypted", partial(encrypted, tracks=[0]), quick=True, **_ENCRYPTED)
recipe("picture and sound are encrypted", partial(encrypted, tracks=[0, 1]), **_ENCRYPTED)
recipe("all is encrypted by ffmpeg", encrypted_by_ffmpeg, quick=True, **_ENCRYPTED)

# ── Shapes: pixel aspect, rotation (part 13) ────────────────────────────────────────────────────


def turned(folder: Path, *, degrees: int, mirrored: bool = False, sar: str = "1") -> Path:
    """Stored turned or mirrored, and marked so: upright for whoever reads the mark."""
    back = {0: "null", 90: "transpose=1", 180: "transpose=1,transpose=1", 270: "transpose=2"}
    chain = ("hflip," if mirrored else "") + back[degrees] + f",setsar={sar}"
    source = session(folder, "mp4", options=("-vf", chain))
    out = folder / "out.mp4"
    marks = ["-display_rotation:v", str(degrees)] + (["-display_hflip:v"] if mirrored else [])
    videos.run_ffmpeg(*marks, "-i", source, "-map", "0", "-c", "copy", out)
    return out


for _degrees in (0, 90, 180, 270):
    for _mirrored in (False, True):
        recipe(
            f"turned by {_degrees}{', mirrored' if _mirrored else ''}",
            partial(turned, degrees=_degrees, mirrored=_mirrored),
            quick=(_degrees, _mirrored) == (270, True),
        )
for _ending in ("mp4", "mkv", "ts", "avi", "mov", "mpg"):
    for _sar, _size in {"2": (640, 180), "1/2": (160, 180), "4/3": (480, 180)}.items():
        if _ending == "mpg" and _sar != "4/3":
            continue  # of MPEG-2's own: a few aspects of the whole picture
        _settings = {"size_px": (360, 180)} if _sar == "4/3" else {}
        if _ending == "mpg":
            _settings, _sar, _size = {"size_px": (360, 270)}, "4/3", (480, 270)
        recipe(
            f"pixels of {_sar.replace('/', ' to ')}, {_ending}",
            partial(plain, ending=_ending, options=("-vf", f"setsar={_sar}"), **_settings),
            quick=(_ending, _sar) == ("ts", "2"),
            size_px=_size,
            off_s=0.1 if _ending in ("avi", "mpg") else 0.0,
        )
recipe("turned by 90, pixels of 2", partial(turned, degrees=90, sar="1/2"), size_px=(320, 90))

for _name, _ending, _coded, _size in (
    ("NTSC", "mp4", ((720, 480), "8/9"), (640, 480)),
    ("HDV", "ts", ((1440, 1080), "4/3"), (1920, 1080)),
):
    recipe(
        f"pixels of {_name}",
        partial(
            plain, ending=_ending, seconds=4.0, size_px=_coded[0],
            options=("-vf", f"setsar={_coded[1]}"),
        ),
        size_px=_size,
        duration_s=4.0,
    )  # fmt: skip
_VP9_BEST = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "6", "-b:v", "2M")
for _matrix in ("bt709", "smpte170m", "bt2020nc"):
    for _full in (False, True):
        for _ending, _codec, _pixels in (
            ("mp4", made.H264, "yuv420p"),
            ("webm", _VP9_BEST, "yuv420p"),
            ("mkv", made.H264, "yuv444p"),
            ("mov", made.HEVC, "yuv420p10le"),
        ):
            recipe(
                f"colours, {_matrix}, {'full' if _full else 'limited'} range, {_ending}",
                partial(
                    made.colour_chart, ending=_ending, matrix=_matrix, full_range=_full,
                    codec=_codec, pixels=_pixels,
                ),
                content="chart",
                size_px=(320, 240),
                duration_s=2.0,
                **no_sound(),
            )  # fmt: skip

# ── Rates, lengths ──────────────────────────────────────────────────────────────────────────────

for _fps in ("1", "2", "5", "10", "12", "15", "24", "24000/1001", "30", "30000/1001", "50",
             "60", "120", "240"):  # fmt: skip
    for _ending in ("mp4", "mkv"):
        recipe(
            f"{_fps.replace('/', ' to ')} pictures a second, {_ending}",
            partial(plain, ending=_ending, fps=_fps),
            frame_s=float(1 / Fraction(_fps)),
            off_s=0.065,
            numbers=exactly(made.numbers(0.0, 12.0, _fps)),
            duration_tolerance_s=0.1,
        )
for _what, _keep in {
    "random": "gt(random(7),0.6)",
    "stalls": "not(between(mod(t,4),1,3.2))",
    "a burst, then few": "lt(t,3)+not(mod(n,40))",
    "one long stall": "not(between(t,2.02,9.5))",
}.items():
    for _ending in ("mp4", "mkv", "webm"):
        recipe(
            f"variable rate, {_what}, {_ending}",
            partial(
                plain,
                ending=_ending,
                options=("-vf", f"select='{_keep}'", "-fps_mode", "passthrough"),
            ),
            quick=(_what, _ending) == ("stalls", "webm"),
            numbers=None,
            duration_tolerance_s=1.7,
            unscored_sound_s=(0.0, 1.7),
            remarks_allowed=["sound_outside_picture"],
        )
for _n in (1, 2, 3, 5, 7, 10):
    for _ending in ("mp4", "webm", "ts"):
        recipe(
            f"{_n} pictures, {_ending}",
            partial(plain, ending=_ending, seconds=_n / 25),
            duration_s=_n / 25,
            numbers=[(0, _n)],
            sound_is_silent=True,
            error_kinds=["no_video"] if _n == 1 else (),
        )

# ── Edit lists ──────────────────────────────────────────────────────────────────────────────────

Edits = dict[int, Sequence[tuple[float, float | None]]]


def both(entries: Sequence[tuple[float, float | None]]) -> Edits:
    """Return the same edits for picture and sound."""
    return {0: entries, 1: entries}


def edited(folder: Path, *, edits: Edits, video: Sequence[str] = made.H264) -> Path:
    return mp4.with_edits(session(folder, "mp4", video=video), folder / "out.mp4", edits)


for _codec, _video in {"": made.H264, ", B-pictures": made.H264_B}.items():
    recipe(
        f"edits: the first 3.2 s cut off{_codec}",
        partial(edited, edits={0: [(8.8, 3.2)], 1: [(8.8, 3.2)]}, video=_video),
        duration_s=8.8,
        pictures=[[0, 3.2]],
        sound=[[0, 3.2]],
        numbers=[(80, 300)],
    )
    recipe(
        f"edits: sound 2 s later{_codec}",
        partial(edited, edits={1: [(2.0, None), (10.0, 0.0)]}, video=_video),
        sound=[[0, None], [2, 0]],
    )
    recipe(
        f"edits: picture 3 s later{_codec}",
        partial(edited, edits={0: [(3.0, None), (9.0, 0.0)]}, video=_video),
        duration_s=9.0,
        sound=[[0, 3]],
        numbers=[(0, 225)],
        unscored_sound_s=(2.5, 3.5),
        remarks=["sound_outside_picture"],
    )
    recipe(
        f"edits: 5 to 8 s cut out{_codec}",
        partial(edited, edits=both([(5.0, 0.0), (4.0, 8.0)]), video=_video),
        quick=not _codec,
        duration_s=9.0,
        pictures=[[0, 0], [5, 8]],
        sound=[[0, 0], [5, 8]],
        numbers=[(0, 300)],
    )
    recipe(
        f"edits: the first 4 s again{_codec}",
        partial(edited, edits=both([(8.0, 0.0), (4.0, 0.0)]), video=_video),
        pictures=[[0, 0], [8, 0]],
        sound=[[0, 0], [8, 0]],
        numbers=[(0, 200)],
    )
    recipe(
        f"edits: nothing for 3 s in the middle{_codec}",
        partial(
            edited,
            edits={
                0: [(5.0, 0.0), (3.0, None), (4.0, 5.0)],
                1: [(5.0, 0.0), (3.0, None), (4.0, 5.0)],
            },
            video=_video,
        ),
        pictures=[[0, 0], [5, None], [8, 5]],
        sound=[[0, 0], [5, None], [8, 5]],
        numbers=[(0, 225)],
        may_fail=[(5, 8)],
    )

# ── Codecs and containers ───────────────────────────────────────────────────────────────────────

_VORBIS, _MP2 = ("-c:a", "libvorbis"), ("-c:a", "mp2")
_CODECS: dict[str, tuple[str, Sequence[str], Sequence[str], dict[str, object]]] = {
    "H.264 with B-pictures": ("mp4", made.H264_B, made.AAC, {}),
    "H.264 with B-pictures, mkv": ("mkv", made.H264_B, made.MP3, {}),
    "H.264 with B-pictures, ts": ("ts", made.H264_B, made.AAC, {}),
    "HEVC": ("mp4", made.HEVC, made.AAC, {}),
    "AV1": ("mp4", videos.AV1, made.AAC, {}),
    "VP9": ("webm", made.VP9, _VORBIS, {}),
    "MPEG-4 without times": ("avi", made.MPEG4, made.MP3, {"off_s": 0.1}),
    "H.264 without times": ("avi", made.H264_B, made.MP3, {"off_s": 0.1}),
    "Motion JPEG": ("avi", ("-c:v", "mjpeg", "-q:v", "6"), made.PCM, {"pixels": "yuvj420p"}),
    "MPEG-2": ("mpg", made.MPEG2, _MP2, {"off_s": 0.1}),
    "MPEG-2, ts": ("ts", made.MPEG2, _MP2, {"off_s": 0.1}),
    "Windows Media": ("wmv", ("-c:v", "wmv2", "-q:v", "4"), ("-c:a", "wmav2"), {}),
    "Theora": ("ogv", ("-c:v", "libtheora", "-q:v", "6"), _VORBIS, {}),
    "H.263": (
        "3gp", ("-c:v", "h263"), ("-c:a", "libopencore_amrnb", "-ar", "8000", "-ac", "1"),
        {"size_px": (176, 144), "shown_px": (192, 144)},  # pixels of 12 to 11, as H.263 has them
    ),
    "Sorenson": ("flv", ("-c:v", "flv", "-q:v", "4"), (*made.MP3, "-ar", "44100"), {}),
    "ProRes": (
        "mov", ("-c:v", "prores_ks", "-profile:v", "0"), made.PCM, {"pixels": "yuv422p10le"},
    ),
    "FFV1": ("mkv", ("-c:v", "ffv1"), ("-c:a", "flac"), {}),
    "fragments": (
        "mp4", made.H264, made.AAC,
        {"options": ("-movflags", "frag_keyframe+empty_moov+default_base_moof")},
    ),
}  # fmt: skip
for _what, (_ending, _video, _sound, _more) in _CODECS.items():
    _settings = {name: _more[name] for name in _more if name not in ("off_s", "shown_px")}
    recipe(
        f"{_what}, plain",
        partial(plain, ending=_ending, video=_video, sound=_sound, **_settings),
        size_px=_more.get("shown_px", made.SIZE_PX),
        off_s=_more.get("off_s", 0.0),
        duration_tolerance_s=0.15,
    )

# ── Damage ──────────────────────────────────────────────────────────────────────────────────────


def damaged(folder: Path, ending: str, *, at: float, n_bytes: int) -> Path:
    """Zeros where pictures and sound were."""
    data = bytearray(plain(folder, ending).read_bytes())
    begin = int(at * len(data))
    data[begin : begin + n_bytes] = bytes(n_bytes)
    out = folder / f"out.{ending}"
    out.write_bytes(bytes(data))
    return out


def cut_short(folder: Path, ending: str, *, share: float, **settings: object) -> Path:
    data = plain(folder, ending, **settings).read_bytes()
    out = folder / f"out.{ending}"
    out.write_bytes(data[: int(share * len(data))])
    return out


for _ending in ("mp4", "mkv", "webm", "ts", "flv", "avi", "mpg"):
    _loose = {"off_s": 0.1} if _ending in ("avi", "mpg") else {}
    # FLV has no mark of what was lost; AVI has no times, and all that follows is early.
    _lost = {"numbers": None, "beeps_optional": [(5, 8)]} if _ending == "flv" else {}
    if _ending != "avi":
        recipe(
            f"zeros in the middle, {_ending}",
            partial(damaged, ending=_ending, at=0.5, n_bytes=3000),
            quick=_ending == "ts",
            may_fail=[(3, 9)],
            **_loose,
            **_lost,
        )
    if _ending != "mp4":
        recipe(
            f"cut short, {_ending}",
            partial(cut_short, ending=_ending, share=0.6),
            duration_s=7.2,
            duration_tolerance_s=2.0,
            numbers=[(0, 300)],
            may_fail=[(5, 1e4)],
            **_loose,
        )
recipe(
    "cut short, mp4 without its index",
    partial(cut_short, ending="mp4", share=0.6),
    error_kinds=["unreadable"],
)
recipe(
    "cut short, mp4 with its index in front",
    partial(cut_short, ending="mp4", share=0.6, options=("-movflags", "+faststart")),
    quick=True,
    duration_tolerance_s=6.0,
    numbers=[(0, 300)],
    may_fail=[(5, 1e4)],
)


def flv_without_length(folder: Path) -> Path:
    return flv.write(folder / "out.flv", flv.read(session(folder, "flv")))


recipe("FLV without a script of its length", flv_without_length)
