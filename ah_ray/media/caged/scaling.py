"""A decoded picture as RGB, upright, in the size in which the model sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import SideData, SideDataContainer, Type
from av.video.frame import VideoFrame

from ah_ray.media.resize import Size, scaling_filters, scaling_stages
from ah_ray.profile import Profile, ScaleIn

_RANGES = {1: "tv", 2: "pc"}
_MATRICES = {0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m",
             8: "ycgco", 9: "bt2020nc", 10: "bt2020c"}  # fmt: skip
_WIDEST_PIXEL = 10.0
_GraphKey = tuple[int, int, str, str | None, str | None, tuple[Size, ...], ScaleIn]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A picture, scaled as if its whole clip had its size."""

    rgb: np.ndarray  # [H, W, 3] uint8, H and W as the profile wants them
    displayed_px: tuple[int, int]  # width and height as a player shows it
    ratio: float  # width to height of what is shown to the model


class Scaler:
    """Scales pictures of any format; keeps the filter graph of the last format.

    Args:
        profile: In which size pictures are shown to the model.
        pixel_aspect: The width to height of a pixel. It may change between two pictures.
    """

    def __init__(self, profile: Profile, *, pixel_aspect: float) -> None:
        self._profile = profile
        self.pixel_aspect = pixel_aspect
        self._key: _GraphKey | None = None
        self._stored_as: tuple[int, int, int] | None = None
        self._last_turn = _UPRIGHT
        self._graph: Graph | None = None

    def scale(self, frame: VideoFrame) -> Picture:
        """Return a decoded picture upright and in RGB."""
        turn = self._turn(frame)
        displayed_px = self._displayed_px(frame, turn)
        stored_px = (frame.width, frame.height)
        if turn.swaps:
            stored_px = (frame.height, frame.width)
        shown_px = displayed_px if self._profile.pixel_aspect == "displayed" else stored_px
        stages = scaling_stages(*shown_px, self._profile, stored_px=stored_px)
        if turn.swaps:
            stages = [size[::-1] for size in stages]
        return Picture(
            rgb=turn.apply(self._run(frame, tuple(stages))),
            displayed_px=displayed_px,
            ratio=shown_px[0] / shown_px[1],
        )

    def displayed_px(self, frame: VideoFrame) -> tuple[int, int]:
        """Return the width and height of a decoded picture as a player shows it."""
        return self._displayed_px(frame, self._turn(frame))

    def _turn(self, frame: VideoFrame) -> Turn:
        """Return how a picture is turned; its side data is read only where it may have changed."""
        stored_as = (frame.width, frame.height, frame.rotation)
        if stored_as != self._stored_as:
            self._stored_as, self._last_turn = stored_as, _orientation(frame)
        return self._last_turn

    def _displayed_px(self, frame: VideoFrame, turn: Turn) -> tuple[int, int]:
        width_px = max(1, round(frame.width * self.pixel_aspect))
        return (frame.height, width_px) if turn.swaps else (width_px, frame.height)

    def _run(self, frame: VideoFrame, stages: tuple[Size, ...]) -> np.ndarray:
        matrix, range_ = _MATRICES.get(frame.colorspace), _RANGES.get(frame.color_range)
        size_px = (frame.width, frame.height)
        key = (*size_px, frame.format.name, matrix, range_, stages, self._profile.scale_in)
        if self._graph is None or key != self._key:
            self._graph, self._key = _build_graph(*key), key
        return _run_graph(self._graph, frame)


def fit(picture: Picture, like: Picture) -> np.ndarray:
    """Return a picture within the size of another, its ratio kept, with black bars: `[H, W, 3]`."""
    height, width, _ = like.rgb.shape
    if picture.rgb.shape == like.rgb.shape and abs(picture.ratio / like.ratio - 1) < 0.02:
        return picture.rgb
    # The sizes of a profile change the ratio a little: bars are measured in the displayed one.
    ratio = picture.ratio * (width / height) / like.ratio
    inner_w = min(width, max(2, round(height * ratio)))
    inner_h = min(height, max(2, round(width / ratio)))
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture.rgb), format="rgb24")
    stages = ((inner_w, inner_h),)
    graph = _build_graph(frame.width, frame.height, "rgb24", None, None, stages, ScaleIn.RGB)
    canvas = np.zeros_like(like.rgb)
    top, left = (height - inner_h) // 2, (width - inner_w) // 2
    canvas[top : top + inner_h, left : left + inner_w] = _run_graph(graph, frame)
    return canvas


