"""Train Qwen3-Omni on labelled videos: LoRA, full-parameter, or from rewards.

python jobs/train.py --labels /labels --model /models/qwen3-omni --out /runs/lora
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ah_ray.exit_status import Job, exits, read_config_file

LEARNING, LORA, REWARDS, MACHINES, WATCHING = (
    "Learning", "Low-rank updates (lora, grpo)", "Rewards (grpo)", "Machines", "Watching",
)  # fmt: skip

app = Job()


def option(text: str, panel: str | None = None):
    return typer.Option(help=text, rich_help_panel=panel, show_default=False)


@app.command()
@exits(goes_on=True)
def train(
    demo: Annotated[bool, option("Draw talking faces and teach the tiny model, anew.")] = False,
    labels: Annotated[str | None, option("What jobs/prepare.py wrote.")] = None,
    model: Annotated[str | None, option("Base: a directory, s3://…, or `tiny`.")] = None,
    out: Annotated[str | None, option("Folder or s3://… for checkpoints and the model.")] = None,
    method: Annotated[str | None, option("lora (default), full, grpo.")] = None,
    profile: Annotated[str | None, option("seed (default), seed-448, or a YAML file.")] = None,
    config: Annotated[Path | None, option("YAML with these same names; flags win.")] = None,
    plan: Annotated[bool | None, option("Say what it would take; do nothing.")] = None,
    epochs: Annotated[int | None, option("1.", LEARNING)] = None,
    batch: Annotated[int | None, option("Windows of a step, of all workers: 64.", LEARNING)] = None,
    max_steps: Annotated[int | None, option("Stop after so many steps.", LEARNING)] = None,
    learning_rate: Annotated[
        float | None, option("At its highest: 1e-5; grpo 1e-6.", LEARNING)
    ] = None,
    warmup: Annotated[float | None, option("Share of the steps: 0.05.", LEARNING)] = None,
    weight_decay: Annotated[float | None, option("0.1.", LEARNING)] = None,
    beta1: Annotated[float | None, option("Of AdamW: 0.9.", LEARNING)] = None,
    beta2: Annotated[float | None, option("Of AdamW: 0.95.", LEARNING)] = None,
    clip_norm: Annotated[float | None, option("Largest norm of gradients: 1.", LEARNING)] = None,
    balance: Annotated[
        str | None, option("none (default), weights, draw: of the rarer label.", LEARNING)
    ] = None,
    balance_loss: Annotated[
        float | None, option("Weight of the experts' balance loss: as in the config.", LEARNING)
    ] = None,
    simple_epochs: Annotated[
        int | None, option("First epochs that ask only the simpler questions: 0.", LEARNING)
    ] = None,
    shuffle_windows: Annotated[
        int | None, option("Windows that wait, to be mixed: 256.", LEARNING)
    ] = None,
    seed: Annotated[int | None, option("0.", LEARNING)] = None,
    train_towers: Annotated[
        bool | None, option("Vision and audio towers learn too (full).", LEARNING)
    ] = None,
    lora_rank: Annotated[int | None, option("8.", LORA)] = None,
    lora_alpha: Annotated[float | None, option("32.", LORA)] = None,
    lora_dropout: Annotated[float | None, option("0.05.", LORA)] = None,
    lora_layers: Annotated[str | None, option("all linear (default), attention.", LORA)] = None,
    lora_experts: Annotated[bool | None, option("Experts too.", LORA)] = None,
    lora_router: Annotated[bool | None, option("Routers too.", LORA)] = None,
    group: Annotated[int | None, option("Answers drawn for a window: 8.", REWARDS)] = None,
    temperature: Annotated[float | None, option("At which they are drawn: 1.", REWARDS)] = None,
    kl: Annotated[float | None, option("Cost of leaving the start: 0.04.", REWARDS)] = None,
    evaluate_every: Annotated[
        int | None, option("Judge and save after so many steps; default: each epoch.", WATCHING)
    ] = None,
    patience: Annotated[
        int | None, option("Stop after so many evaluations without a better one.", WATCHING)
    ] = None,
    tensorboard: Annotated[bool | None, option("Also to OUT/tensorboard.", WATCHING)] = None,
    cost_per_hour: Annotated[
        float | None, option("Of all machines together; for the plan.", WATCHING)
    ] = None,
    arithmetic: Annotated[
        str | None, option("bf16 (default on GPU), float32 (on CPU).", MACHINES)
    ] = None,
    workers: Annotated[int | None, option("All GPUs, or one process.", MACHINES)] = None,
    worker_cpus: Annotated[float | None, option("Cores that each asks for: 1.", MACHINES)] = None,
    decoders: Annotated[int | None, option("Of each worker: what is left.", MACHINES)] = None,
    token_budget: Annotated[int | None, option("Of one pass: 16,384 on GPUs.", MACHINES)] = None,
    checkpointing: Annotated[
        bool | None, option("Compute activations twice to save memory: on GPUs.", MACHINES)
    ] = None,
    offload: Annotated[
        bool | None, option("Weights and moments in the CPU's memory (full).", MACHINES)
    ] = None,
    max_failures: Annotated[int | None, option("Restarts after a loss: 3.", MACHINES)] = None,
    model_cache: Annotated[
        Path | None, option("Where a node keeps a model from s3://…", MACHINES)
    ] = None,
) -> int:
    """Train Qwen3-Omni on labelled videos.

    Needed: --labels, --model and --out; or --demo and --out. The same command goes on with a
    training that was broken off.

    Exit status: 0 complete, 2 wrong configuration, 3 stopped (run it again), 4 another holds OUT.
    """
    given: dict[str, Any] = {n: v for n, v in locals().items() if v not in (None, False)}
    given.pop("demo", None)
    settings = {
        **read_config_file(given.pop("config", None)),
        **{name: str(v) if isinstance(v, Path) else v for name, v in given.items()},
    }
    if demo:
        from ah_ray.training.demo import train_demo

        return train_demo(settings)
    from ah_ray.training.settings import train_settings

    checked = train_settings(**settings)
    from ah_ray.training.run import train as run

    return run(checked)


if __name__ == "__main__":
    app()
