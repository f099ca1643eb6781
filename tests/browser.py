"""What a page does in a real browser: what it logs and asks the network for, what it shows, who can read it."""

import os
import shutil
from dataclasses import dataclass

import pytest

BLANK_IMAGES = """() => [...document.images].filter(image => {
    if (!image.complete || !image.naturalWidth) return true;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 64;
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0, 64, 64);
    const bytes = context.getImageData(0, 0, 64, 64).data;
    return bytes.every((value, index) => value === bytes[index % 4]);
}).map(image => image.alt || image.src.slice(0, 80))"""
OPEN_ALL = "() => document.querySelectorAll('details').forEach(part => { part.open = true })"
TOO_WIDE = "() => Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)"
CUT_TABLES = """() => [...document.querySelectorAll("table")]
    .filter(table => table.scrollWidth > table.parentElement.clientWidth + 1)
    .map(table => [...table.querySelectorAll("thead th")].map(head => head.textContent.trim()).join(", "))"""
DESKTOPS = (1000, 1400, 2400)


@dataclass(frozen=True)
class Visit:
    """What a browser had to say of a page, every part of it opened.

    Attributes
    ----------
    errors : list of str
        Errors of the console, and exceptions of scripts.
    requests : list of str
        What was asked for beside the page itself.
    blank_images : list of str
        Images that cannot be shown, or are of one colour.
    violations : list of str
        What axe-core has against it, with the place.
    overflow : dict of int
        Pixels by which the page is wider than its window, by the width of the window; as asked for, and `DESKTOPS`.
    cut : dict of list of str
        Tables that are wider than their place, by their heads, by the width of the window; of `DESKTOPS` only.
    """

    errors: list[str]
    requests: list[str]
    blank_images: list[str]
    violations: list[str]
    overflow: dict[int, int]
    cut: dict[int, list[str]]


NOTHING_WRONG = Visit([], [], [], [], {}, {})


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium, that of the system."""
    program = os.environ.get("TRIALGRAPH_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", "/tmp")  # the app's own may be gone, and a socket's path in it would be too long
        with sync_playwright() as playwright:
            arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--allow-file-access-from-files"]
            browser = playwright.chromium.launch(executable_path=program, args=arguments, env=dict(os.environ))
            yield browser
            browser.close()


@pytest.fixture(scope="session")
def browse(chromium):
    """Open a page at a width, look at all of it, and say what is wrong; ``screenshot`` keeps the picture.

    Whether all of it fits is looked at in windows of desktops too.
    """
    from axe_playwright_python.sync_playwright import Axe

    def visit(path, width=1400, screenshot=None):
        page = chromium.new_page(viewport={"width": width, "height": 900})
        errors, requests, own = [], [], path.resolve().as_uri()
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda asked: requests.append(asked.url) if asked.url.startswith(("http", "file")) else None)
        page.goto(own)
        page.evaluate(OPEN_ALL)
        page.wait_for_load_state("networkidle")
        blank, violations = page.evaluate(BLANK_IMAGES), _violations(Axe().run(page))
        if screenshot:
            page.screenshot(path=screenshot, full_page=True)
        overflow, cut = _too_wide(page, width)
        page.close()
        return Visit(errors, [url for url in requests if url != own], blank, violations, overflow, cut)

    return visit


def _too_wide(page, width):
    overflow, cut = {}, {}
    for one in sorted({width, *DESKTOPS}):
        page.set_viewport_size({"width": one, "height": 900})
        overflow[one] = page.evaluate(TOO_WIDE)
        cut[one] = page.evaluate(CUT_TABLES) if one in DESKTOPS else []
    return [{one: found for one, found in each.items() if found} for each in (overflow, cut)]


def _violations(results):
    return [
        f"{rule['id']}: {rule['help']} at {node['target']}"
        for rule in results.response["violations"]
        for node in rule["nodes"]
    ]
