"""Merge LoRA adapters into a model: a checkpoint that score.py loads like any other.

python jobs/merge.py --base /models/qwen3-omni --adapter /runs/lora-1 --out /models/qwen3-omni-ah
"""

from ah_ray.cli.job import run_job
from ah_ray.commands.merge import command

if __name__ == "__main__":
    run_job(command)
