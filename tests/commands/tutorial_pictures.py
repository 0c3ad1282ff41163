"""Takes the pictures of docs/tutorial.md, in a folder where its commands were run.

python tests/commands/tutorial_pictures.py FOLDER
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = {
    "tutorial-review.png": "review/index.html",
    "tutorial-labels.png": "ah_ray_demo/scores/report.html",
}


def take_pictures(folder: Path) -> None:
    """Write a picture of the first screen of each page into docs/."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 760})
        for picture, file in PICTURES.items():
            page.goto((folder / file).absolute().as_uri())
            page.wait_for_timeout(1500)  # until the first frame of a video is there
            page.screenshot(path=DOCS / picture)
        browser.close()


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]))
