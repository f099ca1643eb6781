"""Pages made anew from the files of earlier runs."""

import logging
from pathlib import Path

from bids_app.bids.files import sweep
from bids_app.bids.status import participants_with_status
from bids_app.bids.values import counted
from bids_app.errors import NothingSelectedError
from bids_app.report.index import write_pages_of_all
from bids_app.report.overview import comparison_folders, write_group_pages
from bids_app.report.participant import write_participant_page
from bids_app.runtime.group_folder import changed_sources, publish, require_whole, restage, staged_group
from bids_app.runtime.logs import start_log
from bids_app.settings.settings import GROUP, Settings
from bids_app.trial.blinding_log import for_log

logger = logging.getLogger("bids_app")


def remake_pages(settings: Settings) -> int:
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
    DataError
        The group's results are not, file by file, what one run left.
    """
    output = settings.output_dir
    start_log(*for_log(settings))
    sweep(output)
    made = _remake_group(output) if settings.level == "group" else _remake_participants(settings)
    if not made:
        raise NothingSelectedError(
            f"--reports-only: {output} holds nothing of the {settings.level} level to make pages from. Run it without."
        )
    write_pages_of_all(output)
    logger.info("Made anew in %s: %s.", output, counted(made, "page"))
    return 0


def _remake_group(output_dir: Path) -> int:
    with staged_group(output_dir) as staged:
        if not comparison_folders(output_dir / GROUP):
            return 0
        require_whole(output_dir)
        record = restage(output_dir)
        write_group_pages(staged)
        publish(output_dir, record)
    if changed := changed_sources(output_dir):
        logger.warning(
            "%d files that the arms were compared on were made anew or removed since (%s): run the group level again "
            "to compare what is there now.",
            len(changed),
            changed[0],
        )
    return 1


def _remake_participants(settings: Settings) -> int:
    wanted = settings.selection.participants
    names = participants_with_status(settings.output_dir)
    chosen = [name for name in names if not wanted or name in wanted]
    for name in chosen:
        write_participant_page(settings.output_dir, name)
    return len(chosen)
