"""From values to places in a drawing: templates put the shapes there. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A box of width · height units whose inside shows x from 0 to `x_max`, y from 0 to `y_max`."""

    width: float
    height: float
    left: float = 40.0
    right: float = 12.0
    top: float = 12.0
    bottom: float = 34.0
    x_max: float = 1.0
    y_max: float = 1.0

    def x(self, value: float) -> float:
        return _short(self.left + value / self.x_max * (self.width - self.left - self.right))

    def y(self, value: float) -> float:
        return _short(self.base - value / self.y_max * (self.base - self.top))

    @property
    def base(self) -> float:
        """Where y is 0."""
        return self.height - self.bottom

    @property
    def end(self) -> float:
        """Where x is `x_max`."""
        return self.width - self.right

    def path(self, points: Iterable[tuple[float, float]]) -> str:
        """Straight lines through these values, as `d` of an SVG path."""
        return "M" + "L".join(f"{self.x(x)} {self.y(y)}" for x, y in points)


def round_up(value: float) -> int:
    """The least of 1, 2, 5, 10, 20, 50, … that is not below: where an axis may end."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if factor * step >= value:
                return factor * step
        step *= 10


def _short(value: float) -> float:
    return round(value, 2)
