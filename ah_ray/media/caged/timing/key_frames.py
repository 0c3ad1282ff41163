"""Key frames after which nothing refers to what came before, recognised by their own bytes. Pure.

A container's flag says only that decoding may begin at a packet. What stands before it in decoding
order may still be needed: pictures that are shown before it can refer to both sides. Source: H.264
7.4.1.2.4 (IDR pictures), H.265 7.4.2.2 (IDR_W_RADL, IDR_N_LP), RFC 6386 and the VP9 bitstream.
"""

from __future__ import annotations

from collections.abc import Callable

_H264_IDR = frozenset({5})
_HEVC_IDR = frozenset({19, 20})
_MOST_UNITS = 64
_START_CODE = b"\0\0\1"


def resets_decoder(codec: str, packet: bytes | memoryview, extradata: bytes | None) -> bool:
    """Return whether a key frame's packet makes all pictures before it dispensable.

    Args:
        codec: libav's name of the codec.
        packet: The packet, or its beginning.
        extradata: The codec's parameters from the container; they say how units are framed.
    """
    if codec in ("vp8", "vp9"):
        return True
    if codec == "h264":
        kinds = _unit_kinds(packet, extradata, 4, lambda first: first & 0x1F)
        return not kinds.isdisjoint(_H264_IDR)
    if codec == "hevc":
        kinds = _unit_kinds(packet, extradata, 21, lambda first: (first >> 1) & 0x3F)
        return not kinds.isdisjoint(_HEVC_IDR)
    return False


def _unit_kinds(
    packet: bytes | memoryview,
    extradata: bytes | None,
    size_byte: int,
    kind_of: Callable[[int], int],
) -> set[int]:
    """Return the types of the units in a packet."""
    content = bytes(packet)
    if extradata and extradata[0] == 1 and len(extradata) > size_byte:
        return _read_framed_units(content, (extradata[size_byte] & 3) + 1, kind_of)
    kinds: set[int] = set()
    at = content.find(_START_CODE)
    while at >= 0 and at + 3 < len(content) and len(kinds) < _MOST_UNITS:
        kinds.add(kind_of(content[at + 3]))
        at = content.find(_START_CODE, at + 3)
    return kinds


def _read_framed_units(content: bytes, n_bytes: int, kind_of: Callable[[int], int]) -> set[int]:
    kinds: set[int] = set()
    at = 0
    for _ in range(_MOST_UNITS):
        if at + n_bytes >= len(content):
            break
        length = int.from_bytes(content[at : at + n_bytes], "big")
        kinds.add(kind_of(content[at + n_bytes]))
        at += n_bytes + length
    return kinds
