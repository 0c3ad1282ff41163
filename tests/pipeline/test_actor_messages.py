"""Sentences of actors reach the driver: once each, and few."""

from __future__ import annotations

import io

import pytest
import ray
from rich.console import Console

from ah_ray.config import score_settings
from ah_ray.interfaces.scorer import Scorer
from ah_ray.omni.weights.checkpoint import find_checkpoint
from ah_ray.omni.weights.download import fetch_checkpoint
from ah_ray.pipeline import graph
from ah_ray.pipeline.actors.actor_messages import MAX_NOTICES, Notices
from ah_ray.pipeline.actors.model_families import ReplicaSettings
from ah_ray.pipeline.actors.replica import Replica
from ah_ray.pipeline.run import score
from tests.fake_scorer import FakeScorer


@ray.remote(num_cpus=0)
def talk(messenger, texts: list[str]) -> None:
    for text in texts:
        messenger(text)


def test_what_several_processes_say_is_heard_once(ray_session):
    heard: list[str] = []
    with Notices(heard.append) as notices:
        ray.get([talk.remote(notices.messenger, ["loading", "loaded"]) for _ in range(2)])
    assert heard == ["loading", "loaded"]


def test_a_flood_stays_a_handful(ray_session):
    heard: list[str] = []
    with Notices(heard.append) as notices:
        ray.get(talk.remote(notices.messenger, [str(n) for n in range(10 * MAX_NOTICES)]))
    assert heard == [str(n) for n in range(MAX_NOTICES)]


def test_a_board_that_is_lost_costs_nothing(ray_session):
    with Notices(lambda _: None) as notices:
        ray.kill(notices.messenger.board)
        ray.get(talk.remote(notices.messenger, ["is anyone there?"]))


@pytest.mark.parametrize("hide", [False, True])
def test_who_started_the_run_reads_that_a_model_was_copied(
    ray_session, small_cohort, bucket, s3_client, tmp_path, monkeypatch, hide
):
    class Copying(Replica):  # a local class: workers get it by value
        """Copies the model as any replica does, and saves the seconds that it takes to load it."""

        def _load(self, settings: ReplicaSettings) -> Scorer:
            fetch_checkpoint(settings.model, settings.cache, settings.say)
            return FakeScorer()

    monkeypatch.setattr(graph, "Replica", Copying)
    for path in find_checkpoint("tiny").iterdir():
        s3_client.put_object(Bucket=bucket, Key=f"model/{path.name}", Body=path.read_bytes())
    settings = score_settings(
        videos=str(small_cohort),
        out=str(tmp_path / "out"),
        model=f"s3://{bucket}/model",
        profile="tiny",
        device="cpu",
        model_cache=str(tmp_path / "cache"),
        max_failed=1.0,
        hide_uris=hide,
    )
    console = Console(file=io.StringIO(), width=200)
    assert score(settings, console).summary.exit_status == 0
    said = console.file.getvalue()
    assert (f"copying s3://{bucket}/model to" in said) is not hide
    assert "copied 0.00 GB in" in said and "MB/s" in said
