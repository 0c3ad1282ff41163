"""Recordings made at test time, each with one property that a real recorder gives: see `RECIPES`.

A recipe makes a small file with known truth (numbers in its pictures, beeps in its sound) and
states what is right for it, as `recordings/cases.yaml` does. Here: changes of format and of clocks,
packets with wrong times, tracks far apart. `odd_recordings.py` has tracks, edit lists, shapes and
damage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import edit_flv as flv
import edit_matroska as mkv
import edit_ts as ts
import numbered_sessions as made
from numbered_sessions import session
from recording_cases import Case

SECONDS = 12.0
TS_OPTIONS = ("-muxdelay", "0", "-muxpreload", "0", "-output_ts_offset")
PICTURE_PID, SOUND_PID = 0x100, 0x101


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a recording is made, and what is right for it."""

    make: Callable[[Path], Path]
    case: Case
    quick: bool = False  # part of the default tests


RECIPES: dict[str, Recipe] = {}


def recipe(
    name: str, make: Callable[[Path], Path], *, quick: bool = False, **right: object
) -> None:
    """Register a recording. What is not stated is a session of 12 s, right in every way."""
    assert name not in RECIPES, name
    right.setdefault("size_px", made.SIZE_PX)
    right.setdefault("duration_s", SECONDS)
    if "numbers" not in right:
        spans = right.get("sessions") or [(0, right["duration_s"])]
        right["numbers"] = [(round(25 * a), round(25 * b)) for a, b in spans]
    RECIPES[name] = Recipe(make, Case(file=name, **right), quick)


def no_sound() -> dict[str, object]:
    return {"sound": None, "has_audio": False, "sound_is_silent": True}


# ── The format of the picture changes (parts 1 and 2) ───────────────────────────────────────────

Sizes = Sequence[tuple[float, tuple[int, int]]]  # (from that second, size)


def _spans(changes: Sequence[tuple], seconds: float) -> list[tuple]:
    ends = [change[0] for change in changes[1:]] + [seconds]
    return [(*change, end) for change, end in zip(changes, ends, strict=True)]


def sizes_webm(folder: Path, *, sizes: Sizes, video=made.VP8, circle: bool = False) -> Path:
    """WebM of one track whose size changes, as every WebRTC recorder writes."""
    parts = [
        mkv.read(
            session(
                folder, "webm", true_s=begin, seconds=end - begin, size_px=size, video=video,
                sound=None, circle=circle,
            )
        )
        for begin, size, end in _spans(sizes, SECONDS)
    ]  # fmt: skip
    pictures = [
        block.moved(round(1000 * begin))
        for part, (begin, _) in zip(parts, sizes, strict=True)
        for block in part.blocks
    ]
    if circle:
        return mkv.write(folder / "out.webm", parts[0].tracks, pictures, like=parts[0])
    track, sound = sound_track(folder, "webm", made.OPUS)
    blocks = mkv.in_time(pictures, sound)
    return mkv.write(folder / "out.webm", [parts[0].tracks[0], track], blocks, like=parts[0])


def sound_track(
    folder: Path, ending: str, codec: Sequence[str], **settings: object
) -> tuple[bytes, list[mkv.Block]]:
    """The element and the blocks of a sound track of number 2."""
    heard = mkv.read(
        session(folder, ending, video=None, sound=codec, **{"seconds": SECONDS, **settings})
    )
    track = mkv.with_field(heard.tracks[0], "d7", b"\2")
    return track, [replace(block, track=2) for block in heard.blocks]


def pictures_mkv(folder: Path, *, parts: Sequence[tuple[float, dict[str, object]]]) -> Path:
    """Matroska of one H.264 track whose parameter sets change in the stream."""
    read = [
        mkv.read(session(folder, "mkv", true_s=begin, seconds=end - begin, sound=None, **settings))
        for begin, settings, end in _spans(parts, SECONDS)
    ]
    pictures = []
    for part, (begin, _) in zip(read, parts, strict=True):
        private = mkv.field(part.tracks[0], "63a2")
        blocks = [
            mkv.with_parameter_sets(block, private) if block.key else block for block in part.blocks
        ]
        pictures += [block.moved(round(1000 * begin)) for block in blocks]
    track, sound = sound_track(folder, "mkv", made.AC3)
    blocks = mkv.in_time(pictures, sound)
    return mkv.write(folder / "out.mkv", [read[0].tracks[0], track], blocks, like=read[0])


