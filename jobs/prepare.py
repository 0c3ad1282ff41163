"""Prepare labelled videos for training and evaluation: windows, splits, pseudonyms.

python jobs/prepare.py --bah /data/BAH --out s3://study/labels --id-key key.txt
python jobs/prepare.py --table labels.csv --out labels --id-key key.txt --split 0.7,0.1,0.2
"""

from ah_ray.cli.job import run_job
from ah_ray.commands.prepare import command

if __name__ == "__main__":
    run_job(command)
