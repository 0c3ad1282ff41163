"""Form new verdicts from finished outputs: another reducer, threshold, calibration, or an ensemble.

python jobs/reduce.py scores --out scores-mean --reducer mean --threshold 0.6
python jobs/reduce.py scores-1 scores-2 scores-3 --out scores-vote
"""

from ah_ray.cli.job import run_job
from ah_ray.commands.reduce import command

if __name__ == "__main__":
    run_job(command)