def joined_ts(
    folder: Path,
    *,
    parts: Sequence[tuple[float, dict[str, object]]],
    times_s: Sequence[float] | None = None,
    seconds: float = SECONDS,
    counters_follow: bool = True,
) -> Path:
    """A transport stream of several parts; `times_s` are what its clock shows at their begin."""
    spans = _spans(parts, seconds)
    times_s = times_s or [begin for begin, *_ in spans]
    sources = [
        session(
            folder, "ts", true_s=begin, seconds=end - begin,
            options=(*TS_OPTIONS, str(10 + at), *settings.get("more", ())),
            **{name: value for name, value in settings.items() if name != "more"},
        )
        for (begin, settings, end), at in zip(spans, times_s, strict=True)
    ]  # fmt: skip
    return ts.join(folder / "out.ts", sources, counters_follow=counters_follow)


_P180, _P360, _P90 = (320, 180), (640, 360), (160, 90)
_CHANGES: dict[str, tuple[Sizes, tuple[int, int]]] = {
    "at 1 s": ([(0, _P180), (1, _P360)], _P360),
    "at 2.4 s": ([(0, _P180), (2.4, _P360)], _P360),
    "at 5 s": ([(0, _P360), (5, _P90)], _P90),
    "at 11 s": ([(0, _P180), (11, _P360)], _P180),
    "four times": ([(0, _P90), (2, _P180), (4.4, _P360), (6, _P180), (10, _P90)], _P180),
    "to the upright": ([(0, (320, 180)), (7, (180, 320))], (320, 180)),
}
for _what, (_sizes, _size) in _CHANGES.items():
    _right = {"size_px": _size, "remarks": ["size_changes"]}
    recipe(
        f"size changes {_what}, webm",
        partial(sizes_webm, sizes=_sizes),
        **_right,
    )
    _parts = [(begin, {"size_px": size}) for begin, size in _sizes]
    recipe(f"size changes {_what}, mkv", partial(pictures_mkv, parts=_parts), **_right)
    recipe(
        f"size changes {_what}, ts",
        partial(joined_ts, parts=_parts),
        quick=_what == "at 2.4 s",
        **_right,
    )
recipe(
    "size changes within vp9",
    partial(sizes_webm, sizes=_CHANGES["at 2.4 s"][0], video=made.VP9),
    size_px=_P360,
    remarks=["size_changes"],
)
for _name, _size in {"upright": ((240, 320), (320, 240)), "wide": ((640, 360), (320, 240))}.items():
    recipe(
        f"a circle, size changes, {_name} first",
        partial(sizes_webm, sizes=[(0, _size[0]), (4.4, _size[1])], circle=True),
        content="circle",
        size_px=_size[1],
        remarks=["size_changes"],
        **no_sound(),
    )

_PIXELS = {
    "4:4:4": {"pixels": "yuv444p"},
    "4:2:2": {"pixels": "yuv422p"},
    "10 bit": {"pixels": "yuv420p10le"},
    "full range": {"options": ("-color_range", "pc", "-colorspace", "bt709")},
    "other matrix": {"options": ("-colorspace", "smpte170m", "-color_primaries", "smpte170m")},
}
for _what, _settings in _PIXELS.items():
    recipe(
        f"pixels become {_what}, mkv",
        partial(pictures_mkv, parts=[(0, {}), (3.2, _settings), (8, {})]),
        quick=_what == "4:4:4",
    )
    _more = {"more": _settings["options"]} if "options" in _settings else _settings
    recipe(f"pixels become {_what}, ts", partial(joined_ts, parts=[(0, {}), (3.2, _more), (8, {})]))

