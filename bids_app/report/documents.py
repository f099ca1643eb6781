"""A text of headings, paragraphs, lists and tables, as Markdown and as a file that word processors open."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
SIZES = (32, 26, 22)  # of headings, in half points
DATE = (1980, 1, 1, 0, 0, 0)  # the same text is the same file
PARTS = {
    "[Content_Types].xml": f'{HEAD}<Types xmlns="{OFFICE}/package/2006/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
    "_rels/.rels": f'{HEAD}<Relationships xmlns="{OFFICE}/package/2006/relationships"><Relationship Id="rId1" '
    f'Type="{OFFICE}/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>',
}


@dataclass(frozen=True)
class Heading:
    """A heading; of level 1 is the title."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A table."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Bullets | Grid


def write_document(blocks: Iterable[Block], suffix: str) -> bytes:
    """Return a text as a file.

    Parameters
    ----------
    blocks : iterable of Block
    suffix : {".md", ".docx"}

    Examples
    --------
    >>> print(write_document([Heading("Plan", 1), Bullets(("a", "b"))], ".md").decode(), end="")
    # Plan
    <BLANKLINE>
    - a
    - b
    """
    if suffix == ".docx":
        return _docx(blocks)
    return ("\n\n".join(_markdown(block) for block in blocks) + "\n").encode()


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Paragraph):
        return block.text
    if isinstance(block, Bullets):
        return "\n".join(f"- {item}" for item in block.items)
    rows = (block.heads, ("---",) * len(block.heads), *block.rows)
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def _docx(blocks: Iterable[Block]) -> bytes:
    """Return the blocks in the least that Office Open XML needs (ECMA-376)."""
    body = "".join(part for block in blocks for part in _xml(block))
    document = f'{HEAD}<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>'
    held = io.BytesIO()
    with ZipFile(held, "w", ZIP_DEFLATED) as file:
        for name, content in (PARTS | {"word/document.xml": document}).items():
            file.writestr(ZipInfo(name, DATE), content)
    return held.getvalue()


def _xml(block: Block) -> Iterator[str]:
    if isinstance(block, Grid):
        rows = "".join(map(_row, (block.heads, *block.rows)))
        edges = "".join(f'<w:{side} w:val="single" w:sz="4"/>' for side in ("top", "bottom", "insideH"))
        yield f"<w:tbl><w:tblPr><w:tblBorders>{edges}</w:tblBorders></w:tblPr>{rows}</w:tbl>{_text('')}"
    elif isinstance(block, Heading):
        yield _text(block.text, f'<w:b/><w:sz w:val="{SIZES[min(block.level, len(SIZES)) - 1]}"/>')
    elif isinstance(block, Bullets):
        yield from (_text(f"• {item}") for item in block.items)
    else:
        yield _text(block.text)


def _row(cells: Sequence[str]) -> str:
    return "<w:tr>" + "".join(f"<w:tc>{_text(cell)}</w:tc>" for cell in cells) + "</w:tr>"


def _text(text: str, how: str = "") -> str:
    run = f'<w:r><w:rPr>{how}</w:rPr><w:t xml:space="preserve">{escape(text)}</w:t></w:r>'
    return f'<w:p><w:pPr><w:spacing w:after="120"/></w:pPr>{run}</w:p>'
