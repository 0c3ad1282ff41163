"""Make one HTML page of an output: for people, from disk, with no network.

python jobs/report.py scores
python jobs/report.py scores --labels labels --link-videos
"""

from ah_ray.cli.job import run_job
from ah_ray.commands.report import command

if __name__ == "__main__":
    run_job(command)
