"""Draws the pictures of README and docs anew: `make screenshots`. The bundled examples in a real Chromium.

Writes docs/images/<page>.png, and <page>-dark.png for some, in few colours to stay small.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.serving import ROOT, served

IMAGES = ROOT / "docs" / "images"
WIDTH, COLOURS, SETTLING = 1280, 160, 2500
"""Pixels; colours of a picture; milliseconds for charts to come to rest."""
PAGES = {
    "home": ("", 900),
    "launch": ("launch", 1000),
    "runs": ("runs", 700),
    "monitor": ("monitor", 1000),
    "widths": ("widths", 1230),
    "why": ("why?scope=local", 1200),
    "ablations": ("ablations?study=compression", 1050),
    "trade_off": ("trade_off", 900),
    "predict": ("predict", 1000),
    "report": ("report", 1000),
}
"""Name of the picture -> address and height."""
DARK = ("widths", "why")


def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no Chromium found: apt-get install chromium")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "runs") as (address, _), sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=arguments)
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport={"width": WIDTH, "height": 1000}, color_scheme=scheme)  # type: ignore[arg-type]
            page = context.new_page()
            for name in PAGES if scheme == "light" else DARK:
                path, height = PAGES[name]
                page.set_viewport_size({"width": WIDTH, "height": height})
                page.goto(f"http://{address}/{path}")
                save(page, IMAGES / f"{name}{'-dark' if scheme == 'dark' else ''}.png")
        browser.close()


def save(page: Page, path: Path) -> None:
    page.get_by_test_id("stMain").get_by_role("heading").first.wait_for()
    page.wait_for_timeout(SETTLING)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
