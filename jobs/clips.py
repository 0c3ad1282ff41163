"""Cut videos or moments of an output for a reviewer, and take the answers back as labels.

python jobs/clips.py scores --draw 60 --to review
python jobs/clips.py scores --top 10 --surest yes --surest no --to review
python jobs/clips.py scores --answers sheet-ab.csv sheet-cd.csv --labels-out reviewed
"""

from ah_ray.cli.job import run_job
from ah_ray.commands.clips import command

if __name__ == "__main__":
    run_job(command)
