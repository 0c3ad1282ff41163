"""How many lost windows are too many, and what is kept of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.training.data.dataloader import LabelledWindow
from ah_ray.training.steps.lost_windows import (
    LOST_FILE,
    LostWindows,
    exceeds_limit,
    format_too_many_lost,
    write_lost_windows,
)

LOST = st.dictionaries(st.integers(0, 10**6), st.text(max_size=20), max_size=5)


def window(uri: str) -> LabelledWindow:
    return LabelledWindow(uri=uri, start_s=5, end_s=10, label=True, question=None, weight=1)


@pytest.mark.parametrize(
    ("n_lost", "n_asked", "max_lost", "too_many"),
    [
        (0, 10, 0.0, False),
        (1, 10, 0.0, True),
        (2, 100, 0.02, False),
        (3, 100, 0.02, True),
        (10, 10, 1.0, True),  # nothing would be learned
        (9, 10, 1.0, False),
        (0, 0, 0.02, False),  # no split `val`
    ],
)
def test_too_many(n_lost, n_asked, max_lost, too_many):
    assert exceeds_limit(n_lost, n_asked, max_lost) is too_many


@given(LOST, LOST)
def test_a_checkpoint_keeps_them(train, val):
    losses = LostWindows(train=train, val=val)
    assert LostWindows.from_json(json.loads(json.dumps(losses.to_json()))) == losses
    assert bool(losses) is bool(train or val)


def test_some_are_named_and_all_are_listed(tmp_path):
    windows = [window(f"/data/{n}.mp4") for n in range(9)]
    lost = dict.fromkeys(range(8), "there is no such object")
    said = format_too_many_lost("val", lost, windows, 9, 0.02)
    assert said.startswith("8 of 9 windows of the split `val`") and said.count(".mp4") == 3
    write_lost_windows(str(tmp_path), LostWindows(val=lost), {"train": [], "val": windows})
    listed = json.loads((tmp_path / LOST_FILE).read_text())
    assert [row["uri"] for row in listed] == [f"/data/{n}.mp4" for n in range(8)]
    assert listed[0] == {
        "split": "val",
        "uri": "/data/0.mp4",
        "start_s": 5,
        "end_s": 10,
        "reason": "there is no such object",
    }
    write_lost_windows(str(tmp_path), LostWindows(), {"train": [], "val": windows})
    assert not (tmp_path / LOST_FILE).exists()
