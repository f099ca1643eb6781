"""Who blinded and unblinded what, and when: lines of JSON, each with its digest and that of the one before."""

import hashlib
import json
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bids_app.errors import DataError, OutputError, UsageError
from bids_app.settings.deviation import Deviation
from bids_app.settings.settings import Settings, Trial
from bids_app.system.locks import turn_in
from bids_app.system.small_files import read_text

BLINDING = "blinding.jsonl"
SEALED, BLINDED, UNBLINDED, COMPARED = "sealed", "blinded", "unblinded", "compared"
BEFORE, OWN = "Before", "Digest"
AFTERWARDS = "first used, or changed, after the trial was unblinded"


@dataclass(frozen=True)
class Blinding:
    """What the log of an output folder says.

    Attributes
    ----------
    events : tuple of dict
        In the order in which they were written; none where nothing was ever blinded.
    damage : str or None
        Which line does not follow from the one before.
    """

    events: tuple[Mapping[str, Any], ...] = ()
    damage: str | None = None

    @property
    def seal(self) -> str | None:
        """The digest of the key."""
        return next((str(one["Seal"]) for one in self.events if one.get("Event") == SEALED), None)

    @property
    def unblinding(self) -> Mapping[str, Any] | None:
        """Who unblinded it first, when, and by which plan."""
        return next((one for one in self.events if one.get("Event") == UNBLINDED), None)

    @property
    def is_blind(self) -> bool:
        """Whether it was sealed, and not unblinded yet."""
        return self.seal is not None and self.unblinding is None

    def knew(self, plan: str) -> bool:
        """Say whether a plan, by its hash, was used before anybody was unblinded, or to unblind."""
        end = self.events.index(self.unblinding) + 1 if self.unblinding else len(self.events)
        return any(one.get("Plan") == plan for one in self.events[:end])


def read_blinding(output_dir: Path) -> Blinding:
    """Read what was blinded and unblinded in an output folder, and whether a line was changed since.

    Parameters
    ----------
    output_dir : Path

    Returns
    -------
    Blinding
    """
    path = _path(output_dir)
    if not path.exists():
        return Blinding()
    events: list[dict[str, Any]] = []
    damage, before = None, ""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        event = _event(line)
        if event is None or event.get(BEFORE) != before or event.get(OWN) != _digest(event):
            damage = damage or f"line {number} of {path} is not as it was written, or does not follow the one before"
        events += [event] if event else []
        before = str(event.get(OWN)) if event else ""
    return Blinding(tuple(events), damage)


def whole_blinding(output_dir: Path) -> Blinding:
    """Read what was blinded and unblinded; refuse a log that was changed.

    Raises
    ------
    DataError
    """
    found = read_blinding(output_dir)
    if found.damage:
        raise DataError(
            f"The log of the blinding was changed: {found.damage}. What it says of who knew the arms, and when, does "
            "not hold. Bring back the file as it was; else copy what the participant level made to another output "
            "folder, and report that the blinding cannot be shown."
        )
    return found


def append_event(output_dir: Path, event: str, **about: Any) -> str:
    """Add a line to the log of the blinding: who, when, what, and the digest of the line before.

    Parameters
    ----------
    output_dir : Path
    event : {"sealed", "blinded", "unblinded", "compared"}
    **about
        What else there is to say.

    Returns
    -------
    str
        The digest of the line: who keeps it elsewhere can show that nothing before was changed.
    """
    path = _path(output_dir)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
    with turn_in(path):  # not in its folder, which a run of the group level has for itself
        events = read_blinding(output_dir).events
        content = {"Event": event, "Time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "User": _user(), **about}
        content[BEFORE] = str(events[-1].get(OWN)) if events else ""
        content[OWN] = _digest(content)
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(content) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
    return str(content[OWN])


def require_not_blind(output_dir: Path) -> None:
    """Refuse to compare the arms by name where they are sealed.

    Raises
    ------
    UsageError
        The output folder is blinded; the message says how it is unblinded.
    DataError
        The log of the blinding was changed.
    """
    if whole_blinding(output_dir).is_blind:
        raise UsageError(
            f"{output_dir} is blinded: give --blind and --key to look at it in letters. Who may know the arms runs "
            f"trialgraph unblind {output_dir} --key FILE --plan PLAN, which says so in the record and compares them."
        )


def call_in_letters(settings: Settings) -> list[str]:
    """Return as much of a call as may be known while blinded, for options may name arms."""
    blind = ["--blind", settings.blind] if settings.blind else []
    return ["trialgraph", str(settings.bids_dir), str(settings.output_dir), settings.level, *blind]


def for_log(settings: Settings) -> tuple[Settings, list[str] | None]:
    """Return options and call as a log may hold them: where it is blind without those of the trial.

    Of what compares no arms, and where they change nothing: the participant level, and pages that are made anew.
    """
    if not read_blinding(settings.output_dir).is_blind:
        return settings, None
    return replace(settings, trial=Trial()), call_in_letters(settings)


def departs_by_time(output_dir: Path, plan: str | None) -> tuple[Deviation, ...]:
    """Return as a departure that a plan was first used, or changed, after the trial was unblinded.

    Parameters
    ----------
    output_dir : Path
    plan : str or None
        SHA-256 of the plan's file.

    Returns
    -------
    tuple of Deviation
        Empty where nothing was blinded, where it still is, and where the plan was there before.
    """
    found = read_blinding(output_dir)
    if plan is None or found.unblinding is None or found.knew(plan):
        return ()
    when = str(found.unblinding.get("Time"))
    return (Deviation("plan", "settled before the arms were known", f"one {AFTERWARDS} ({when})"),)


def told(blinding: Blinding) -> str | None:
    """Say for the page of an unblinded comparison who was unblinded when; nothing where nothing was blinded."""
    found = blinding.unblinding
    if found is None:
        return None
    runs = sum(one.get("Event") == BLINDED for one in blinding.events)
    looked = f"{runs} time{'s' * (runs != 1)} while blinded" if runs else "not while blinded"
    return (
        f"The arms were sealed, looked at {looked}, and unblinded by {found.get('User')} on {found.get('Time')} "
        f"with the plan {str(found.get('Plan'))[:12]} (SHA-256), as logs/{BLINDING} says."
    )


def _event(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _digest(event: Mapping[str, Any]) -> str:
    """Return the digest of a line, of all that it says but the digest itself."""
    said = {name: value for name, value in event.items() if name != OWN}
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _user() -> str:
    """Return whose process it is, whatever the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container nobody may have a name
        return f"user {os.getuid()}"


def _path(output_dir: Path) -> Path:
    return output_dir / "logs" / BLINDING
