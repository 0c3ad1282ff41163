"""For every loss in Ray, a training ends with a sentence; errors of ours stay what they are."""

from __future__ import annotations

import os

import pytest
import ray
from ray.exceptions import OutOfMemoryError

from ah_ray.errors import ConfigError, TrainingStopped
from ah_ray.training.ray_errors import convert_ray_errors


def test_out_of_memory_says_what_helps():
    said = r"ran out of memory \(Task was killed\); .* fewer --decoders"
    with pytest.raises(TrainingStopped, match=said), convert_ray_errors():
        raise OutOfMemoryError("Task was killed\nMemory on the node was 62.8GB / 64.0GB")


def test_a_process_that_dies(ray_session):
    def die() -> None:
        os._exit(1)

    with (
        pytest.raises(TrainingStopped, match="Ray lost a process or a machine"),
        convert_ray_errors(),
    ):
        ray.get(ray.remote(max_retries=0)(die).remote())


def test_an_error_of_ours_in_another_process(ray_session):
    def fail() -> None:
        raise ConfigError("--model x: no such directory")

    with pytest.raises(ConfigError, match="no such directory"), convert_ray_errors():
        ray.get(ray.remote(fail).remote())
