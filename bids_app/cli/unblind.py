"""``trialgraph unblind``: the record says who may know the arms from now on; then the arms are compared."""

from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path

from bids_app.cli.call_again import call_again
from bids_app.cli.settings_of import parse
from bids_app.errors import DataError, UsageError
from bids_app.settings.checks import check_settings
from bids_app.settings.parser import unblind_parser
from bids_app.trial.blinding import letters_said
from bids_app.trial.blinding_key import read_key
from bids_app.trial.blinding_log import UNBLINDED, append_event, whole_blinding


def unblind(argv: Sequence[str]) -> tuple[list[str], Path]:
    """Record that a trial is unblinded, and return the call that compares its arms by name.

    Parameters
    ----------
    argv : list of str
        The words after ``unblind``; those that are not its own are options of the group level, as ``--n-cpus``.

    Returns
    -------
    list of str
        The words of the blinded call without its blinding, with the plan.
    Path
        The folder that paths among these are seen from.

    Raises
    ------
    UsageError
        The folder was never blinded, or there is no plan.
    DataError
        The key is another one, or the log of the blinding was changed.
    """
    options, more = unblind_parser().parse_known_args(list(argv))
    log = whole_blinding(options.output_dir)
    if log.seal is None:
        raise UsageError(f"{options.output_dir} was never blinded: there is nothing to unblind.")
    key = read_key(options.key)
    if key.digest != log.seal:
        raise DataError(f"--key {options.key} is not the key with which {options.output_dir} was sealed.")
    folder = Path(key.folder) if key.folder and Path(key.folder).is_dir() else Path.cwd()
    with chdir(folder):
        again = [*call_again(key, options.output_dir, options.plan, options.bids_dir), *more]
        settings = parse(again)
        check_settings(settings)
    if settings.trial.plan is None:
        raise UsageError("A plan is needed to unblind: give --plan TOML, which says what was settled before.")
    plan = settings.trial.plan.sha256
    digest = append_event(options.output_dir, UNBLINDED, Seal=key.digest, Letters=dict(key.letters), Plan=plan)
    print(f"Unblinded, by the plan {plan}: {letters_said(key.letters)}.")
    print(f"The line in the log is {digest}: kept elsewhere, it shows that nothing before it was changed.")
    return again, folder
