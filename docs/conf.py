"""How the site is built. Options, measures and tables are taken from the code, so that they cannot go stale."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from generated_pages import PAGES  # noqa: E402

project, author, language = "trialgraph", "the trialgraph developers", "en"
version = release = (HERE.parent / "version").read_text().strip()
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme, html_title = "furo", "trialgraph"
numpydoc_show_class_members = False
autodoc_member_order = "bysource"


def setup(app):
    """Write the pages that come from the code before any is read."""
    folder = HERE / "generated"
    folder.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        path, text = folder / f"{name}.md", make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
