"""Pages made anew from the files of earlier runs."""

import logging

from bids_app.errors import NothingSelectedError
from bids_app.report.citation import write_citation
from bids_app.report.group import design_paths, write_group_page
from bids_app.report.index import write_index_page
from bids_app.report.participant import write_participant_page
from bids_app.runlog import start_log
from bids_app.status import participants_with_status

logger = logging.getLogger("bids_app")


def remake_pages(settings):
    """Make the pages anew from the files that earlier runs left, without computing anything.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    int
        0.

    Raises
    ------
    NothingSelectedError
        No run of this level has left anything.
    """
    start_log(settings)
    output = settings.output_dir
    made = _remake_group(output) if settings.level == "group" else _remake_participants(settings)
    if not made:
        raise NothingSelectedError(
            f"--reports-only: {output} holds nothing of the {settings.level} level to make pages from. Run it without."
        )
    write_citation(output)
    write_index_page(output)
    logger.info("%d pages were made anew in %s.", made, output)
    return 0


def _remake_group(output_dir):
    paths = design_paths(output_dir)
    if paths:
        write_group_page(output_dir, paths)
    return int(bool(paths))


def _remake_participants(settings):
    wanted = settings.selection.participants
    names = participants_with_status(settings.output_dir)
    chosen = [name for name in names if not wanted or name in wanted]
    for name in chosen:
        write_participant_page(settings.output_dir, name)
    return len(chosen)
