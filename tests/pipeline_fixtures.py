"""What tests of the whole job share: one Ray for all, and an invented cohort."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray
from rich.console import Console

from ah_ray.config import score_settings
from ah_ray.media.demo_cohort import make_cohort
from ah_ray.pipeline.run import Outcome, score


@pytest.fixture(scope="session")
def ray_session(s3_server) -> Iterator[None]:
    """A Ray of two cores; its workers know where S3 is."""
    ray.init(
        "local",
        num_cpus=2,
        object_store_memory=300 * 1024**2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def whole_cohort(tmp_path_factory) -> Path:
    """The demonstration's recordings: good, odd and damaged. Not to be changed."""
    folder = tmp_path_factory.mktemp("cohort")
    make_cohort(folder)
    return folder


@pytest.fixture
def small_cohort(whole_cohort, tmp_path) -> Path:
    """Four recordings of its own, one of them unreadable."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    for name in ("visit-01/answer 1.mp4", "visit-01/answer 2.mp4", "visit-02/answer 1.mp4"):
        shutil.copy(whole_cohort / name, folder / name.replace("/", " "))
    (folder / "empty.mp4").touch()
    return folder


@pytest.fixture
def scored(ray_session) -> Callable[..., Outcome]:
    """Scores with the tiny model, in this process."""

    def run(videos: object, out: object, **settings: object) -> Outcome:
        values = {"videos": str(videos), "out": str(out), "model": "tiny", **settings}
        return score(score_settings(**values), Console(quiet=True))

    return run
