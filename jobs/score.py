"""Score every video of a cohort: one Parquet row per video, even if scoring it fails.

python jobs/score.py --demo
python jobs/score.py --videos s3://bucket/cohort --out s3://bucket/scores --model /models/omni
"""

from ah_ray.cli.job import run_job
from ah_ray.commands.score import command

if __name__ == "__main__":
    run_job(command)
