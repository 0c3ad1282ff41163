"""One worker of a training: steps, evaluations, checkpoints. Ray Train starts as many as asked."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ray.train
import torch
from ray.train.torch import get_device
from torch.nn.utils import clip_grad_norm_

from ah_ray.config import Arithmetic
from ah_ray.omni.loading import DTYPES
from ah_ray.omni.local_copy import local_checkpoint
from ah_ray.omni.staging import Stager
from ah_ray.omni.tokens import load_tokenizer
from ah_ray.profile import Profile
from ah_ray.training import feed
from ah_ray.training.collective import rank
from ah_ray.training.exported import export
from ah_ray.training.feed import DecodeStage, Feed, LabelledWindow
from ah_ray.training.grpo import Rewarded
from ah_ray.training.judge import Judge, Judged
from ah_ray.training.learner import Learner, load_learner
from ah_ray.training.order import Order
from ah_ray.training.questions import LabelledClip, Questions
from ah_ray.training.saved import Progress, read_back, written
from ah_ray.training.schedule import learning_rate
from ah_ray.training.settings import Method, TrainSettings
from ah_ray.training.supervised import Supervised


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """All that a worker is told."""

    settings: TrainSettings
    profile: Profile
    arithmetic: Arithmetic
    base_name: str
    train: tuple[LabelledWindow, ...]
    val: tuple[LabelledWindow, ...]
    order: Order
    n_steps: int
    evaluate_at: frozenset[int]  # steps after which it is judged, and saved
    stage: DecodeStage
    token_budget: int
    about: dict[str, Any]  # the beginning of training.json
    journal: Any  # an actor: Journal


def work(config: dict[str, Assignment]) -> None:
    """Ray Train calls this in every worker, and again after one was lost."""
    Worker(config["assignment"]).run()


class Worker:
    """Its share of every step."""

    def __init__(self, assignment: Assignment):
        self._told = assignment
        self._settings = settings = assignment.settings
        feed.configure()
        self._device = device = get_device()
        cache = settings.model_cache and Path(settings.model_cache)
        self._base = local_checkpoint(settings.model, cache, self._say)
        self._learner = load_learner(settings, self._base, assignment.arithmetic, device, self._say)
        self._learner.model.train()
        config = self._learner.model.config
        tokenizer = load_tokenizer(self._base)
        questions = Questions(assignment.profile, tokenizer, config.position_id_per_seconds)
        stager = Stager(device, DTYPES[assignment.arithmetic])
        shared = {"token_budget": assignment.token_budget}
        self._judge = Judge(self._learner, questions, stager, **shared)
        if settings.method is Method.GRPO:
            self._teacher = Rewarded(self._learner, questions, stager, settings, **shared)
        else:
            self._teacher = Supervised(
                self._learner, questions, stager, balance=_balance(settings, config), **shared
            )
        self._optimiser = _optimiser(self._learner, settings)
        self._progress = Progress()
        self._waited_s = 0.0  # by the feed, up to the last step

    def run(self) -> None:
        kept = ray.train.get_checkpoint()
        if kept is not None:
            self._progress = read_back(kept, self._learner, self._optimiser)
            self._tell("resumed", self._progress.step)
        steps = [] if self._settled else self._steps()
        source = Feed(self._told.train, steps, self._told.stage)
        for (epoch, _), clips in zip(steps, source, strict=True):
            self._step(epoch, clips, source)
            if self._progress.step in self._told.evaluate_at and self._evaluate(epoch):
                break
        self._tell("skipped", source.skipped)
        self._finish()

    def _steps(self) -> list[tuple[int, list[int]]]:
        """(epoch, windows) of each step of this worker that is still to be made."""
        told = self._told
        context = ray.train.get_context()
        mine = told.order.steps(context.get_world_rank(), context.get_world_size())
        epochs = (e for e in range(told.order.epochs) for _ in range(told.order.steps_of(e)))
        every = list(zip(epochs, mine, strict=True))[: told.n_steps]
        return every[self._progress.step :]

    def _step(self, epoch: int, clips: Sequence[LabelledClip], source: Feed) -> None:
        waited_s, self._waited_s = source.waited_s - self._waited_s, source.waited_s
        began = time.monotonic() - waited_s
        rate = learning_rate(
            self._progress.step,
            n_steps=self._told.n_steps,
            highest=self._settings.rate,
            warmup=self._settings.warmup,
        )
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        given = self._teacher.gradients(clips, self._progress.step)
        norm = clip_grad_norm_(self._learner.parameters, self._settings.clip_norm)
        norm = float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
        if math.isfinite(norm):
            self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self._progress.step += 1
        self._row(
            epoch=epoch,
            learning_rate=rate,
            gradient_norm=norm,
            step_s=time.monotonic() - began,
            waited_s=waited_s,
            **asdict(given),
        )

    def _evaluate(self, epoch: int) -> bool:
        """Judges and saves; true if it is time to stop."""
        judged = self._judged()
        progress = self._progress
        better = progress.best_score is None or judged.score > progress.best_score
        progress.evaluations_since_best = 0 if better else progress.evaluations_since_best + 1
        if better:
            progress.best_score, progress.best_step = judged.score, progress.step
        self._row(epoch=epoch, **{f"val_{name}": value for name, value in asdict(judged).items()})
        measures = {"score": judged.score, "step": progress.step, **asdict(judged)}
        with written(self._learner, self._optimiser, progress) as checkpoint:
            ray.train.report(measures, checkpoint=checkpoint)
        return self._settled

    @property
    def _settled(self) -> bool:
        """Whether it has not become better for as long as was asked."""
        patience = self._settings.patience
        return patience is not None and self._progress.evaluations_since_best >= patience

    def _judged(self) -> Judged:
        """Over the split `val`, each worker with every so-manieth video."""
        context, told = ray.train.get_context(), self._told
        workers, mine = context.get_world_size(), context.get_world_rank()
        shares = [_share(told.val, told.settings.batch, w, workers) for w in range(workers)]
        n_steps = max(map(len, shares))
        steps = [(0, step) for step in shares[mine]] + [(0, [])] * (n_steps - len(shares[mine]))
        # The training's own decoders wait meanwhile, and keep their cores: these ask for none.
        stage = DecodeStage(settings=told.stage.settings, decoders=told.stage.decoders, cpus=0)
        return self._judge.judge(Feed(told.val, steps, stage), told.val)

    def _finish(self) -> None:
        """Exports the best of what was saved."""
        kept = ray.train.get_all_reported_checkpoints()
        best = max(kept, key=lambda c: (c.metrics["score"], c.metrics["step"]))
        read_back(best.checkpoint, self._learner, self._optimiser)
        measures = {n: v for n, v in best.metrics.items() if n not in ("score", "step")}
        about = {
            **self._told.about,
            "steps": self._progress.step,
            "best": {"step": best.metrics["step"], "measures": measures},
        }
        export(self._learner, self._base, self._told.base_name, self._settings.out, about)

    def _row(self, **values: Any) -> None:
        row = {"step": self._progress.step, **values}
        self._progress.rows.append(row)
        self._tell("row", row)

    def _say(self, text: str) -> None:
        self._tell("said", text)

    def _tell(self, kind: str, what: Any) -> None:
        if rank() == 0:
            self._told.journal.tell.remote(kind, what)


def _share(
    windows: Sequence[LabelledWindow], batch: int, worker: int, workers: int
) -> list[list[int]]:
    """The windows of every so-manieth video, in steps of a worker's part of the batch."""
    videos = {uri: n for n, uri in enumerate(dict.fromkeys(w.uri for w in windows))}
    mine = [n for n, window in enumerate(windows) if videos[window.uri] % workers == worker]
    size = max(1, batch // workers)
    return [mine[start : start + size] for start in range(0, len(mine), size)]


def _optimiser(learner: Learner, settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW in float32; what has one dimension (norms, biases) does not decay."""
    parameters = learner.parameters
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    betas = (settings.beta1, settings.beta2)
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.rate, betas=betas)


def _balance(settings: TrainSettings, config) -> float:
    """How much the experts' balance loss counts: as the config has it, unless it is named."""
    text = config.text_config
    if settings.balance_loss is not None:
        return settings.balance_loss
    return text.router_aux_loss_coef if getattr(text, "output_router_logits", False) else 0.0
