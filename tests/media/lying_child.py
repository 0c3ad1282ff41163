"""What a child does that its recording has taken over: it says what was not asked for.

A recording of a lie begins with its name. The lies run in a real child of a real server, caged.
"""

from __future__ import annotations

import ctypes
import json
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ah_ray.media.caged.work import do_work
from ah_ray.media.messages import LENGTH, send, write_all

MAGIC = "a lie: "
OPENED = {
    "kind": "opened", "planned_s": 10.0, "duration_s": 10.0, "n_pictures": 250,
    "picture_track": 0, "sound_track": 1, "first_s": 0.0, "unscored_sound_s": 0.0,
}  # fmt: skip
FACTS = {"kind": "facts", "size_px": [256, 256], "remarks": []}
SHAPE = (10, 256, 256, 3)
CLIP = {
    "kind": "clip", "index": 0, "shape": SHAPE, "sampled_s": 5.0,
    "times_s": [n * 0.5 for n in range(10)],
}  # fmt: skip
FRAMES = np.full(SHAPE, 77, np.uint8)
SAMPLES = np.zeros(80_000, np.float32)
INFINITE, NOT_A_NUMBER = float("inf"), float("nan")


def say(talk: int, *messages: tuple) -> None:
    for header, *parts in messages:
        send(talk, header, *parts)


def clip(index: int = 0, **changes: Any) -> tuple:
    return ({**CLIP, "index": index, "times_s": [5 * index + t for t in CLIP["times_s"]],
             **changes}, FRAMES, SAMPLES)  # fmt: skip


def opened_with(**changes: Any) -> Callable[[int], None]:
    return lambda talk: say(talk, ({**OPENED, **changes},), clip(), clip(1), (FACTS,))


def clip_with(**changes: Any) -> Callable[[int], None]:
    return lambda talk: say(talk, (OPENED,), clip(**changes), clip(1), (FACTS,))


def facts_with(**changes: Any) -> Callable[[int], None]:
    return lambda talk: say(talk, (OPENED,), clip(), clip(1), ({**FACTS, **changes},))


def bytes_of(content: bytes) -> Callable[[int], None]:
    return lambda talk: write_all(talk, content)


def header_of(content: bytes) -> Callable[[int], None]:
    return bytes_of(LENGTH.pack(len(content)) + content)


def stream_without_end(talk: int) -> None:
    while True:
        write_all(talk, b"\0" * 65_536)


def headers_without_end(talk: int) -> None:
    say(talk, (OPENED,))
    while True:
        say(talk, (FACTS,))


def samples_that_are_no_numbers(talk: int) -> None:
    odd = np.full(80_000, NOT_A_NUMBER, np.float32)
    odd[::3], odd[1::3] = 1e30, -INFINITE
    say(talk, (OPENED,), ({**CLIP}, FRAMES, odd), clip(1), (FACTS,))


def greed(_: int) -> None:
    kept = []
    while True:
        kept.append(np.ones(1 << 24, np.uint8))


def crash(talk: int) -> None:
    say(talk, (OPENED,), clip())
    crash_now()


def crash_now() -> None:
    ctypes.string_at(0)


def close_all_and_stay(talk: int) -> None:
    say(talk, (OPENED,), clip())
    os.closerange(0, 256)
    time.sleep(600)


def fail_with(reason: Any, numbers: Any) -> Callable[[int], None]:
    return lambda talk: say(talk, ({"kind": "failed", "reason": reason, "numbers": numbers},))


def burn_time(_: int) -> None:
    while True:
        pass


