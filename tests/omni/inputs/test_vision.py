"""Patches and the reference resize against the public reference code."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ah_ray.omni.inputs.vision import compute_patch_grid, make_patches, resize

GOLDENS = Path(__file__).parents[2] / "goldens"


@pytest.mark.parametrize("case", ["even", "odd", "two"])
def test_patches_are_the_references(case):
    golden = np.load(GOLDENS / "vision_patches.npz")
    frames = golden[f"{case}_frames_thwc_u8"]
    assert compute_patch_grid(frames.shape) == tuple(golden[f"{case}_grid_thw"][0])
    difference = make_patches(torch.from_numpy(frames)).numpy() - golden[f"{case}_patches"]
    assert np.abs(difference).max() <= 1e-6


@pytest.mark.parametrize("case", ["hd_to_448", "up"])
def test_resize_is_the_references(case):
    golden = np.load(GOLDENS / "vision_resize.npz")
    source, expected = golden[f"{case}_source_hwc_u8"], golden[f"{case}_resized_hwc_u8"]
    resized = resize(torch.from_numpy(source)[None], *expected.shape[:2])[0]
    assert resized.dtype == torch.uint8
    assert (resized.numpy() == expected).all()
