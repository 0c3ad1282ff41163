"""The records that libav logs while it reads and decodes: each has a component and a text.

A text may quote the file, so only its beginning counts, which is libav's own, and only of the
components that are asked for: a demuxer on the container, a decoder on the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av
import av.logging

from ah_ray.config.containers import CONTAINERS
from ah_ray.media.sandbox.resource_limits import has_room_for

_HOLES = ("Element at 0x", "0x00 at pos ", "Length ", "Invalid length 0x")
"""How the matroska demuxer begins when what it reads is no longer what its structure promises."""

_CUT_OFF = ("File ended prematurely", "Truncated packet", "truncated file", "File is truncated")
_PARTIAL = ("stream ", "root atom offset ")  # mov: "…: partial file"
_SECOND_OGG = "failed to create or replace stream"
_DAMAGED = ("concealing ", "error while decoding MB")
_OUT_OF_MEMORY = ("get_buffer() failed", "Cannot allocate memory", "Failed to allocate")
_TOO_LARGE = "Picture size "
_ROOM_BYTES = 1 << 20
_MOST_RECORDS = 10_000
"""The most records that are read for one packet. A decoder that writes more repeats itself."""


class LibavLog:
    """Collects libav's records of one thread. Use it as a context manager."""

    def __init__(self) -> None:
        self.is_cut_off = False
        self.is_out_of_memory = False
        self.has_no_index = False
        self.has_second_movie = False  # of other tracks, which libav's Ogg reader cannot follow
        self.is_other_container = False
        self.too_large: tuple[int, int] | None = None
        self._capture = av.logging.Capture(True)
        self._records: list[tuple[int, str, str]] = []
        self._has_hole = False
        self._demuxers = frozenset(container.demuxer for container in CONTAINERS)

    def __enter__(self) -> LibavLog:
        av.logging.set_level(av.logging.INFO)
        av.logging.set_skip_repeated(False)
        self._records = self._capture.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.__exit__(None, None, None)

    def note_cut_off(self) -> None:
        """Note that reading ended with an error."""
        self.is_cut_off = True

    def note_error(self, error: Exception | None, *, needed_bytes: int = _ROOM_BYTES) -> None:
        """Note whether an error of libav was caused by missing memory.

        Decoders that are denied memory often report another error. It counts as missing memory
        where there is no room for what the call may have asked for.

        Args:
            error: What was raised; None if the decoder went on after it.
            needed_bytes: What the call may have asked for.
        """
        if isinstance(error, MemoryError) or not has_room_for(needed_bytes):
            self.is_out_of_memory = True

    @contextmanager
    def report_failed_allocations(self) -> Iterator[None]:
        """Raise MemoryError where PyAV raises a RuntimeError because an allocation failed.

        Use it inside of the blocks that close containers and decoders: afterwards there is room
        again, and nothing would show what the error meant.
        """
        try:
            yield
        except RuntimeError as error:
            if has_room_for(2 * _ROOM_BYTES):
                raise
            self.is_out_of_memory = True
            raise MemoryError(str(error)) from None

    def take_hole(self) -> bool:
        """Return whether the demuxer met damage since the last call."""
        self._read_container()
        hole, self._has_hole = self._has_hole, False
        return hole

    def take_damage(self, decoder: str) -> bool:
        """Return whether the decoder painted over damage since the last call."""
        damaged = False
        for _, component, text in self._take():
            text = text.lstrip()
            if component == decoder and text.startswith(_DAMAGED):
                damaged = True
            if text.startswith(_OUT_OF_MEMORY):
                self.is_out_of_memory = True
            elif text.startswith(_TOO_LARGE):
                self._note_size(text)
        return damaged

    def drop(self) -> None:
        """Forget the records since the last call, for example those about damaged sound.

        Only missing memory is noted.
        """
        if any(text.lstrip().startswith(_OUT_OF_MEMORY) for _, _, text in self._take()):
            self.is_out_of_memory = True

    def read_opening(self) -> None:
        """Read the records that were logged while the file was opened."""
        self._read_container()

    def _read_container(self) -> None:
        for level, component, text in self._take():
            text = text.lstrip()
            if text.startswith(_OUT_OF_MEMORY):
                self.is_out_of_memory = True
            elif text.startswith("moov atom not found"):
                self.has_no_index = True
            elif text.startswith("Format not on whitelist"):
                self.is_other_container = True
            elif text.startswith(_TOO_LARGE):
                self._note_size(text)
            elif component == "ogg" and text.startswith(_SECOND_OGG):
                self.has_second_movie = True
            elif component.split(",")[0] in self._demuxers:
                self._note_damage(level, text)

    def _note_damage(self, level: int, text: str) -> None:
        if text.startswith(_CUT_OFF) or (
            text.startswith(_PARTIAL) and text.rstrip().endswith(": partial file")
        ):
            self.is_cut_off = True
        elif level <= av.logging.WARNING and text.startswith(_HOLES):
            self._has_hole = True

    def _note_size(self, text: str) -> None:
        width, _, height = text.removeprefix(_TOO_LARGE).split(" ")[0].partition("x")
        if "exceeds specified max pixel" not in text:
            return
        if width.isdecimal() and height.isdecimal():
            self.too_large = (int(width), int(height))

    def _take(self) -> list[tuple[int, str, str]]:
        taken = self._records[:_MOST_RECORDS]
        self._records.clear()
        return taken