for _degrees, _back in {90: "transpose=1", 180: "hflip,vflip"}.items():
    # Marked in the stream itself, at each picture that stands alone: so each does.
    _mark = f"h264_metadata=display_orientation=insert:rotate={_degrees}"
    _turned = ("-g", "1", "-vf", _back, "-bsf:v", _mark)
    recipe(
        f"turned by {_degrees} in mid-stream",
        partial(joined_ts, parts=[(0, {}), (4.4, {"more": _turned})]),
        may_fail=[(11.9, 99)],  # the stream ends in a mark without a picture
        remarks_allowed=["size_changes"],
    )

# ── The format of the sound changes (part 3) ────────────────────────────────────────────────────


def _as_channels(n: int, begin: float) -> list[str]:
    """Beeps in all channels of mono and stereo, in the centre alone of 5.1."""
    if n < 6:
        return [made.beeps(begin)] * n
    return ["0", "0", made.beeps(begin), "0", "0", "0"]


def sound_changes(
    folder: Path, ending: str, *, parts: Sequence[tuple[float, float, int, int]]
) -> Path:
    """Sound of several parts (from, to, Hz, channels) under 12 s of pictures."""
    codec = {"ts": made.AAC, "mkv": made.AC3, "flv": made.AAC}[ending]
    kinds = {
        "ts": ("ts", (*TS_OPTIONS, "10")), "mkv": ("mkv", ()), "flv": ("flv", ()),
    }[ending]  # fmt: skip
    sounds = [
        session(
            folder, kinds[0], true_s=begin, seconds=end - begin, video=None, sound=codec,
            rate_hz=rate_hz, channels=_as_channels(n, begin),
            options=(*TS_OPTIONS, str(10 + begin), "-mpegts_start_pid", "0x101")
            if ending == "ts" else (),
        )
        for begin, end, rate_hz, n in parts
    ]  # fmt: skip
    out = folder / f"out.{ending}"
    if ending == "ts":
        return _interleaved_ts(folder, sounds, out)
    pictures = session(folder, ending, sound=None)
    if ending == "flv":
        tags = flv.read(pictures)
        heard_tags = [
            tag.moved(round(1000 * begin))
            for sound, (begin, end, *_) in zip(sounds, parts, strict=True)
            for tag in flv.read(sound)
            if tag.ms < 1000 * (end - begin)
        ]
        return flv.write(out, in_order(tags, heard_tags))
    shown = mkv.read(pictures)
    blocks: list[mkv.Block] = []
    for sound, (begin, *_) in zip(sounds, parts, strict=True):
        heard = mkv.read(sound)
        blocks += [replace(b, track=2).moved(round(1000 * begin)) for b in heard.blocks]
    track = mkv.with_field(mkv.read(sounds[0]).tracks[0], "d7", b"\2")
    return mkv.write(out, [shown.tracks[0], track], in_order(shown.blocks, blocks), like=shown)


def in_order(pictures: Sequence, sounds: Sequence) -> list:
    """Return packets by their times; the order of each track stays, wherever its clock goes."""
    timed, latest = [], 0
    for each in (pictures, sounds):
        latest = 0
        for packet in each:
            latest = max(latest, packet.ms)
            timed.append((latest, len(timed), packet))
    return [packet for *_, packet in sorted(timed, key=lambda entry: entry[:2])]


def _interleaved_ts(folder: Path, sounds: Sequence[Path], out: Path) -> Path:
    """One stream of pictures and sounds: the pictures' tables name the sound of a silent twin."""
    twin = session(folder, "ts", options=(*TS_OPTIONS, "10"))
    pictures = ts.without(twin, folder / "pictures.ts", pid=SOUND_PID)
    return ts.merge(out, pictures, [ts.only(s, pid=SOUND_PID) for s in sounds])