def _run_graph(graph: Graph, frame: VideoFrame) -> np.ndarray:
    """Return what a graph makes of a picture: `[H, W, 3] uint8`."""
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    graph.vpush(frame)
    return _pack_rgb(graph.vpull())


def _pack_rgb(frame: VideoFrame) -> np.ndarray:
    """Return a picture in RGB as `[H, W, 3] uint8`.

    libav writes the planes of `gbrp` with vector instructions and the pixels of `rgb24` without:
    both are equal to the last bit, and this way costs a third.
    """
    if frame.format.name == "rgb24":
        return frame.to_ndarray()
    rgb = np.empty((frame.height, frame.width, 3), np.uint8)
    for channel, plane in zip((1, 2, 0), frame.planes, strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        rgb[:, :, channel] = rows[: frame.height, : frame.width]
    return rgb


def _build_graph(
    width: int,
    height: int,
    pixel_format: str,
    matrix: str | None,
    range_: str | None,
    stages: tuple[Size, ...],
    scale_in: ScaleIn,
) -> Graph:
    graph = Graph()
    graph.threads = 1
    source = f"video_size={width}x{height}:pix_fmt={pixel_format}:time_base=1/25"
    if matrix and not pixel_format.startswith(("rgb", "gbr", "bgr")):
        source += f":colorspace={matrix}"
    if range_:
        source += f":range={range_}"
    nodes = [
        graph.add("buffer", source),
        *(
            graph.add(*filter_)
            for filter_ in scaling_filters(width, height, stages, scale_in, pixel_format)
        ),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes)
    graph.configure()
    return graph


@dataclass(frozen=True, slots=True)
class Turn:
    """One of the eight ways in which a stored picture is turned and mirrored to be upright."""

    swaps: bool = False  # width and height change places
    flips_rows: bool = False  # then: upside down
    flips_columns: bool = False  # then: left to right

    def apply(self, rgb: np.ndarray) -> np.ndarray:
        """Return `[H, W, 3]` upright."""
        if self.swaps:
            rgb = rgb.transpose(1, 0, 2)
        if self.flips_rows:
            rgb = rgb[::-1]
        if self.flips_columns:
            rgb = rgb[:, ::-1]
        return rgb


_SideDataOf: Callable[[VideoFrame], Mapping[Type, SideData]] = cast(Any, SideDataContainer)
"""PyAV's types leave the constructor's argument out."""


def _orientation(frame: VideoFrame) -> Turn:
    """Return how to turn a picture, from its display matrix (ISO 14496-12, 8.3.2)."""
    # Not `frame.side_data`: that refers to the frame and the frame to it, so none is ever freed.
    data = _SideDataOf(frame).get(Type.DISPLAYMATRIX)
    if data is None or data.buffer_size < 36:
        return _UPRIGHT
    return _turn_of(np.frombuffer(bytes(data)[:36], np.int32).reshape(3, 3))


def _turn_of(matrix: np.ndarray) -> Turn:
    """Return the turn of a display matrix.

    The matrix maps (x, y) to (a·x + c·y, b·x + d·y), with rows a b u / c d v / x y w.
    """
    a, b, c, d = (int(matrix[i, j]) for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Turn(swaps=False, flips_rows=d < 0, flips_columns=a < 0)
    # y' = b·x and x' = c·y: rows become columns.
    return Turn(swaps=True, flips_rows=b < 0, flips_columns=c < 0)


_UPRIGHT = Turn()


def pixel_aspect_of(value: Fraction | None) -> float:
    """Return the width to height of a pixel; 1 where it is unknown or absurd."""
    if not value or value <= 0 or not 1 / _WIDEST_PIXEL <= value <= _WIDEST_PIXEL:
        return 1.0
    return float(value)
