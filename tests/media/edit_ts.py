"""Joins MPEG transport streams, and changes the times of single packets in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_SIZE = 188


def join(path: Path, sources: Iterable[Path], *, counters_follow: bool = True) -> Path:
    """Write streams one after the other; with counters that follow, no packet seems lost."""
    data = bytearray(b"".join(source.read_bytes() for source in sources))
    if counters_follow:
        last: dict[int, int] = {}
        for at in range(0, len(data), _SIZE):
            pid = int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF
            has_payload = data[at + 3] & 0x10
            counter = (last.get(pid, -1) + bool(has_payload)) & 15
            data[at + 3] = data[at + 3] & 0xF0 | counter
            last[pid] = counter
    path.write_bytes(bytes(data))
    return path


def shift_packets(source: Path, path: Path, *, pid: int, shifts_s: dict[int, float]) -> Path:
    """Write a copy in which the n-th packets of a stream have times that are so much later."""
    data = bytearray(source.read_bytes())
    n = -1
    for at in range(0, len(data), _SIZE):
        head = int.from_bytes(data[at + 1 : at + 3], "big")
        if head & 0x1FFF != pid or not head & 0x4000:  # another stream, or no packet begins here
            continue
        n += 1
        begin = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)
        assert data[begin : begin + 3] == b"\0\0\1"
        if n not in shifts_s:
            continue
        flags = data[begin + 7] >> 6
        for k in range({2: 1, 3: 2}.get(flags, 0)):
            _shift(data, begin + 9 + 5 * k, round(shifts_s[n] * 90_000))
    path.write_bytes(bytes(data))
    return path


def _shift(data: bytearray, at: int, ticks: int) -> None:
    field = data[at : at + 5]
    time = (field[0] >> 1 & 7) << 30 | field[1] << 22 | field[2] >> 1 << 15
    time |= field[3] << 7 | field[4] >> 1
    time = (time + ticks) % (1 << 33)
    data[at] = field[0] & 0xF1 | (time >> 30 & 7) << 1
    data[at + 1] = time >> 22 & 0xFF
    data[at + 2] = (time >> 15 & 0x7F) << 1 | 1
    data[at + 3] = time >> 7 & 0xFF
    data[at + 4] = (time & 0x7F) << 1 | 1


def packets(data: bytes) -> list[tuple[int, bytes]]:
    """Return (PID, packet) of each packet of a stream."""
    return [
        (int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF, data[at : at + _SIZE])
        for at in range(0, len(data), _SIZE)
    ]


def without(source: Path, path: Path, *, pid: int) -> Path:
    """Write a copy without one of its streams; the tables go on naming it."""
    path.write_bytes(b"".join(p for which, p in packets(source.read_bytes()) if which != pid))
    return path


def only(source: Path, *, pid: int) -> bytes:
    """Return the packets of one stream."""
    return b"".join(p for which, p in packets(source.read_bytes()) if which == pid)


def merge(path: Path, source: Path, streams: Iterable[bytes]) -> Path:
    """Write the packets of a stream and of others, which follow each other, by their times."""
    timed: list[tuple[float, int, bytes]] = []
    for data in (source.read_bytes(), b"".join(streams)):
        now = -1
        for _, packet in packets(data):
            now = max(now, _begin(packet, now))
            timed.append((now, len(timed), packet))
    timed.sort(key=lambda entry: entry[:2])
    half = path.with_suffix(".half")
    half.write_bytes(b"".join(packet for *_, packet in timed))
    return join(path, [half])


def _begin(packet: bytes, otherwise: int) -> int:
    """Return the time at which the content of a packet is decoded, if it says one."""
    if not packet[1] & 0x40:
        return otherwise
    begin = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    if packet[begin : begin + 3] != b"\0\0\1":
        return otherwise
    flags = packet[begin + 7] >> 6
    at = begin + 9 + (5 if flags == 3 else 0)
    field = packet[at : at + 5]
    return (
        (field[0] >> 1 & 7) << 30
        | field[1] << 22
        | field[2] >> 1 << 15
        | field[3] << 7
        | field[4] >> 1
    )
