"""The tiny model loaded by us, and transformers' own forward of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from seeded import seeded_tiny
from tokenizers import Tokenizer
from transformers_reference import Reference

from ah_ray.config import Arithmetic
from ah_ray.omni.scorer import OmniScorer
from ah_ray.profile import Profile, load_profile

GOLDENS = Path(__file__).parent.parent / "goldens"


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """The models are too small for more, and other tests share the machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny() -> Path:
    return seeded_tiny()


@pytest.fixture(scope="session")
def profile() -> Profile:
    return load_profile("tiny")


@pytest.fixture(scope="session")
def scorer(tiny: Path, profile: Profile) -> OmniScorer:
    return OmniScorer.load(tiny, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu")


@pytest.fixture(scope="session")
def reference(tiny: Path, profile: Profile) -> Reference:
    return Reference(tiny, profile)


@pytest.fixture(scope="session")
def released_tokenizer() -> Tokenizer:
    """The released tokenizer, cut down to what the prompt and the answers need."""
    return Tokenizer.from_file(str(GOLDENS / "tokenizer_subset.json"))
