"""Score a cohort each night: submit score.py to a cluster, follow it, report the outcome.

python jobs/nightly.py --cohort study --address http://head:8265 --deadline 06:00 -- \\
    --videos s3://study/recordings --out s3://study/scores --model s3://study/models/omni
"""

from ah_ray.cli.job import run_job
from ah_ray.commands.nightly import command

if __name__ == "__main__":
    run_job(command)
