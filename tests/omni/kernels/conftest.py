"""Triton's kernels on a GPU if there is one, and otherwise through Triton's interpreter."""

import pytest
import torch

collect_ignore_glob: list[str] = []
try:
    import triton  # noqa: F401
except ImportError:  # torch's builds without CUDA come without it; `.[test]` brings it
    collect_ignore_glob.append("test_*.py")


@pytest.fixture(scope="session")
def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(params=["float32", "bfloat16"])
def dtype(request, device) -> torch.dtype:
    """The types that models compute in. The interpreter's bfloat16 is wrong, and says nothing."""
    if request.param == "bfloat16" and device.type == "cpu":
        pytest.skip("bfloat16 needs a GPU")
    return getattr(torch, request.param)
