"""Count the windows that could not be decoded, over all workers, and compare with `--max-lost`.

A training that missed too many windows is not a training on these labels, so it stops instead of
writing a model. Losses below the limit are recorded beside the model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ah_ray import storage
from ah_ray.output.guarded_write import write_guarded
from ah_ray.training.data.dataloader import LabelledWindow

LOST_FILE = "lost.json"
_NAMED = 3  # of the windows in a sentence

Split = str
"""`train` or `val`."""


@dataclass(slots=True)
class LostWindows:
    """The lost windows of each split, by their index in it, and why."""

    train: dict[int, str] = field(default_factory=dict)
    val: dict[int, str] = field(default_factory=dict)

    def of(self, split: Split) -> dict[int, str]:
        """Return the lost windows of a split with their reasons."""
        return self.train if split == "train" else self.val

    def __bool__(self) -> bool:
        return bool(self.train or self.val)

    def to_json(self) -> dict[str, dict[str, str]]:
        """Return a form that JSON can hold: its keys are text."""
        return {
            split: {str(number): why for number, why in self.of(split).items()}
            for split in ("train", "val")
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Mapping[str, str]]) -> LostWindows:
        """Return the lost windows that `to_json` wrote."""
        return cls(
            **{split: {int(number): why for number, why in value[split].items()} for split in value}
        )


def exceeds_limit(n_lost: int, n_asked: int, max_lost: float) -> bool:
    """Return whether too many of the requested windows were lost.

    All of them are always too many: nothing would have been learned.
    """
    return n_lost > 0 and (n_lost > max_lost * n_asked or n_lost >= n_asked)


def format_too_many_lost(
    split: Split,
    lost: Mapping[int, str],
    windows: Sequence[LabelledWindow],
    n_asked: int,
    max_lost: float,
) -> str:
    """Return the message with the number of lost windows, some of their names, and what to do."""
    named = "; ".join(
        f"{windows[number].uri} from {windows[number].start_s:g} s: {why}"
        for number, why in sorted(lost.items())[:_NAMED]
    )
    return (
        f"{len(lost):,} of {n_asked:,} windows of the split `{split}` could not be decoded, more "
        f"than --max-lost {max_lost:g} allows, and no model was written ({named}); bring the "
        "recordings back to where the labels say they are, or prepare the labels again"
    )


def write_lost_windows(
    out: str,
    losses: LostWindows,
    windows: Mapping[Split, Sequence[LabelledWindow]],
    confirm: Callable[[], None] = lambda: None,
) -> None:
    """Write OUT/lost.json, a row for each lost window; remove an older one if there are none.

    `confirm` raises if another training has taken OUT.
    """
    place = storage.join(out, LOST_FILE)
    if not losses:
        confirm()
        storage.remove([place])
        return
    rows = [
        {
            "split": split,
            "uri": windows[split][number].uri,
            "start_s": windows[split][number].start_s,
            "end_s": windows[split][number].end_s,
            "reason": why,
        }
        for split in ("train", "val")
        for number, why in sorted(losses.of(split).items())
    ]
    text = json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    write_guarded(place, text.encode(), confirm)