_SOUNDS: dict[str, list[tuple[float, float, int, int]]] = {
    "48k, 44.1k, 48k": [(0, 4, 48_000, 1), (4, 8, 44_100, 1), (8, 12, 48_000, 1)],
    "32k, 48k": [(0, 5.5, 32_000, 1), (5.5, 12, 48_000, 1)],
    "mono, stereo, 5.1": [(0, 4, 48_000, 1), (4, 8, 48_000, 2), (8, 12, 48_000, 6)],
    "5.1, mono": [(0, 6.5, 48_000, 6), (6.5, 12, 48_000, 1)],
    "a gap of 2.5 s, then 44.1k": [(0, 4.5, 48_000, 1), (7, 12, 44_100, 1)],
    "a gap of 2.5 s, then stereo": [(0, 4.5, 48_000, 1), (7, 12, 48_000, 2)],
    "a gap of 2.5 s": [(0, 4.5, 48_000, 1), (7, 12, 48_000, 1)],
    "an overlap of 0.4 s, then 44.1k": [(0, 6.7, 48_000, 1), (6.3, 12, 44_100, 1)],
    "ten changes": [(float(n), n + 1.0, (48_000, 44_100)[n % 2], 1 + n % 2) for n in range(12)],
}
for _what, _sounds in _SOUNDS.items():
    for _ending in ("ts", "mkv", "flv"):
        if _ending == "flv" and any(part[3] > 2 for part in _sounds):
            continue  # of FLV's own: mono and stereo
        _heard = [[0, 0]]
        if "gap" in _what:
            _heard = [[0, 0], [4.5, None], [7, 7]]
        recipe(
            f"sound: {_what}, {_ending}",
            partial(sound_changes, ending=_ending, parts=_sounds),
            quick=(_what, _ending)
            in {
                ("48k, 44.1k, 48k", "ts"),
                ("mono, stereo, 5.1", "mkv"),
                ("a gap of 2.5 s, then 44.1k", "flv"),
            },
            sound=_heard,
        )

# ── Clocks that go back, sessions joined (part 4) ───────────────────────────────────────────────


def joined_flv(folder: Path, *, times_s: Sequence[float], true_s: Sequence[float]) -> Path:
    tags = []
    for at_s, begin, end in zip(times_s, true_s, [*true_s[1:], SECONDS], strict=True):
        source = session(folder, "flv", true_s=begin, seconds=end - begin)
        tags += [tag.moved(round(1000 * at_s)) for tag in flv.read(source)]
    return flv.write(folder / "out.flv", tags)


def joined_webm(
    folder: Path, *, times_s: Sequence[float], true_s: Sequence[float], headers: bool
) -> Path:
    """Sessions of a browser; with `headers`, whole files are joined."""
    pieces, blocks, first = [], [], None
    for at_s, begin, end in zip(times_s, true_s, [*true_s[1:], SECONDS], strict=True):
        source = session(
            folder, "webm", true_s=begin, seconds=end - begin, video=made.VP8, sound=made.OPUS
        )
        read = mkv.read(source)
        first = first or read
        moved = [block.moved(round(1000 * at_s)) for block in read.blocks]
        blocks += moved
        if headers:
            piece = mkv.write(folder / "piece.webm", read.tracks, moved, like=read)
            pieces.append(piece.read_bytes())
    out = folder / "out.webm"
    if headers:
        out.write_bytes(b"".join(pieces))
        return out
    return mkv.write(out, first.tracks, blocks, like=first)


def joined_fmp4(folder: Path, *, times_s: Sequence[float], true_s: Sequence[float]) -> Path:
    pieces = [
        session(
            folder, "mp4", true_s=begin, seconds=end - begin,
            options=(
                "-movflags", "frag_keyframe+empty_moov+default_base_moof",
                "-output_ts_offset", str(at_s),
            ),
        ).read_bytes()
        for at_s, begin, end in zip(times_s, true_s, [*true_s[1:], SECONDS], strict=True)
    ]  # fmt: skip
    out = folder / "out.mp4"
    out.write_bytes(b"".join(pieces))
    return out


