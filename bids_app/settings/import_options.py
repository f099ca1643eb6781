"""The options of ``trialgraph import``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bids_app.errors import UsageError
from bids_app.settings.argument_parser import Formatter, Parser
from bids_app.settings.words import as_listing, as_output, as_path

IMPORT = (
    "Make a BIDS derivative of the series or correlation matrices of regions that CONN, DPABI, GRETNA or a table hold. "
    "TABLE lists the files: columns participant_id and path, and as needed session, run, task, tr (seconds), variable "
    "(of a .mat or .npz), kind (series, transposed or matrix), scale (r, z, spearman or partial), part and index."
)


@dataclass(frozen=True)
class ImportOptions:
    """What is imported, and as what.

    Attributes
    ----------
    table, output_dir : Path
    atlas : str or None
        Label of the regions in names of files.
    part : str or None
        Of CONN's regions, what stands before the dot.
    regions : Path or None
        Table of names, and of centres x, y, z.
    task : str
    repetition_time : float or None
        Seconds.
    """

    table: Path
    output_dir: Path
    atlas: str | None = None
    part: str | None = None
    regions: Path | None = None
    task: str = "rest"
    repetition_time: float | None = None


def import_parser() -> Parser:
    """Return the parser of ``trialgraph import``."""
    parser = Parser(prog="trialgraph import", description=IMPORT, formatter_class=Formatter)
    add = parser.add_argument
    add("table", type=as_listing, help="TSV or CSV, a row per file; paths are seen from its folder")
    add("output_dir", type=as_output, help="a new folder, to be given to both levels as --derivatives")
    add(
        "--atlas",
        metavar="NAME",
        help="what the regions are called in names of files; the tool and their number by default",
    )
    add("--part", metavar="PREFIX", help="of CONN's regions those of one parcellation, which it names before a dot")
    add("--regions", type=as_path, metavar="FILE", help="TSV or CSV of the regions in order: name, and x, y, z in mm")
    add("--task", default=ImportOptions.task, metavar="LABEL", help="task of rows that name none")
    add("--repetition-time", type=float, metavar="SECONDS", help="repetition time of rows that say none")
    return parser


def read_import(argv: Sequence[str]) -> ImportOptions:
    """Read the words after ``trialgraph import``.

    Raises
    ------
    UsageError
        They make no sense.
    """
    options = ImportOptions(**vars(import_parser().parse_args(argv)))
    if options.atlas is not None and not (options.atlas.isascii() and options.atlas.isalnum()):
        raise UsageError(f"--atlas {options.atlas}: letters and digits alone can be part of a name of a file.")
    return options
