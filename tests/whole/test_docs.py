"""The site is built without a warning, and names every option and every file."""

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bids_app.bids.names import Name
from bids_app.settings.parser import app_parser

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("sphinx")
    folder = tmp_path_factory.mktemp("site")
    call = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", folder / "trees"]
    built = subprocess.run([*call, ROOT / "docs", folder / "html"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert built.stderr == ""
    return folder / "html"


def text_of(page):
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text()))


def test_every_option_is_there(site):
    page = text_of(site / "generated" / "options.html")
    options = [name for action in app_parser()._actions for name in action.option_strings]
    assert len(options) > 60
    assert [name for name in options if name not in page] == []


def test_every_kind_of_file_is_there(site, compared):
    page = text_of(site / "outputs.html")
    kinds = {Name.parse(path).suffix + Name.parse(path).extension for path in compared.rglob("*.tsv")}
    kinds |= {path.name for folder in (compared, compared / "logs") for path in folder.iterdir() if path.is_file()}
    kinds = {kind for kind in kinds if not kind.startswith("sub-")}
    parts = {kind: kind.rpartition(".")[0 if kind.startswith(("CITATION", "CHECKLIST", "q")) else 2] for kind in kinds}
    missing = [kind for kind in kinds if kind not in page and parts[kind] not in page]
    assert missing == []


def test_links_lead_somewhere(site):
    for page in site.rglob("*.html"):
        for link in re.findall(r'<a [^>]*href="([^"#]+)', page.read_text()):
            if not link.startswith(("http", "mailto")):
                assert (page.parent / link).exists(), (page.name, link)


def test_the_first_page_is_in_order_in_a_browser(site, browse):
    found = browse(site / "index.html", 420)
    assert (found.errors, found.blank_images, found.overflow) == ([], [], {})


def test_measures_are_those_of_the_code(site):
    page = text_of(site / "generated" / "measures.html")
    assert "Watts & Strogatz 1998, doi:10.1038/30918" in page
    assert "eigenvector-full" in page
