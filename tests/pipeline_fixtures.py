"""What tests of the whole job share: one Ray for all, and an invented cohort."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import ray
from rich.console import Console

from ah_ray.config import score_settings
from ah_ray.interfaces.scorer import Scorer
from ah_ray.media.ffmpeg.demo_cohort import make_cohort
from ah_ray.pipeline import graph
from ah_ray.pipeline.actors.model_families import ReplicaSettings
from ah_ray.pipeline.actors.replica import Replica
from ah_ray.pipeline.run import Outcome, score
from tests.fake_scorer import FakeScorer


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
    return _small(whole_cohort, tmp_path / "cohort")


def _small(whole_cohort: Path, folder: Path) -> Path:
    folder.mkdir()
    for name in ("visit-01/answer 1.mp4", "visit-01/answer 2.mp4", "visit-02/answer 1.mp4"):
        shutil.copy(whole_cohort / name, folder / name.replace("/", " "))
    (folder / "empty.mp4").touch()
    return folder


def _score(videos: object, out: object, **settings: object) -> Outcome:
    values = {"videos": str(videos), "out": str(out), "model": "tiny", **settings}
    return score(score_settings(**values), Console(quiet=True))


@pytest.fixture
def scored(ray_session) -> Callable[..., Outcome]:
    """Scores with the tiny model, in this process."""
    return _score


@dataclass(frozen=True, slots=True)
class Night:
    """A small cohort, its output, and how the run ended."""

    cohort: Path
    out: Path
    outcome: Outcome


@pytest.fixture(scope="session")
def first_night(whole_cohort, ray_session, tmp_path_factory) -> Night:
    """The small cohort, scored with the tiny model. Not to be changed."""
    folder = tmp_path_factory.mktemp("night")
    cohort = _small(whole_cohort, folder / "cohort")
    return Night(cohort, folder / "out", _score(cohort, folder / "out"))


@pytest.fixture
def last_night(first_night, tmp_path) -> Night:
    """A copy of the first night, of the same size and times: the next one finds all done."""
    for name in ("cohort", "out"):
        shutil.copytree(first_night.cohort.parent / name, tmp_path / name)
    return Night(tmp_path / "cohort", tmp_path / "out", first_night.outcome)


@pytest.fixture
def scored_without_model(ray_session, monkeypatch) -> Callable[..., Outcome]:
    """As `scored`, but each clip gets 0.5: where the model plays no part. A replica takes seconds
    to import it."""
    plain, keeping = FakeScorer(), FakeScorer(with_embeddings=True)

    class Undecided(Replica):  # a local class: workers get it by value
        def _load(self, settings: ReplicaSettings) -> Scorer:
            return keeping if settings.keep_embeddings else plain

    monkeypatch.setattr(graph, "Replica", Undecided)
    return _score
