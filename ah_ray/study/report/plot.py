"""Places of values in a drawing, for the templates that draw. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A box of width · height units. Its inside shows x from 0 to `x_max`, y from 0 to `y_max`."""

    width: float
    height: float
    left: float = 40.0
    right: float = 12.0
    top: float = 12.0
    bottom: float = 34.0
    x_max: float = 1.0
    y_max: float = 1.0

    def x(self, value: float) -> float:
        """Return the place of a value from left to right."""
        return _short(self.left + value / self.x_max * (self.width - self.left - self.right))

    def y(self, value: float) -> float:
        """Return the place of a value from top to bottom."""
        return _short(self.base - value / self.y_max * (self.base - self.top))

    @property
    def base(self) -> float:
        """Return the place where y is 0."""
        return self.height - self.bottom

    @property
    def end(self) -> float:
        """Return the place where x is `x_max`."""
        return self.width - self.right

    def path(self, points: Iterable[tuple[float, float | None]]) -> str:
        """Return straight lines through these values, as `d` of an SVG path; None leaves a gap."""
        pieces, begins = [], True
        for x, y in points:
            if y is not None:
                pieces.append(f"{'M' if begins else 'L'}{self.x(x)} {self.y(y)}")
            begins = y is None
        return "".join(pieces)

    def broken_path(self, ys: Iterable[float | None]) -> str:
        """Return lines through the values of places 0, 1, 2, …; None leaves a gap."""
        return self.path(enumerate(ys))

    def band(self, lows: Iterable[float | None], highs: Iterable[float | None]) -> str:
        """Return the area between two values at places 0, 1, 2, …, where both are known."""
        known: list[tuple[float, float, float]] = [
            (place, low, high)
            for place, (low, high) in enumerate(zip(lows, highs, strict=True))
            if low is not None and high is not None
        ]
        if not known:
            return ""
        if len(known) == 1:  # an area needs a width
            place, low, high = known[0]
            known = [(place - 0.4, low, high), (place + 0.4, low, high)]
        above = [(x, high) for x, _, high in known]
        below = [(x, low) for x, low, _ in reversed(known)]
        return f"{self.path([*above, *below])}Z"


def round_up(value: float) -> int:
    """Return the least of 1, 2, 5, 10, 20, 50, … that is not below the value, to end an axis."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if factor * step >= value:
                return factor * step
        step *= 10


def round_up_share(value: float) -> float:
    """Return the least of 0.05, 0.1, 0.25, 0.5 and 1 that is not below the share."""
    return next((end for end in (0.05, 0.1, 0.25, 0.5) if value <= end), 1.0)


def _short(value: float) -> float:
    return round(value, 2)
