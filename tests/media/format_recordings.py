"""More recipes: codecs as encoders are set, and formats of pixels and of sound."""

from __future__ import annotations

from functools import partial

import numbered_sessions as made
import videos
from generated_recordings import recipe
from odd_recordings import many_channels, plain

# ── Hidden pictures, and decoding that begins slowly ────────────────────────────────────────────

_SLOW = {
    "VP8 with hidden pictures": (
        "webm", ("-c:v", "libvpx", "-b:v", "400k", "-g", "50", "-auto-alt-ref", "1",
                 "-lag-in-frames", "16", "-arnr-maxframes", "5", "-cpu-used", "5")),
    "VP9 with hidden pictures": (
        "webm", ("-c:v", "libvpx-vp9", "-b:v", "400k", "-g", "50", "-auto-alt-ref", "1",
                 "-lag-in-frames", "16", "-cpu-used", "5", "-deadline", "good")),
    "AV1 with hidden pictures": (
        "mkv", ("-c:v", "libsvtav1", "-preset", "10",
                "-svtav1-params", "lp=1:hierarchical-levels=4")),
    "open groups": ("mkv", (*made.H264_B, "-x264-params", "open-gop=1:bframes=3")),
    "open groups, ts": ("ts", (*made.H264_B, "-x264-params", "open-gop=1:bframes=3")),
    "intra refresh, ts": ("ts", ("-c:v", "libx264", "-preset", "veryfast", "-g", "50",
                                 "-x264-params", "intra-refresh=1:bframes=0")),
    "intra refresh, mkv": ("mkv", ("-c:v", "libx264", "-preset", "veryfast", "-g", "50",
                                   "-x264-params", "intra-refresh=1:bframes=0")),
    "interlaced, ts": ("ts", (*made.H264_B, "-flags", "+ildct+ilme")),
    "interlaced MPEG-2, mpg": ("mpg", (*made.MPEG2, "-flags", "+ildct+ilme")),
    "HEVC, flv": ("flv", made.HEVC),
    "AV1, flv": ("flv", videos.AV1),
}  # fmt: skip
for _name, (_ending, _video) in _SLOW.items():
    recipe(
        f"{_name}, as it is" if "," not in _name else _name,
        partial(plain, ending=_ending, video=_video),
        off_s=0.1 if _ending == "mpg" else 0.0,
    )

# ── Formats of pixels and of sound ──────────────────────────────────────────────────────────────

_PIXELS = {
    "QuickTime animation": ("mov", "qtrle", "rgb24"),
    "QuickTime animation with alpha": ("mov", "qtrle", "argb"),
    "grey animation": ("mov", "qtrle", "gray"),
    "PNG": ("mov", "png", "rgba"),
    "uncompressed": ("avi", "rawvideo", "bgr24"),
    "screen capture": ("avi", "zmbv", "bgr0"),
    "Huffyuv": ("avi", "huffyuv", "yuv422p"),
    "Flash screen": ("flv", "flashsv", "bgr24"),
    "ProRes with alpha": ("mov", "prores_ks", "yuva444p10le"),
    "RGB H.264": ("mkv", "libx264rgb", "bgr24"),
    "grey": ("mkv", "ffv1", "gray10le"),
    "12 bit": ("mkv", "ffv1", "yuv420p12le"),
    "MJPEG 4:4:0": ("mkv", "mjpeg", "yuvj444p"),
    "VP9 with alpha": ("webm", "libvpx-vp9", "yuva420p"),
    "VP9 4:4:4": ("webm", "libvpx-vp9", "yuv444p"),
}
for _name, (_ending, _encoder, _format) in _PIXELS.items():
    _size = (320, 180)
    recipe(
        f"pixels: {_name}, {_ending}",
        partial(
            plain,
            ending=_ending,
            seconds=6.0,
            video=("-c:v", _encoder),
            pixels=_format,
            sound=made.PCM if _ending == "avi" else made.MP3 if _ending == "flv" else
            made.OPUS if _ending == "webm" else made.AAC,
            rate_hz=44_100 if _ending == "flv" else 48_000,
        ),
        duration_s=6.0,
        off_s=0.1 if _ending == "avi" else 0.0,
    )  # fmt: skip
recipe(
    "odd sides, webm",
    partial(plain, ending="webm", size_px=(321, 181), video=made.VP9),
    size_px=(321, 181),
)

_SOUNDS = {
    "wavpack": ("mkv", ("-c:a", "wavpack"), 48_000),
    "alac": ("mov", ("-c:a", "alac"), 44_100),
    "flac of 24 bit": ("mkv", ("-c:a", "flac", "-sample_fmt", "s32"), 96_000),
    "float": ("mov", ("-c:a", "pcm_f32le"), 48_000),
    "double": ("mov", ("-c:a", "pcm_f64le"), 48_000),
    "24 bit": ("mov", ("-c:a", "pcm_s24le"), 48_000),
    "8 bit": ("avi", ("-c:a", "pcm_u8"), 11_025),
    "A-law": ("mov", ("-c:a", "pcm_alaw"), 8_000),
    "IMA": ("mov", ("-c:a", "adpcm_ima_qt"), 44_100),
    "MS-ADPCM": ("avi", ("-c:a", "adpcm_ms"), 22_050),
    "DTS": ("ts", ("-c:a", "dca", "-strict", "-2"), 48_000),
    "E-AC-3": ("ts", ("-c:a", "eac3"), 48_000),
    "Opus": ("mp4", ("-c:a", "libopus"), 48_000),
    "Opus, again": ("ts", ("-c:a", "libopus"), 48_000),
    "Nellymoser": ("flv", ("-c:a", "nellymoser"), 22_050),
    "192 kHz": ("mkv", ("-c:a", "pcm_s16le"), 192_000),
}
for _name, (_ending, _codec, _rate_hz) in _SOUNDS.items():
    recipe(
        f"sound: {_name}, {_ending}",
        partial(plain, ending=_ending, sound=_codec, rate_hz=_rate_hz),
        off_s=0.1 if _ending == "avi" else 0.0,
    )
for _n in (9, 16):
    recipe(
        f"WavPack of {_n} channels, mkv",
        partial(many_channels, ending="mkv", n=_n, codec=("-c:a", "wavpack")),
        quick=_n == 9,
    )
