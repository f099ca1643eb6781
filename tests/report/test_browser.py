import numpy as np
import pytest
from browser import NOTHING_WRONG
from PIL import Image

GOOD = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Page</title></head>
<body><main><h1>Page</h1><p>{}</p></main></body></html>"""


@pytest.fixture
def page(tmp_path):
    def write(content):
        path = tmp_path / "page.html"
        path.write_text(GOOD.format(content))
        return path

    return write


def test_nothing_is_wrong_with_a_plain_page(browse, page):
    assert browse(page("Text."), width=420) == NOTHING_WRONG


def test_errors_of_scripts_are_seen(browse, page):
    assert browse(page("<script>nowhere()</script>")).errors == ["nowhere is not defined"]


def test_requests_are_seen(browse, page):
    found = browse(page('<img src="http://localhost:9/picture.png" alt="picture">'))
    assert found.requests == ["http://localhost:9/picture.png"]
    assert found.blank_images == ["picture"]


@pytest.mark.parametrize(("values", "blank"), [(np.full((20, 20), 7), True), (np.eye(20) * 255, False)])
def test_images_of_one_colour_are_blank(browse, page, tmp_path, values, blank):
    picture = tmp_path / "picture.png"
    Image.fromarray(values.astype(np.uint8)).save(picture)
    found = browse(page('<img src="picture.png" alt="picture">'))
    assert found.requests == [picture.as_uri()]
    assert bool(found.blank_images) is blank


def test_what_some_cannot_read_is_seen(browse, page):
    content = '<span style="color: #bbb">pale</span><details><table><th></th></table></details>'
    said = " ".join(browse(page(content)).violations)
    assert "color-contrast" in said
    assert "empty-table-header" in said


def test_pages_wider_than_the_window_are_seen(browse, page):
    wide = page('<span style="display: block; width: 1100px">wide</span>')
    (at_1000,) = browse(wide, width=1400).overflow
    assert at_1000 == 1000
    assert browse(wide, width=420).overflow[420] > 600


def test_a_table_that_is_cut_is_noticed_at_every_width_of_a_desktop(page, browse):
    heads = "".join(f"<th>{name * 15}</th>" for name in "abcdefghijklm")
    table = f"<table><thead><tr>{heads}</tr></thead></table>"
    said = [", ".join(name * 15 for name in "abcdefghijklm")]
    scrolls = page(f'<div style="overflow-x: auto" tabindex="0">{table}</div>')
    assert browse(scrolls, width=420).cut == {1000: said, 1400: said}
    narrow = page(f'<div style="overflow-x: auto; max-width: 1200px" tabindex="0">{table}</div>')
    assert browse(narrow, width=2400).cut == {1000: said, 1400: said, 2400: said}
