"""More recipes: what phones, browsers, cameras, gateways and screen recorders write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import edit_avi as avi
import edit_flv as flv
import edit_matroska as mkv
import edit_mp4 as mp4
import numbered_sessions as made
import videos
from generated_recordings import (
    SECONDS,
    TS_OPTIONS,
    joined_flv,
    joined_ts,
    no_sound,
    recipe,
)
from numbered_sessions import session
from odd_recordings import plain

FRAGMENTS = ("-movflags", "frag_keyframe+empty_moov+default_base_moof")

# ── The picture changes: a second header, another shape of its pixels ───────────────────────────


def sizes_flv(folder: Path, *, sizes: Sequence[tuple[float, tuple[int, int]]]) -> Path:
    """A stream to a server (RTMP) whose sender changes its size: a second header in mid-stream."""
    ends = [begin for begin, _ in sizes[1:]] + [SECONDS]
    tags = []
    for (begin, size), end in zip(sizes, ends, strict=True):
        part = session(folder, "flv", true_s=begin, seconds=end - begin, size_px=size, sound=None)
        tags += [tag.moved(round(1000 * begin)) for tag in flv.read(part)]
    tags += flv.read(session(folder, "flv", video=None))
    return flv.write(folder / "out.flv", sorted(tags, key=lambda tag: tag.ms))


recipe(
    "size changes by a second header, flv",
    partial(sizes_flv, sizes=[(0, (320, 180)), (2.4, (640, 360))]),
    size_px=(640, 360),
    remarks=["size_changes"],
)
recipe(
    "size changes by a second description, mp4",
    lambda folder: mp4.with_two_descriptions(
        session(folder, "mp4", seconds=5.0, sound=None),
        session(folder, "mp4", true_s=5.0, seconds=7.0, size_px=(640, 360), sound=None),
        folder / "out.mp4",
    ),
    quick=True,
    size_px=(640, 360),
    remarks=["size_changes"],
    **no_sound(),
)
recipe(
    "pixels become oblong in mid-stream, ts",
    partial(joined_ts, parts=[(0, {}), (3.2, {"more": ("-vf", "setsar=2")})]),
    quick=True,
    size_px=(640, 180),
    remarks=["size_changes"],
)

# ── Clocks: wrapped around, or of the day ───────────────────────────────────────────────────────

_WRAP_S = 2**33 / 90_000
for _codec, _video in {"": made.H264, ", B-pictures": made.H264_B}.items():
    recipe(
        f"the clock of 33 bits wraps around at 6 s{_codec}, ts",
        partial(session, ending="ts", video=_video, options=(*TS_OPTIONS, f"{_WRAP_S - 6}")),
    )


def wrapping_flv(folder: Path, *, bits: int) -> Path:
    """Times that count so many bits, and start again at 6 s."""
    base_ms = 2**bits - 6000
    tags = flv.read(session(folder, "flv"))
    wrapped = [replace(tag, ms=(tag.ms + base_ms) % 2**bits) for tag in tags]
    headers = [replace(tag, ms=base_ms) for tag in tags if not tag.ms and len(tag.content) < 60]
    return flv.write(folder / "out.flv", [*headers, *wrapped[len(headers) :]])


for _bits in (24, 32):
    recipe(
        f"the clock of {_bits} bits wraps around at 6 s, flv",
        partial(wrapping_flv, bits=_bits),
        sessions=[(0, 6), (6, 12)],
        duration_tolerance_s=0.4,
        may_fail=[(6, 1e4)],
        remarks_allowed=["clock_restarts"],
    )


for _container, _make in {
    "ts": partial(joined_ts, parts=[(0, {}), (6, {})]), "flv": partial(joined_flv, true_s=[0, 6]),
}.items():  # fmt: skip
    # libav took a clock that went back by more than a minute for one that had wrapped around.
    for _what, _at_s in {"an hour": 3600.0, "20 hours": 72_000.0}.items():
        recipe(
            f"clock: {_what} back, {_container}",
            partial(_make, times_s=[_at_s, 0.0]),
            quick=_what == "an hour",
            sessions=[(0, 6), (6, 12)],
            duration_tolerance_s=0.4,
            remarks=["clock_restarts"],
        )


def of_the_day(folder: Path, *, ending: str) -> Path:
    """Times that count from 1970, as of a live stream."""
    if ending == "mp4":
        return session(folder, "mp4", options=(*FRAGMENTS, "-output_ts_offset", "1700000000"))
    read = mkv.read(session(folder, ending))
    blocks = [block.moved(1_700_000_000_000) for block in read.blocks]
    return mkv.write(folder / f"out.{ending}", read.tracks, blocks, like=read)


for _ending in ("mp4", "mkv"):
    recipe(f"the clock shows seconds since 1970, {_ending}", partial(of_the_day, ending=_ending))


_CODECS = {
    "mpg": (made.MPEG2, ("-c:a", "mp2")),
    "vob": (made.MPEG2, made.AC3),
    "avi": (made.MPEG4, made.MP3),
    "wmv": (("-c:v", "wmv2", "-q:v", "4"), ("-c:a", "wmav2")),
    "ogv": (("-c:v", "libtheora", "-q:v", "6"), ("-c:a", "libvorbis")),
}


def joined_files(folder: Path, *, ending: str) -> Path:
    """Two files of 6 s, one after the other."""
    out = folder / f"out.{ending}"
    video, sound = _CODECS.get(ending, (made.H264, made.AAC))
    settings = {"seconds": 6.0, "video": video, "sound": sound}
    parts = [session(folder, ending, true_s=begin, **settings) for begin in (0.0, 6.0)]
    out.write_bytes(b"".join(part.read_bytes() for part in parts))
    return out


for _ending in ("wmv", "ogv"):  # libav reads the first alone
    recipe(
        f"two files joined, {_ending}",
        partial(joined_files, ending=_ending),
        quick=_ending == "wmv",
        duration_s=6.0,
        remarks=["second_movie"],
    )
for _ending in ("mpg", "vob", "mkv", "avi"):
    recipe(
        f"two files joined, {_ending}",
        partial(joined_files, ending=_ending),
        sessions=[(0, 6), (6, 12)],
        duration_tolerance_s=0.4,
        may_fail=[(6, 1e4)],
        remarks_allowed=["clock_restarts"],
        **({"off_s": 0.1} if _ending in ("avi", "mpg", "vob") else {}),
    )

# ── Packets as gateways stamp and lose them ─────────────────────────────────────────────────────


def bursts(folder: Path, *, ending: str, track: int, every_ms: int) -> Path:
    """Packets that arrive several at a time, and have the time of their arrival."""
    if ending == "flv":
        kind = flv.PICTURE if track == 1 else flv.SOUND
        tags = [
            replace(tag, ms=tag.ms // every_ms * every_ms) if tag.kind == kind else tag
            for tag in flv.read(session(folder, "flv"))
        ]
        return flv.write(folder / "out.flv", tags)
    read = mkv.read(session(folder, ending, video=made.VP8, sound=made.OPUS))
    blocks = [
        replace(block, ms=block.ms // every_ms * every_ms) if block.track == track else block
        for block in read.blocks
    ]
    return mkv.write(folder / f"out.{ending}", read.tracks, blocks, like=read)


for _ending in ("webm", "flv"):
    for _every_ms in (120, 200, 400):
        recipe(
            f"sound arrives every {_every_ms} ms, {_ending}",
            partial(bursts, ending=_ending, track=2, every_ms=_every_ms),
            quick=(_ending, _every_ms) == ("webm", 200),
        )
    recipe(
        f"pictures arrive every 120 ms, {_ending}",
        partial(bursts, ending=_ending, track=1, every_ms=120),
        off_s=0.16,
        duration_tolerance_s=0.2,
        remarks_allowed=["sound_outside_picture"],
    )


def only_spoken(folder: Path) -> Path:
    """Packets of sound where there is some alone (DTX), as Opus is sent."""
    read = mkv.read(session(folder, "webm", video=made.VP8, sound=made.OPUS))
    blocks = [b for b in read.blocks if b.track == 1 or not 200 < b.ms % 1000 < 940]
    return mkv.write(folder / "out.webm", read.tracks, blocks, like=read)


recipe("sound is not sent in pauses, webm", only_spoken)
recipe(
    "every tenth packet of sound is lost, webm",
    lambda folder: _without_blocks(folder, lambda n, block: block.track == 2 and n % 10 == 3),
)
recipe(
    "pictures of 4 to 6 s are lost, up to a key frame, webm",
    lambda folder: _without_blocks(
        folder, lambda n, block: block.track == 1 and 4000 <= block.ms < 6000
    ),
    pictures=[[0, 0], [4, None], [6, 6]],
    numbers=[(0, 100), (150, 300)],
    off_s=0.1,
)


def _without_blocks(folder: Path, is_lost) -> Path:
    read = mkv.read(session(folder, "webm", video=made.VP8, sound=made.OPUS))
    counts = {1: 0, 2: 0}
    kept = []
    for block in read.blocks:
        counts[block.track] += 1
        if not is_lost(counts[block.track], block):
            kept.append(block)
    return mkv.write(folder / "out.webm", read.tracks, kept, like=read)


# ── Key frames that are none ────────────────────────────────────────────────────────────────────


def flagged(folder: Path, *, video: Sequence[str], key: bool, harmed: bool = False) -> Path:
    """All pictures are flagged as key frames, or none is; one of them may be spoilt."""
    read = mkv.read(session(folder, "mkv", video=(*video, "-g", "125")))
    blocks = [replace(b, key=key) if b.track == 1 else b for b in read.blocks]
    if harmed:
        place = [n for n, b in enumerate(blocks) if b.track == 1][40]
        content = blocks[place].content
        spoilt = content[: len(content) // 3] + bytes(len(content) - len(content) // 3)
        blocks[place] = replace(blocks[place], content=spoilt)
    return mkv.write(folder / "out.mkv", read.tracks, blocks, like=read)


for _name, _video in {
    "H.264": made.H264, "B-pictures": made.H264_B, "HEVC": made.HEVC, "VP8": made.VP8,
    "VP9": made.VP9, "AV1": videos.AV1, "MPEG-4": made.MPEG4,
}.items():  # fmt: skip
    recipe(
        f"all are flagged as key frames, {_name}",
        partial(flagged, video=_video, key=True),
    )
    recipe(f"none is flagged as a key frame, {_name}", partial(flagged, video=_video, key=False))
    if _name == "VP8":
        continue  # whose decoder does not notice
    recipe(
        f"all are flagged as key frames, one is spoilt, {_name}",
        partial(flagged, video=_video, key=True, harmed=True),
        may_fail=[(1.5, 5.1)],
        off_s=0.08,
    )


def without_key_frames(folder: Path, *, video: Sequence[str], harmed: bool = False) -> Path:
    """An MP4 that does not list its key frames, so that every picture counts as one."""
    path = session(folder, "mp4", video=(*video, "-g", "125"))
    path = mp4.edit(
        path, folder / "out.mp4", lambda name, _, content: None if name == b"stss" else content
    )
    if harmed:
        data = bytearray(path.read_bytes())
        stbl = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
        at, size = mp4.sample_places(mp4.boxes(bytes(data)), stbl, 0)[40]
        data[at + size // 3 : at + size] = bytes(size - size // 3)
        path.write_bytes(bytes(data))
    return path


for _name, _video in {
    "H.264": made.H264, "B-pictures": made.H264_B, "HEVC": made.HEVC, "VP9": made.VP9,
    "AV1": videos.AV1, "MPEG-4": made.MPEG4,
}.items():  # fmt: skip
    recipe(
        f"key frames are not listed, {_name}, mp4",
        partial(without_key_frames, video=_video),
    )
    recipe(
        f"key frames are not listed, one picture is spoilt, {_name}, mp4",
        partial(without_key_frames, video=_video, harmed=True),
        may_fail=[(1.5, 5.1)],
        off_s=0.08,
    )

# ── Fragments and other structures ──────────────────────────────────────────────────────────────


def fragments(folder: Path, *, order: Sequence[int]) -> Path:
    """A fragmented MP4 (2 s a fragment) of these fragments, in that order."""
    data = session(folder, "mp4", options=FRAGMENTS).read_bytes()
    head, parts = mp4.fragments(data)
    (folder / "out.mp4").write_bytes(head + b"".join(parts[n] for n in order))
    return folder / "out.mp4"


recipe(
    "a fragment is lost",
    partial(fragments, order=[0, 1, 3, 4, 5]),
    pictures=[[0, 0], [4, None], [6, 6]],
    sound=[[0, 0], [4, None], [6, 6]],
    numbers=[(0, 100), (150, 300)],
    off_s=0.1,
    may_fail=[(4, 6)],
)
recipe(
    "a fragment was written twice",
    partial(fragments, order=[0, 1, 2, 2, 3, 4, 5]),
    sessions=[(0, 6), (4, 12)],
    or_sessions=[(0, 12)],
    duration_s=14.0,
    duration_tolerance_s=0.4,
    numbers=[(0, 300)],
    may_fail=[(4, 1e4)],
    remarks_allowed=["clock_restarts", "sound_outside_picture"],
    unscored_sound_s=(0.0, 2.5),
)
recipe(
    "B-pictures without an edit list",
    partial(session, ending="mp4", video=made.H264_B, options=("-use_editlist", "0")),
)
recipe(
    "B-pictures with offsets below zero",
    partial(
        session, ending="mp4", video=made.H264_B,
        options=("-movflags", "+negative_cts_offsets"),
    ),
)  # fmt: skip
recipe("a camcorder's stream, m2ts", partial(plain, ending="m2ts", sound=made.AC3))


def from_mid_stream(folder: Path, *, video: Sequence[str]) -> Path:
    """A capture that began in the middle of a packet, after the first key frame."""
    source = session(folder, "ts", video=video, options=(*TS_OPTIONS, "10", "-pat_period", "0.1"))
    data = source.read_bytes()
    (folder / "out.ts").write_bytes(data[188 * (len(data) // 188 // 24) + 77 :])
    return folder / "out.ts"


for _name, _video in {
    "H.264": made.H264, "B-pictures": made.H264_B, "open groups": (*made.H264_B, "-x264-params",
    "open-gop=1:bframes=3"), "MPEG-2": (*made.MPEG2, "-g", "50"),
    "HEVC": ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
             "log-level=error:pools=1:open-gop=1:keyint=50:min-keyint=50:bframes=3"),
}.items():  # fmt: skip
    recipe(
        f"the recording begins in mid-stream, {_name}, ts",
        partial(from_mid_stream, video=_video),
        duration_s=10.0,
        duration_tolerance_s=0.2,
        pictures=[[0, 2]],
        sound=[[0, 2]],
        numbers=[(50, 300)],
        unscored_sound_s=(0.0, 2.1),
        remarks_allowed=["sound_outside_picture"],
    )


def laced(folder: Path) -> Path:
    """Several packets of sound in one block (lacing)."""
    read = mkv.read(session(folder, "webm", video=made.VP8, sound=made.OPUS))
    sounds = read.of(2)
    groups = [sounds[at : at + 6] for at in range(0, len(sounds), 6)]
    blocks = mkv.in_time(read.of(1), [mkv.laced(group) for group in groups])
    return mkv.write(folder / "out.webm", read.tracks, blocks, like=read)


recipe("six packets of sound in a block, webm", laced)


def vfw_mkv(folder: Path, *, video: Sequence[str]) -> Path:
    """H.264 as Video for Windows has it: with the times of decoding alone."""
    read = mkv.read(session(folder, "mkv", video=video))
    pictures = read.of(1)
    times = sorted(block.ms for block in pictures)
    pictures = [replace(b, ms=ms) for b, ms in zip(pictures, times, strict=True)]
    track = mkv.as_vfw(read.tracks[0], b"H264", made.SIZE_PX)
    blocks = mkv.in_time(pictures, read.of(2))
    return mkv.write(folder / "out.mkv", [track, read.tracks[1]], blocks, like=read)


for _name, _video in {"": made.H264, ", B-pictures": made.H264_B}.items():
    recipe(f"Video for Windows{_name}, mkv", partial(vfw_mkv, video=_video), off_s=0.1)


def dropped_avi(folder: Path) -> Path:
    """Every other picture is an empty chunk: the one before it is shown again."""
    source = session(
        folder, "avi", video=("-c:v", "mjpeg", "-q:v", "6"), sound=made.PCM, pixels="yuvj420p"
    )
    return avi.with_empty_chunks(source, folder / "out.avi", lambda n: n % 2 == 1)


recipe(
    "every other chunk is empty, avi", dropped_avi, numbers=[(0, 300, 2)], off_s=0.1, frame_s=0.08
)
