"""One worker of a training: steps, evaluations, checkpoints. Ray Train starts the workers."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import ray
import ray.train
import torch
from ray.train.torch import get_device
from torch.distributed.tensor import DTensor
from torch.nn.utils import clip_grad_norm_
from transformers import Qwen3OmniMoeThinkerConfig

from ah_ray.errors import LeaseLost
from ah_ray.omni.inputs.config_parts import get_text_config
from ah_ray.omni.inputs.staging import Stager
from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.omni.model.loading import DTYPES
from ah_ray.omni.weights.download import fetch_checkpoint
from ah_ray.training.checkpointing import TrainingState, load_checkpoint, save_checkpoint
from ah_ray.training.data import dataloader
from ah_ray.training.data.assignment import Assignment
from ah_ray.training.data.dataloader import ClipLoader, DecodeStage, LabelledWindow
from ah_ray.training.data.modality import draw_modality
from ah_ray.training.data.questions import LabelledClip, Questions
from ah_ray.training.export import export_model
from ah_ray.training.settings import Method, TrainSettings
from ah_ray.training.steps.collective import gather_lists, get_rank, sum_over_workers
from ah_ray.training.steps.grpo import RewardStep
from ah_ray.training.steps.learner import Learner, load_learner
from ah_ray.training.steps.learning_rate import compute_learning_rate
from ah_ray.training.steps.lost_windows import LostWindows, exceeds_limit, format_too_many_lost
from ah_ray.training.steps.supervised import SupervisedStep
from ah_ray.training.validation import Measures, Validator


class _Stopped(Exception):
    """All workers end, and none is to be started again; the message is for the user."""


def run_worker(config: dict[str, Assignment]) -> None:
    """Run the training. Ray Train calls this in every worker, and again after a loss."""
    Worker(config["assignment"]).run()


class Worker:
    """One worker's share of every step."""

    def __init__(self, assignment: Assignment):
        self._assignment = assignment
        self._settings = settings = assignment.settings
        dataloader.configure_ray_data()
        self._device = device = get_device()
        cache = Path(settings.model_cache) if settings.model_cache else None
        self._base = fetch_checkpoint(settings.model, cache, self._report_message)
        self._learner = load_learner(
            settings, self._base, assignment.arithmetic, device, self._report_message
        )
        self._learner.model.train()
        config = self._learner.model.config
        tokenizer = load_tokenizer(self._base)
        questions = Questions(assignment.profile, tokenizer, config.position_id_per_seconds)
        stager = Stager(device, DTYPES[assignment.arithmetic])
        shared = {"token_budget": assignment.token_budget}
        self._validator = Validator(self._learner, questions, stager, **shared)
        self._step_kind: RewardStep | SupervisedStep
        if settings.method is Method.GRPO:
            self._step_kind = RewardStep(self._learner, questions, stager, settings, **shared)
        else:
            self._step_kind = SupervisedStep(
                self._learner,
                questions,
                stager,
                balance=_choose_balance_weight(settings, config),
                **shared,
            )
        self._optimiser = _make_optimiser(self._learner, settings)
        self._progress = TrainingState()
        self._waited_s = 0.0  # by the feed, up to the last step
        self._lost_windows = LostWindows()

    def run(self) -> None:
        """Continue from the last checkpoint if there is one, train, and export the best model."""
        kept = ray.train.get_checkpoint()
        if kept is not None:
            self._progress = load_checkpoint(kept, self._learner, self._optimiser)
            self._lost_windows = LostWindows.from_json(self._progress.lost)
            self._send("resumed", self._progress.step)
        try:
            self._run_steps()
            self._confirm_lease()
        except _Stopped as stop:
            # Not raised on: Ray Train would start all workers again, to be stopped once more.
            self._send("stopped", str(stop), wait=True)
            return
        self._export_best()

    def _run_steps(self) -> None:
        """Make the steps that are left; raise _Stopped, in every worker, if too little came or
        another training has taken OUT."""
        steps = [] if self._is_settled else self._list_steps()
        source = ClipLoader(self._assignment.train, steps, self._assignment.stage)
        self._share_lost_windows("train", {})  # what was lost before a checkpoint counts too
        for (epoch, _), clips in zip(steps, source, strict=True):
            self._share_lost_windows("train", source.skipped)
            self._run_step(epoch, clips, source)
            if self._progress.step in self._assignment.evaluate_at and self._evaluate(epoch):
                break

    def _share_lost_windows(self, split: str, skipped: Mapping[int, str]) -> None:
        """Tell the other workers what this one could not decode, and compare it with the limit.

        All workers call it together, and all of them raise _Stopped, or none.
        """
        assignment, lost = self._assignment, self._lost_windows.of(split)
        new = {number: why for number, why in skipped.items() if number not in lost}
        if sum_over_workers(len(new), device=self._device)[0]:
            lost.update(gather_lists(list(new.items())))
            self._progress.lost = self._lost_windows.to_json()
            self._send("lost", self._lost_windows, wait=True)
        windows, n_asked = (
            (assignment.train, assignment.n_asked)
            if split == "train"
            else (assignment.val, len(assignment.val))
        )
        if exceeds_limit(len(lost), n_asked, self._settings.max_lost):
            raise _Stopped(
                format_too_many_lost(split, lost, windows, n_asked, self._settings.max_lost)
            )

    def _confirm_lease(self) -> None:
        """Raise _Stopped if another training has taken OUT, before anything is written there.

        All workers call it together, and all of them raise, or none.
        """
        if self._assignment.guard is None:
            return
        why = ""
        try:
            self._assignment.guard.confirm()
        except LeaseLost as loss:
            why = str(loss)
        if sum_over_workers(int(bool(why)), device=self._device)[0]:
            raise _Stopped(why or f"another training has taken {self._settings.out}")

    def _list_steps(self) -> list[tuple[int, list[int]]]:
        """Return (epoch, windows) of each remaining step of this worker."""
        assignment = self._assignment
        context = ray.train.get_context()
        mine = assignment.order.steps(context.get_world_rank(), context.get_world_size())
        epochs = (
            e
            for e in range(assignment.order.epochs)
            for _ in range(assignment.order.count_steps(e))
        )
        every = list(zip(epochs, mine, strict=True))[: assignment.n_steps]
        return every[self._progress.step :]

    def _run_step(self, epoch: int, clips: Sequence[LabelledClip], source: ClipLoader) -> None:
        waited_s, self._waited_s = source.waited_s - self._waited_s, source.waited_s
        began = time.monotonic() - waited_s
        rate = compute_learning_rate(
            self._progress.step,
            n_steps=self._assignment.n_steps,
            highest=self._settings.rate,
            warmup=self._settings.warmup,
        )
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        seed, dropout = self._settings.seed, self._settings.modality_dropout
        looks = [
            replace(clip, sees=draw_modality(seed, epoch, clip.window, dropout)) for clip in clips
        ]
        given = self._step_kind.add_gradients(looks, self._progress.step)
        total = clip_grad_norm_(self._learner.parameters, self._settings.clip_norm)
        norm = float(total.full_tensor() if isinstance(total, DTensor) else total)
        if math.isfinite(norm):
            self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self._progress.step += 1
        self._report_row(
            epoch=epoch,
            learning_rate=rate,
            gradient_norm=norm,
            step_s=time.monotonic() - began,
            waited_s=waited_s,
            **asdict(given),
        )

    def _evaluate(self, epoch: int) -> bool:
        """Validate and save; return True if it is time to stop."""
        measures = self._validate()
        progress = self._progress
        better = progress.best_score is None or measures.score > progress.best_score
        progress.evaluations_since_best = 0 if better else progress.evaluations_since_best + 1
        if better:
            progress.best_score, progress.best_step = measures.score, progress.step
        self._report_row(
            epoch=epoch, **{f"val_{name}": value for name, value in asdict(measures).items()}
        )
        reported = {"score": measures.score, "step": progress.step, **asdict(measures)}
        self._confirm_lease()
        with save_checkpoint(self._learner, self._optimiser, progress) as checkpoint:
            ray.train.report(reported, checkpoint=checkpoint)
        return self._is_settled

    @property
    def _is_settled(self) -> bool:
        """Return whether the score has not improved for `--patience` evaluations."""
        patience = self._settings.patience
        return patience is not None and self._progress.evaluations_since_best >= patience

    def _validate(self) -> Measures:
        """Return the measures on the split `val`; each worker takes every nth video."""
        context, assignment = ray.train.get_context(), self._assignment
        workers, mine = context.get_world_size(), context.get_world_rank()
        shares = [
            _split_videos(assignment.val, assignment.settings.batch, w, workers)
            for w in range(workers)
        ]
        n_steps = max(map(len, shares))
        steps = [(0, step) for step in shares[mine]] + [(0, [])] * (n_steps - len(shares[mine]))
        # The training's own decoders wait meanwhile, and keep their cores: these ask for none.
        stage = DecodeStage(
            settings=assignment.stage.settings, decoders=assignment.stage.decoders, cpus=0
        )
        source = ClipLoader(assignment.val, steps, stage)
        measures = self._validator.validate(source, assignment.val)
        self._share_lost_windows("val", source.skipped)
        return measures

    def _export_best(self) -> None:
        """Export the best checkpoint."""
        kept = ray.train.get_all_reported_checkpoints()
        best = max(kept, key=lambda c: (c.metrics["score"], c.metrics["step"]))
        load_checkpoint(best.checkpoint, self._learner, self._optimiser)
        best_measures = {n: v for n, v in best.metrics.items() if n not in ("score", "step")}
        lost = {f"{split}_windows": len(self._lost_windows.of(split)) for split in ("train", "val")}
        labels = self._assignment.about["labels"]
        about = {
            **self._assignment.about,
            "labels": {**labels, **{name: labels[name] - n for name, n in lost.items()}},
            "lost": lost,
            "steps": self._progress.step,
            "best": {"step": best.metrics["step"], "measures": best_measures},
        }
        export_model(
            self._learner,
            self._base,
            self._assignment.base_name,
            self._settings.out,
            about,
            confirm=self._assignment.guard.check if self._assignment.guard else lambda: None,
        )

    def _report_row(self, **values: Any) -> None:
        row = {"step": self._progress.step, **values}
        self._progress.rows.append(row)
        self._send("row", row)

    def _report_message(self, text: str) -> None:
        self._send("message", text)

    def _send(self, kind: str, what: Any, *, wait: bool = False) -> None:
        """Send an entry to the driver; with `wait`, return once the driver can read it."""
        if get_rank() == 0:
            assignment = self._assignment.journal.add.remote(kind, what)
            if wait:
                ray.get(assignment)


def _split_videos(
    windows: Sequence[LabelledWindow], batch: int, worker: int, workers: int
) -> list[list[int]]:
    """Return the windows of every nth video, in steps of a worker's part of the batch."""
    videos = {uri: n for n, uri in enumerate(dict.fromkeys(w.uri for w in windows))}
    mine = [n for n, window in enumerate(windows) if videos[window.uri] % workers == worker]
    size = max(1, batch // workers)
    return [mine[start : start + size] for start in range(0, len(mine), size)]


def _make_optimiser(learner: Learner, settings: TrainSettings) -> torch.optim.AdamW:
    """Return AdamW in float32, without weight decay for parameters of one dimension.

    These are norms and biases.
    """
    parameters = learner.parameters
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    betas = (settings.beta1, settings.beta2)
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.rate, betas=betas)


def _choose_balance_weight(settings: TrainSettings, config: Qwen3OmniMoeThinkerConfig) -> float:
    """Return the weight of the experts' balance loss: the named one, or the config's."""
    text = get_text_config(config)
    if settings.balance_loss is not None:
        return settings.balance_loss
    return text.router_aux_loss_coef if getattr(text, "output_router_logits", False) else 0.0
