"""The page of errors: it has a part for every exit code and class, and what it quotes is what the app says."""

import ast
import re
from pathlib import Path

import pytest

import bids_app
from bids_app import errors
from bids_app.system import small_files

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
HEAD = re.compile(r"^## .+\(([\d, ]+)\)$", re.MULTILINE)
GAP = "\0"  # what a message takes from the data


def parts():
    """Return the text of each part, by its exit codes."""
    heads = list(HEAD.finditer(PAGE))
    ends = [*(head.start() for head in heads[1:]), len(PAGE)]
    return {head[1]: PAGE[head.end() : end] for head, end in zip(heads, ends, strict=True)}


def classes(of=errors.TrialgraphError):
    yield of
    for one in of.__subclasses__():
        yield from classes(one)


def text_of(node):
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else GAP
    return "".join(map(text_of, node.values)) if isinstance(node, ast.JoinedStr) else GAP


def messages():
    """Return every text of the code, with gaps where it is filled in."""
    found = []
    for path in Path(bids_app.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                text = text_of(node)
                found.append(re.sub(r"\{\w*\}", GAP, text) if isinstance(node, ast.Constant) else text)
    return found


def quoted():
    """Return what the tables say that the app says."""
    rows = [line.split(" | ")[0].removeprefix("| ") for part in parts().values() for line in part.splitlines()]
    return [row for row in rows if PAGE.count(f"| {row} | ") and row not in ("it says", "|---|---|---|")]


@pytest.mark.parametrize("error", [*classes(), small_files.LackingError])
def test_every_class_has_its_part(error):
    (part,) = [text for codes, text in parts().items() if str(error.exit_code) in codes.split(", ")]
    assert f"`{error.__name__}`" in part


def test_every_exit_code_is_in_the_first_table_and_leads_to_its_part():
    known = {0, 130, *(error.exit_code for error in classes())}
    first = PAGE.partition("## ")[0]
    linked = dict(re.findall(r"\[([\d, ]+)\]\(#([\w-]+)\)", first))
    assert {int(code) for codes in linked for code in codes.split(", ")} == known | {143}
    heads = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert sorted(linked.values()) == sorted(re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads)
    assert set(linked) == set(parts())


def test_what_is_quoted_is_what_the_app_says():
    said = messages()
    assert len(quoted()) > 70
    unknown = []
    for words in quoted():
        fitting = ".*".join(re.escape(piece.strip()) for piece in words.split("..."))
        if not any(re.search(fitting, text, re.DOTALL) for text in said):
            unknown.append(words)
    assert unknown == []


def test_a_message_that_nobody_says_would_be_noticed():
    assert not any("No preprocessed date" in text for text in messages())
    assert any("No preprocessed data: looked for " in text for text in messages())
