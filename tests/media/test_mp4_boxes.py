"""Boxes of an MP4, and the pauses of its edit list, are read without believing their lengths."""

from __future__ import annotations

import io
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.media.caged.timing.edit_list import read_pauses
from ah_ray.media.mp4_boxes import read_boxes, read_boxes_in

KINDS = st.sampled_from(
    [b"ftyp", b"moov", b"trak", b"edts", b"elst", b"tkhd", b"mvhd", b"free", b"mdat"]
)
LENGTHS = st.sampled_from([0, 1, 7, 8, 9, 16, 100, 0x7FFFFFFF, 0xFFFFFFFF])
PIECES = st.lists(
    st.binary(max_size=40)
    | st.tuples(LENGTHS, KINDS).map(lambda one: struct.pack(">I", one[0]) + one[1]),
    max_size=20,
)


def box(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I", 8 + len(inside)) + kind + inside


def movie(edits: list[tuple[int, int]], *, wide: bool = False, count: int | None = None) -> bytes:
    row, head = (">qqI", b"\1\0\0\0") if wide else (">IiI", bytes(4))
    rows = b"".join(struct.pack(row, length, at, 0x10000) for length, at in edits)
    elst = box(b"elst", head, struct.pack(">I", len(edits) if count is None else count), rows)
    tkhd = box(b"tkhd", struct.pack(">IIIII", 0, 0, 0, 7, 0), bytes(64))
    mvhd = box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, 0), bytes(80))
    trak = box(b"trak", tkhd, box(b"edts", elst))
    return box(b"ftyp", b"isom") + box(b"moov", mvhd, trak)


@given(PIECES)
def test_any_bytes_are_read_to_their_end_and_no_box_leaves_its_parent(pieces):
    content = box(b"ftyp", b"isom") + b"".join(pieces)
    file = io.BytesIO(content)
    for outer in list(read_boxes(file)):
        assert 8 <= outer.start <= outer.end <= len(content)
        assert len(outer.read(file, 1 << 30)) <= outer.end - outer.start
        for inner in list(read_boxes_in(file, outer)):
            assert outer.start <= inner.start <= inner.end <= outer.end
    for pauses in read_pauses(file).values():
        assert all(start_s <= end_s for start_s, end_s in pauses)


@given(st.binary(max_size=200))
def test_what_is_no_mp4_has_no_boxes(content):
    file = io.BytesIO(b"\x1aE\xdf\xa3\x01\0\0\0" + content)
    assert list(read_boxes(file)) == [] and read_pauses(file) == {}


@pytest.mark.parametrize("wide", [False, True])
def test_an_edit_without_media_is_a_pause_unless_it_is_the_first(wide):
    edits = [(2000, -1), (5000, 0), (3000, -1), (4000, 5000)]
    assert read_pauses(io.BytesIO(movie(edits, wide=wide))) == {7: [(7.0, 10.0)]}
    assert read_pauses(io.BytesIO(movie(edits[:2], wide=wide))) == {}


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 40))
def test_a_count_that_lies_and_a_list_that_is_cut_off_are_no_error(count, cut):
    content = movie([(5000, 0), (3000, -1), (4000, 5000)], count=count)
    read_pauses(io.BytesIO(content[: len(content) - cut]))


def test_boxes_without_number_take_no_time():
    file = io.BytesIO(box(b"ftyp", b"isom") + b"\0\0\0\x08free" * 200_000)
    started = time.process_time()
    assert len(list(read_boxes(file))) <= 20_000
    assert time.process_time() - started < 2
