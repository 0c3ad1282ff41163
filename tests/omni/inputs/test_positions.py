"""mRoPE positions against the released model's and transformers' own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.omni.inputs.forks import PromptTree
from ah_ray.omni.inputs.layout import lay_out_clip
from ah_ray.omni.inputs.positions import compute_mrope_positions
from ah_ray.omni.inputs.prompt import build_prompt
from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.profile import load_profile

GOLDEN = np.load(Path(__file__).parents[2] / "goldens" / "rope_positions.npz")


@pytest.mark.parametrize("second_per_grid", [1, 2])
def test_positions_are_the_references(released_tokenizer, second_per_grid):
    prompt = build_prompt(load_profile("seed"), released_tokenizer, ())
    layout = lay_out_clip(
        PromptTree.from_prompt(prompt), (5, 28, 28), 500, float(second_per_grid), 13
    )
    assert (layout.ids == GOLDEN["input_ids"]).all()
    expected = GOLDEN[f"position_ids_3xS_second_per_grid_{second_per_grid}"]
    assert (layout.positions == expected).all()


@given(
    grid=st.tuples(st.integers(1, 8), st.integers(1, 6), st.integers(1, 6)),
    n_mel_frames=st.integers(2, 900),
    second_per_grid=st.sampled_from([0.04, 0.7, 1.0, 1.001, 1.14583, 1.22667, 2.0]),
    user=st.sampled_from(["a <video> b <audio> c", "<audio><video>", "<video><audio>"]),
    floor=st.booleans(),
)
def test_positions_are_transformers(
    reference, tiny, grid, n_mel_frames, second_per_grid, user, floor
):
    """With `floor`, as ms-swift cuts them to int64 while it trains."""
    tokenizer = load_tokenizer(tiny)
    profile = load_profile("tiny").model_copy(update={"user": user})
    prompt = build_prompt(profile, tokenizer, (1, 2, 3))
    patches = (grid[0], 2 * grid[1], 2 * grid[2])
    layout = lay_out_clip(
        PromptTree.from_prompt(prompt), patches, n_mel_frames, second_per_grid, 13, floor
    )
    ids = torch.from_numpy(layout.ids)[None]
    expected, _ = reference.model.get_rope_index(
        ids,
        video_grid_thw=torch.tensor([patches]),
        attention_mask=torch.ones_like(ids),
        audio_seqlens=torch.tensor([n_mel_frames]),
        second_per_grids=torch.tensor([second_per_grid]),
    )
    if floor:
        expected = expected.to(torch.int64)
    assert (layout.positions == expected[:, 0].numpy()).all()
    pads = (layout.ids == prompt.video_pad).sum(), (layout.ids == prompt.audio_pad).sum()
    assert (len(layout.video), len(layout.audio)) == pads


def test_training_positions_of_a_short_clip():
    """ms-swift 4.6.0 in training, for the picture of 3.68 s in `seed`'s prompt: at 20, 35, 51."""
    times = compute_mrope_positions([20, (3, 1, 1), 2], 2 * 3.68 / 6, 13, floor=True)[0]
    assert times[20:].tolist() == [20, 35, 51, 52, 53]
    exact = compute_mrope_positions([20, (3, 1, 1), 2], 2 * 3.68 / 6, 13)[0]
    assert exact[20:].tolist() == pytest.approx([20, 35.947, 51.893, 52.893, 53.893], abs=1e-3)


def test_a_picture_pushes_what_follows_past_its_largest_position():
    positions = compute_mrope_positions([2, (2, 1, 3), 1], 2.0, 13)
    assert positions.tolist() == [
        [0, 1, 2, 2, 2, 28, 28, 28, 29],
        [0, 1, 2, 2, 2, 2, 2, 2, 29],
        [0, 1, 2, 3, 4, 2, 3, 4, 29],
    ]
