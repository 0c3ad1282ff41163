"""Convert the errors of Ray and Ray Train to ours: a lost process or machine ends a job with 3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ray.exceptions import OutOfMemoryError, RayError
from ray.train.v2.api.exceptions import TrainingFailedError

from ah_ray.errors import AhRayError, TrainingStopped


@contextmanager
def convert_ray_errors() -> Iterator[None]:
    """Raise what Ray raises about its machines and processes as TrainingStopped."""
    try:
        yield
    except OutOfMemoryError as error:
        raise TrainingStopped(
            "Ray ended a process because its machine ran out of memory "
            f"({_split_lines(error)[0]}); give machines with more memory, fewer --decoders, or a "
            "smaller --token-budget"
        ) from None
    except RayError as error:
        if isinstance(error, AhRayError):  # one of ours, raised in another process
            raise
        raise TrainingStopped(
            f"Ray lost a process or a machine: {_split_lines(error)[0]}"
        ) from None


def _split_lines(error: BaseException) -> list[str]:
    """Return the lines of an error's message; at least one."""
    lines = [line.strip()[:300] for line in str(error).splitlines() if line.strip()]
    return lines or [repr(error)[:300]]


def find_cause(error: TrainingFailedError) -> AhRayError:
    """Return what a worker raised, as an error of ours."""
    failures = getattr(error, "worker_failures", {}) or {}
    for failure in failures.values():
        while failure is not None:
            if isinstance(failure, AhRayError):
                return failure
            failure = getattr(failure, "cause", None) or failure.__cause__
    first = next(iter(failures.values()), error)
    return TrainingStopped(f"the training stopped: {_split_lines(first)[-1]}")
