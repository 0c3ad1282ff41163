"""Measure verdicts against people's labels; fit thresholds and calibrations.

python jobs/evaluate.py scores --labels labels
python jobs/evaluate.py scores-a scores-b --labels labels --to comparison
python jobs/evaluate.py scores --labels labels --write-calibration calibration.json
"""

from ah_ray.cli.job import run_job
from ah_ray.commands.evaluate import command

if __name__ == "__main__":
    run_job(command)