_CLOCKS: dict[str, tuple[list[float], list[float]]] = {  # what clocks show, what is true
    "0.3 s back": ([0, 5.7], [0, 6]),
    "4 s back": ([0, 2], [0, 6]),
    "back to zero": ([0, 0], [0, 6]),
    "back to zero, early": ([0, 0], [0, 2.4]),
    "back to zero, late": ([0, 0], [0, 9.2]),
    "three sessions": ([0, 0, 0], [0, 4, 8]),
    "three sessions, falling": ([8, 4, 0], [0, 4, 8]),
}
for _what, (_times, _true) in _CLOCKS.items():
    _ends = [*_true[1:], SECONDS]
    _right = {
        "sessions": [(a, b) for a, b in zip(_true, _ends, strict=True)],
        "duration_tolerance_s": 0.2 * len(_true),
        "may_fail": [(_true[1], 1e4)],
        "remarks": ["clock_restarts"],
    }
    _makes = {
        "flv": partial(joined_flv, times_s=_times, true_s=_true),
        "webm": partial(joined_webm, times_s=_times, true_s=_true, headers=True),
        "webm, one header": partial(joined_webm, times_s=_times, true_s=_true, headers=False),
        "fragments": partial(joined_fmp4, times_s=_times, true_s=_true),
        "ts": partial(joined_ts, parts=[(begin, {}) for begin in _true], times_s=_times),
    }
    # libav loses the first fragment behind a second index: 2 s of pictures, or all of a session.
    _late = [(b + 2 * (n > 0), e) for n, (b, e) in enumerate(_right["sessions"])]
    for _container, _make in _makes.items():
        _also = {"or_sessions": _late} if _container == "fragments" else {}
        recipe(
            f"clock: {_what}, {_container}",
            _make,
            quick=(_what, _container)
            in {("back to zero", "flv"), ("4 s back", "ts"), ("three sessions", "webm")},
            **_right,
            **_also,
        )
recipe(
    "a gap of 8 s, ts",
    partial(joined_ts, parts=[(0, {}), (6, {})], times_s=[0, 14]),
    duration_s=20.0,
    pictures=[[0, 0], [6, None], [14, 6]],
    sound=[[0, 0], [6, None], [14, 6]],
    numbers=[(0, 300)],
)

# ── Single packets with wrong times (part 5) ────────────────────────────────────────────────────

_BASE_MS = 10_000  # what the clock shows at the first picture, so that a time may go back


def outliers_webm(
    folder: Path, *, track: int, first: int, count: int, shift_s: float, ending: str = "webm"
) -> Path:
    """One to three packets whose times are far ahead or back; `first` may count from the end."""
    video, sound = (made.VP8, made.OPUS) if ending == "webm" else (made.H264, made.AAC)
    read = mkv.read(session(folder, ending, video=video, sound=sound))
    own = read.of(track)
    begin = first % len(own) if first >= 0 else len(own) + first
    wrong = {id(block) for block in own[begin : begin + count]}
    blocks = [
        block.moved(_BASE_MS + (round(1000 * shift_s) if id(block) in wrong else 0))
        for block in read.blocks
    ]
    return mkv.write(folder / f"out.{ending}", read.tracks, blocks, like=read)


def outliers_ts(folder: Path, *, pid: int, first: int, count: int, shift_s: float) -> Path:
    source = session(folder, "ts", options=(*TS_OPTIONS, "10"))
    shifts = {first + n: shift_s for n in range(count)}
    return ts.shift_packets(source, folder / "out.ts", pid=pid, shifts_s=shifts)


def outliers_flv(folder: Path, *, kind: int, first: int, count: int, shift_s: float) -> Path:
    n, tags = -1, []
    for tag in flv.read(session(folder, "flv")):
        n += tag.kind == kind
        wrong = tag.kind == kind and first <= n < first + count
        tags.append(tag.moved(_BASE_MS + (round(1000 * shift_s) if wrong else 0)))
    return flv.write(folder / "out.flv", tags)


_SHIFTS = {"20 s ahead": 20.0, "an hour ahead": 3600.0, "5 s back": -5.0}
_TRACKS = {"picture": (1, {"first": 0, "middle": 155, "last": -1}),
           "sound": (2, {"first": 0, "middle": 301, "last": -1})}  # fmt: skip
