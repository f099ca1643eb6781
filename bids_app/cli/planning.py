"""``trialgraph plan``: a plan is begun from the tables, checked, and told as a statistical analysis plan."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from bids_app.bids.values import counted
from bids_app.cli.plan_draft import draft, look, scans_of
from bids_app.cli.printing import say
from bids_app.cli.settings_of import parse
from bids_app.errors import DataError, MissingInputError, OutputError, TrialgraphError, UsageError
from bids_app.group.analysis_words import BETWEEN
from bids_app.group.gathering import number_deviations, tables_for
from bids_app.group.objective_results import fits
from bids_app.group.trial_tables import read_scores
from bids_app.report.documents import write_document
from bids_app.report.sap import sap_of
from bids_app.settings.objectives import NOT_STATED
from bids_app.settings.plan import Plan, read_plan
from bids_app.settings.plan_problems import problems_of
from bids_app.settings.settings import Settings
from bids_app.system.small_files import read_toml
from bids_app.trial.covariates import code
from bids_app.trial.design import Design
from bids_app.trial.events import find_events
from bids_app.trial.strata import strata
from bids_app.trial.study import Study, find_study

NOWHERE = ("bids", "out")  # folders of a call that reads none


def init_plan(bids_dir: Path, output: Path | None) -> int:
    """Write a plan to begin with; return 0.

    Parameters
    ----------
    bids_dir : Path
    output : Path or None
        A new file; None prints it.
    """
    if not bids_dir.is_dir():
        raise MissingInputError(f"{bids_dir} does not exist, or is no folder.")
    text = draft(look(bids_dir), bids_dir.resolve().name, str(output or "plan.toml"))
    if output is None:
        print(text, end="")
        return 0
    _save_new(output, text.encode())
    say(f"Written: {output}. Decide what is marked by '# choose', then: trialgraph plan check {output} {bids_dir}")
    return 0


def check_plan(path: Path, bids_dir: Path | None) -> int:
    """Say what is wrong with a plan, what it leaves open, and what the data lack for it.

    Parameters
    ----------
    path : Path
    bids_dir : Path or None

    Returns
    -------
    int
        0; 64 if the plan is wrong, 65 if the data lack something for it.
    """
    try:
        problems = problems_of(read_toml(path, called=str(path)))
    except DataError as error:
        raise UsageError(str(error)) from error
    for text in problems:
        say(f"Wrong: {text}.")
    if problems:
        say(f"{path}: {counted(len(problems), 'problem')}.")
        return UsageError.exit_code
    plan = read_plan(path)
    for text in _notes(plan):
        say(text)
    lacks = _lacking(planned_settings(path, bids_dir)) if bids_dir else []
    for text in lacks:
        say(f"The data: {text.rstrip('.')}.")
    say(f"{path}: {'the data lack something for it' if lacks else 'a plan that can be used'}; SHA-256 {plan.sha256}.")
    return DataError.exit_code if lacks else 0


def _notes(plan: Plan) -> Iterator[str]:
    """Yield what a plan may want to say, and what the analysis will not do."""
    if not plan.objectives:
        yield "No objective: nothing is said to be confirmed; measures and outcomes are tagged primary and secondary."
    for one in plan.objectives:
        if open_ := [name.lower() for name, text in one.attributes.items() if text == NOT_STATED]:
            yield f"Objective {one.name!r}: {', '.join(open_)} not stated."
        for event in one.events:
            if event.departs:
                yield f"Objective {one.name!r} cannot be confirmed: {event.name}, {event.strategy}: {event.done}."
    if not plan.protocol.n_planned:
        yield "protocol.n_planned is not stated."
    yield f"Left open, and done by default: {counted(len(plan.left_open), 'key')}; trialgraph plan sap lists them."


def _lacking(settings: Settings) -> list[str]:
    """List what the tables of a data set lack for its plan; say of which arm there are fewer or more than planned."""
    scanned = scans_of(settings.bids_dir)
    try:
        study = find_study(tables_for(settings, scanned), scanned, settings.trial)
    except TrialgraphError as error:
        return [str(error)]
    numbers = [one for each in study.designs for one in number_deviations(settings.trial.plan, study.tables, each)]
    for text in dict.fromkeys(one.text for one in numbers):
        say(f"Participants: {text}.")
    try:
        _, events = find_events(study.tables, scanned, settings.trial)
    except TrialgraphError as error:
        return [str(error)]
    for one in events.findings:
        say(f"{one.about}: {one.text}")
    of_designs = [text for design in study.designs for text in _of_design(settings, study, design)]
    return [*dict.fromkeys(of_designs), *_of_objectives(settings, study)]


def _of_design(settings: Settings, study: Study, design: Design) -> Iterator[str]:
    """Yield which columns of the model, and which scores, a comparison lacks."""
    tables, trial = study.tables, settings.trial
    everyone = list(tables.participants.index)
    reads: tuple[Callable[[], object], ...] = (
        lambda: code(tables, design, trial.covariates, everyone),
        lambda: strata(tables, trial.strata, everyone),
        lambda: read_scores(tables, design, trial),
    )
    for read in reads:
        try:
            read()
        except TrialgraphError as error:
            yield str(error)


def _of_objectives(settings: Settings, study: Study) -> Iterator[str]:
    """Yield which objectives are of no comparison that would be made."""
    there = ", ".join(one.comparison for one in study.designs)
    for one in settings.trial.plan.objectives if settings.trial.plan else ():
        if not any(fits(one, design) for design in study.designs):
            yield f"objective {one.name!r} is of no comparison that would be made: {there}"


def planned_settings(path: Path, bids_dir: Path | None = None) -> Settings:
    """Return the settings of a call that gives a plan and nothing else."""
    places = (str(bids_dir or NOWHERE[0]), NOWHERE[1])
    return parse([*places, "--plan", str(path)], check=True)


def write_sap(path: Path, output: Path | None) -> int:
    """Write the text of a statistical analysis plan; return 0.

    Parameters
    ----------
    path : Path
        The plan.
    output : Path or None
        A new file, .md or .docx; None prints Markdown.
    """
    if output is not None and output.suffix not in (".md", ".docx"):
        raise UsageError(f"-o {output}: the document is .md or .docx.")
    settings = replace(planned_settings(path), level="group")
    document = sap_of(settings, path.name, BETWEEN.get(settings.trial.estimator, BETWEEN["post"]).format(node="node"))
    if output is None:
        print(write_document(document, ".md").decode(), end="")
        return 0
    _save_new(output, write_document(document, output.suffix))
    say(f"Written: {output}.")
    return 0


def _save_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet: what a team wrote is never replaced."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise OutputError(f"{path} is there already: name a new file, or remove it.") from None
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
