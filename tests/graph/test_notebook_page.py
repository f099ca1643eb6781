"""The page for notebooks: its examples run, and what it lists is there and says what it is."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
EXAMPLES = dict(re.findall(r"^## (.+?)$.*?^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S))
OF_RESULTS = [title for title, text in EXAMPLES.items() if '"demo' in text]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("title", [one for one in EXAMPLES if one not in OF_RESULTS])
def test_an_example_runs_when_pasted(title, capsys):
    exec(compile(EXAMPLES[title], title, "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("title", OF_RESULTS)
def test_an_example_reads_what_a_run_left(title, compared, tmp_path, monkeypatch, capsys):
    (tmp_path / "demo").symlink_to(compared)
    monkeypatch.chdir(tmp_path)
    exec(compile(EXAMPLES[title], title, "exec"), {})
    assert capsys.readouterr().out
    drawn = re.findall(r'output_file="(.+?)"', EXAMPLES[title])
    assert all((tmp_path / one).stat().st_size > 10_000 for one in drawn)


@pytest.mark.parametrize("package", ["graph", "stats", "space", "participant"])
def test_what_is_public_is_there_and_says_what_it_is(package):
    module = import_module(f"bids_app.{package}")
    for name in module.__all__:
        value = getattr(module, name)
        assert inspect.getdoc(value), name
    with pytest.raises(AttributeError, match="nothing"):
        module.nothing  # noqa: B018