for _kind, (_track, _places) in _TRACKS.items():
    for _what, _shift_s in _SHIFTS.items():
        for (_place, _first), _count in product(_places.items(), (1, 3)):
            _right: dict[str, object] = {
                "off_s": 0.04 * (_count + 1),
                "duration_tolerance_s": 0.15 + 0.04 * _count,
            }
            if _count == 3:
                _right["remarks_allowed"] = ["clock_restarts", "sound_outside_picture"]
            if (_kind, _place, _count) == ("picture", "first", 3):
                # Times may count from the first of the pictures, or from the first behind them.
                _right |= {"pictures": [[0, 0.06]], "sound": [[0, 0.06]]}
            if (_place, _count) == ("last", 3):
                _right["may_fail"] = [(11.8, 12.5)]
            recipe(
                f"{_place} {_count} of {_kind} {_what}, webm",
                partial(
                    outliers_webm,
                    track=_track,
                    first=_first - (_count - 1) * (_first < 0),
                    count=_count,
                    shift_s=_shift_s,
                ),
                quick=((_place, _count) == ("middle", 1) and _shift_s == 20.0)
                or (_place, _count, _what) == ("first", 1, "5 s back"),
                **_right,
            )
for _what, _shift_s in _SHIFTS.items():
    _lost = {"off_s": 0.12, "duration_tolerance_s": 0.2, "beeps_optional": [(6, 7)]}
    recipe(
        f"a picture {_what}, mkv",
        partial(outliers_webm, track=1, first=120, count=1, shift_s=_shift_s, ending="mkv"),
        **_lost,
    )
    recipe(
        f"a picture {_what}, ts",
        partial(outliers_ts, pid=PICTURE_PID, first=120, count=1, shift_s=_shift_s),
        **_lost,
    )
    recipe(
        f"a packet of sound {_what}, ts",
        partial(outliers_ts, pid=SOUND_PID, first=40, count=1, shift_s=_shift_s),
        **{**_lost, "beeps_optional": [(0, 13)]},
    )
    for _kind, _number in {"picture": flv.PICTURE, "sound": flv.SOUND}.items():
        recipe(
            f"one of {_kind} {_what}, flv",
            partial(outliers_flv, kind=_number, first=280, count=1, shift_s=_shift_s),
            **_lost,
        )

# ── Picture and sound far apart in the file (part 6) ────────────────────────────────────────────


def stretches_mkv(folder: Path, *, stretch_s: float, sound_first: bool) -> Path:
    """Stretches of one track, then of the other."""
    read = mkv.read(long_session(folder, "mkv", (*made.MP3,)))
    size = round(1000 * stretch_s)
    last = max(block.ms for block in read.blocks)
    order = (2, 1) if sound_first else (1, 2)
    blocks = [
        block
        for begin in range(0, last + 1, size)
        for track in order
        for block in read.of(track)
        if begin <= block.ms < begin + size
    ]
    return mkv.write(folder / "out.mkv", read.tracks, blocks, like=read)


def long_session(folder: Path, ending: str, sound: Sequence[str]) -> Path:
    """65 s at five pictures a second, so that it stays small."""
    return session(
        folder, ending, seconds=65.0, fps="5", size_px=_P90, sound=sound,
        video=("-c:v", "mpeg4", "-q:v", "4") if ending == "avi" else made.H264,
    )  # fmt: skip


LONG = {
    "duration_s": 65.0,
    "size_px": _P90,
    "frame_s": 0.2,
    "numbers": [(0, 1625, 5)],
    "duration_tolerance_s": 0.25,
}
for _stretch_s in (25.0, 30.0, 65.0):
    for _sound_first in (False, True):
        _order = "sound first" if _sound_first else "picture first"
        recipe(
            f"stretches of {_stretch_s:g} s, {_order}, mkv",
            partial(stretches_mkv, stretch_s=_stretch_s, sound_first=_sound_first),
            quick=_stretch_s == 65.0 and not _sound_first,
            **LONG,
        )
