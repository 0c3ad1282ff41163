"""Each kernel against its plain twin: any number of rows, and widths that fill no block."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ah_ray.omni.kernels import rows
from ah_ray.omni.model import fused_ops

EPS = 1e-6
SIZES = {"n": st.integers(1, 9), "width": st.sampled_from([2, 8, 24, 36, 64, 72, 130])}
quick = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Draw:
    """Random tensors of one type on one device."""

    def __init__(self, device: torch.device, dtype: torch.dtype):
        self.device, self.dtype = device, dtype
        self._generator = torch.Generator().manual_seed(0)

    def __call__(self, *shape: int, dtype: torch.dtype | None = None) -> torch.Tensor:
        drawn = torch.randn(shape, generator=self._generator)
        return drawn.to(self.device, dtype or self.dtype)

    def places(self, *shape: int, below: int) -> torch.Tensor:
        return torch.randint(below, shape, generator=self._generator).to(self.device)


@pytest.fixture
def draw(device, dtype) -> Draw:
    return Draw(device, dtype)


def assert_same(name: str, *arguments) -> None:
    expected = getattr(fused_ops, name).__wrapped__(*arguments)
    found = getattr(rows, name)(*arguments)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    tolerance = 2e-5 if found.dtype == torch.float32 else 2**-7  # a bit of bfloat16
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@quick
@given(**SIZES)
def test_rms_norm(draw, n, width):
    assert_same("rms_norm", draw(n, width), draw(width), EPS)
    assert_same("rms_norm", draw(n, 3, width)[:, ::2], draw(width), EPS)


@quick
@given(**SIZES, heads=st.sampled_from([1, 2, 4, 5]))
def test_rotations(draw, n, width, heads):
    angles = draw(n, width).cos(), draw(n, width).sin()
    assert_same("rotate", draw(n, heads, width), *angles)
    assert_same("norm_and_rotate", draw(n, heads, width), draw(width), EPS, *angles)
    # As attention's one product for query, key and value leaves them: strided.
    query = draw(n, 3 * heads * width).unflatten(-1, (3, heads, width))[:, 1]
    assert_same("rotate", query, *angles)


@quick
@given(**SIZES)
def test_gate(draw, n, width):
    assert_same("gate", draw(n, 2 * width))


@quick
@given(**SIZES, k=st.sampled_from([1, 2, 4, 8]))
def test_weighted_sums(draw, n, width, k):
    table, places = draw(11, width), draw.places(n, k, below=11)
    assert_same("combine", table, places, draw(n, k))
    assert_same("interpolate", table, places, draw(n, k, dtype=torch.float32))


@quick
@given(**SIZES, gated=st.booleans())
def test_quantisation(draw, n, width, gated):
    """On a GPU as fp8; the interpreter gives what would be rounded to it."""
    name = "gate_and_quantise" if gated else "quantise"
    x = draw(n, 2 * width if gated else width)
    x[0] = 0
    expected, expected_scale = getattr(fused_ops, name).__wrapped__(x)
    if draw.device.type == "cpu":
        found, scale = rows._quantise_rows(x, width, has_gate=gated, dtype=torch.float32)
        found = found.to(torch.float8_e4m3fn)
    else:
        found, scale = getattr(rows, name)(x)
    torch.testing.assert_close(scale, expected_scale, rtol=1e-5, atol=0)
    # A last bit of float32 may round a value to the neighbour in 8 bits.
    torch.testing.assert_close(found.float(), expected.float(), rtol=0.13, atol=2**-8)
    assert (found[0].float() == 0).all()


def test_a_row_with_nan_stays_no_number(draw):
    x = draw(3, 24)
    x[1, 5] = torch.nan
    eight_bits = torch.float8_e4m3fn if draw.device.type == "cuda" else torch.float32
    found, scale = rows._quantise_rows(x, 24, has_gate=False, dtype=eight_bits)
    wide = found.float() * scale[:, None]
    assert wide[1].isnan().all() and wide[[0, 2]].isfinite().all()


def test_no_rows_at_all(draw):
    assert rows.rms_norm(draw(0, 8), draw(8), EPS).shape == (0, 8)
    assert rows.gate(draw(0, 8)).shape == (0, 4)
