"""Train Qwen3-Omni on labelled videos: LoRA, full-parameter, or from rewards.

python jobs/train.py --labels /labels --model /models/qwen3-omni --out /runs/lora
"""

from ah_ray.cli.job import run_job
from ah_ray.commands.train import command

if __name__ == "__main__":
    run_job(command)
