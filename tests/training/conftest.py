"""The tiny model, ready to learn, and clips with labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from labelled_clips import CPU, label_drawing, settings_of
from seeded import seeded_tiny

from ah_ray.config import Arithmetic
from ah_ray.omni.inputs.staging import Stager
from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.profile import Profile, load_profile
from ah_ray.training.data.questions import LabelledClip, Questions
from ah_ray.training.steps.learner import Learner, load_learner


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """The models are too small for more, and other tests share the machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def group_of_one(tmp_path_factory):
    """A group of one worker: sharding asks for one."""
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="session")
def tiny() -> Path:
    return seeded_tiny()


@pytest.fixture(scope="session")
def profile() -> Profile:
    return load_profile("tiny")


@pytest.fixture(scope="session")
def questions(tiny, profile) -> Questions:
    return Questions(profile, load_tokenizer(tiny), 13)


@pytest.fixture
def stager() -> Stager:
    return Stager(CPU, torch.float32)


@pytest.fixture
def learner(tiny) -> Callable[..., Learner]:
    """The tiny model in float32 by some settings."""

    def load(**values: object) -> Learner:
        loaded = load_learner(settings_of(**values), tiny, Arithmetic.FLOAT32, CPU)
        loaded.model.train()
        return loaded

    return load


@pytest.fixture(scope="session")
def clips() -> list[LabelledClip]:
    """Of several sizes and lengths, both labels, and one that counts twice."""
    return [
        label_drawing(0, True),
        label_drawing(1, False, seconds=4.1, n_frames=8),
        label_drawing(2, False, width_px=96, weight=2.0),
        label_drawing(3, True, seconds=0.7, n_frames=4),
    ]