DAMAGE: dict[str, Callable[[int], None]] = {
    "nothing": lambda talk: None,
    "only opened": lambda talk: say(talk, (OPENED,)),
    "no facts, one clip of two": lambda talk: say(talk, (OPENED,), clip()),
    "a clip before all": lambda talk: say(talk, clip()),
    "facts before all": lambda talk: say(talk, (FACTS,)),
    "facts before the clips": lambda talk: say(talk, (OPENED,), (FACTS,), clip(), clip(1)),
    "opened twice": lambda talk: say(talk, (OPENED,), (OPENED,), clip(), clip(1), (FACTS,)),
    "a length of no end": opened_with(planned_s=INFINITE),
    "a length that is none": opened_with(planned_s=NOT_A_NUMBER),
    "a length below nothing": opened_with(planned_s=-5.0),
    "a length of ages": opened_with(planned_s=1e300),
    "a length beyond the limit": opened_with(planned_s=9e8),
    "a length in words": opened_with(duration_s="12"),
    "true for a number": opened_with(n_pictures=True),
    "a track below nothing": opened_with(picture_track=-1),
    "another clip": clip_with(index=1),
    "a clip in words": clip_with(index="0"),
    "no shape": clip_with(shape=None),
    "a shape of three": clip_with(shape=[10, 256, 256]),
    "a shape of four colours": clip_with(shape=[10, 256, 256, 4]),
    "a shape below nothing": clip_with(shape=[10, -256, -256, 3]),
    "an empty shape": clip_with(shape=[0, 256, 256, 3]),
    "a huge shape": clip_with(shape=[10, 65_504, 65_504, 3]),
    "an odd shape": clip_with(shape=[10, 250, 256, 3]),
    "an odd count": clip_with(shape=[9, 256, 256, 3], times_s=CLIP["times_s"][:9]),
    "more pictures than asked for": clip_with(shape=[12, 256, 256, 3], times_s=[0.0] * 12),
    "a shape in words": clip_with(shape=["10", "256", "256", 3]),
    "a shape of fractions": clip_with(shape=[10.0, 256.0, 256.0, 3]),
    "times that fall": clip_with(times_s=CLIP["times_s"][::-1]),
    "times that are none": clip_with(times_s=[NOT_A_NUMBER] * 10),
    "times behind the window": clip_with(times_s=[*CLIP["times_s"][:9], 60.0]),
    "times below nothing": clip_with(times_s=[-1.0, *CLIP["times_s"][1:]]),
    "too few times": clip_with(times_s=[0.0]),
    "times in words": clip_with(times_s=["0"] * 10),
    "no pixels": lambda talk: say(talk, (OPENED,), (CLIP,)),
    "half of the pixels": lambda talk: say(talk, (OPENED,), (CLIP, FRAMES[:5])),
    "a header of 4 GiB": bytes_of(LENGTH.pack(0xFFFFFFFF)),
    "a header of 65 KiB": bytes_of(LENGTH.pack(66_000) + b" " * 66_000),
    "half a length": bytes_of(b"\0\0"),
    "half a header": bytes_of(LENGTH.pack(100) + b"{"),
    "no JSON": header_of(b"\xff\xfe\0"),
    "a list": header_of(b"[]"),
    "a number": header_of(b"12"),
    "nested without end": header_of(b"[" * 60_000),
    "digits without end": header_of(b'{"kind":"opened","planned_s":' + b"9" * 60_000 + b"}"),
    "zeros without end": stream_without_end,
    "headers without end": headers_without_end,
    "a reason that is none": fail_with("\x1b[2Jno such reason", {}),
    "a reason that is a list": fail_with(["too_long"], None),
    "numbers in words": fail_with("too_long", {"seconds": "{}", "most": "%s"}),
    "an unknown kind": lambda talk: say(talk, ({"kind": "exec"},)),
    "no kind": lambda talk: say(talk, (json.loads("{}"),)),
    "a crash": crash,
}
"""Lies that end in a row of kind `decode`."""

LATE: dict[str, Callable[[int], None]] = {
    "a size of no end": facts_with(size_px=[INFINITE, 1]),
    "a size in words": facts_with(size_px=["a", "b"]),
    "more after the facts": lambda talk: say(talk, (OPENED,), clip(), clip(1), (FACTS,), (OPENED,)),
    "a clip too many": lambda talk: say(talk, (OPENED,), clip(), clip(1), clip(2), (FACTS,)),
    "a crash at the end": lambda talk: (say(talk, (OPENED,), clip(), clip(1)), crash_now()),
}
"""Lies that come when all clips were handed over already."""

OTHERS: dict[str, Callable[[int], None]] = {
    "silence": lambda talk: time.sleep(600),
    "silence after a clip": lambda talk: (say(talk, (OPENED,), clip()), time.sleep(600)),
    "closed and still there": close_all_and_stay,
    "time": burn_time,
    "greed": greed,
    "no numbers": samples_that_are_no_numbers,
    "odd remarks": facts_with(remarks=["\x1b[2J", 3, None, [], "size_changes"] * 500),
    "truth": lambda talk: say(talk, (OPENED,), clip(), clip(1), (FACTS,)),
}


def lie(recording: int, talk: int, plan: dict[str, Any]) -> None:
    """Tell the lie that the recording names; decode any other recording."""
    text = os.pread(recording, 200, 0)
    if not text.startswith(MAGIC.encode()):
        do_work(recording, talk, plan)
        return
    name = text.decode().removeprefix(MAGIC).strip("\n")
    (DAMAGE | LATE | OTHERS)[name](talk)
