"""Takes the picture of the demo in the README: `python -m tests.browser.picture`.

It shows the first experiment of the page "Side by side" alone, so that the README stays short.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS
from tests.browser.demo import ROOT, Demo
from tests.browser.needs import CHROMIUM

PICTURE = ROOT / "docs" / "_static" / "side-by-side.png"
WIDTH = 1000


def take(picture: Path) -> None:
    executable = next(filter(None, map(shutil.which, CHROMIUM)))
    with TemporaryDirectory() as folder, Demo(Path(folder)) as demo, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable, args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": 800}, color_scheme="light")
        page.goto(demo.url + "/side-by-side/")
        card = page.locator("#parallel")
        card.get_by_role("button", name="Run").click()
        card.get_by_role("status").wait_for()
        card.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=PICTURE, help="default: %(default)s")
    take(parser.parse_args().output)
