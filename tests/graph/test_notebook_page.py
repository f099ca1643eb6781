"""The page for notebooks: its examples run, and what it lists is there and says what it is."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
EXAMPLES = dict(re.findall(r"^## (.+?)$.*?^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_runs_when_pasted(title, capsys):
    exec(compile(EXAMPLES[title], title, "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("package", ["graph", "stats", "space", "participant"])
def test_what_is_public_is_there_and_says_what_it_is(package):
    module = import_module(f"bids_app.{package}")
    for name in module.__all__:
        value = getattr(module, name)
        assert inspect.getdoc(value), name
    with pytest.raises(AttributeError, match="nothing"):
        module.nothing  # noqa: B018
