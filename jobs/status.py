"""Show the state of an output, from storage alone: what is done, what runs, what failed.

python jobs/status.py s3://bucket/scores
python jobs/status.py s3://bucket/scores --purge withdrawn.csv
"""

from ah_ray.cli.job import run_job
from ah_ray.commands.status import command

if __name__ == "__main__":
    run_job(command)
