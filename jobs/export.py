"""Export scores and labels to ELAN, BORIS, Label Studio, BIDS, REDCap or spreadsheets.

python jobs/export.py scores --to elan --out for-elan
python jobs/export.py scores --to label-studio --labels labels --link-videos --out tasks
"""

from ah_ray.cli.job import run_job
from ah_ray.commands.export import command

if __name__ == "__main__":
    run_job(command)
