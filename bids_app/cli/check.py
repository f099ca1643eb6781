"""What a run would do, by the reading of the run itself: tables for people, and nothing is written."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

import pandas as pd

from bids_app.bids.findings import Finding, say_all
from bids_app.bids.matrix_runs import MatrixRun
from bids_app.bids.runs import AnyRun, BoldRun, find_inputs
from bids_app.bids.values import counted
from bids_app.cli.check_raw import made_by, show_raw
from bids_app.cli.printing import say, show
from bids_app.errors import DataError, MissingInputError
from bids_app.group.gathering import find_trial, gather, tables_for, tables_of_chosen
from bids_app.group.repeated_outcomes import outcomes_of_all
from bids_app.group.repeated_outcomes import undecided as undecided_of_all
from bids_app.group.sample import MIN_PER_ARM
from bids_app.group.targets import GroupRun
from bids_app.group.trial_tables import Scores, outcomes_of, read_scores, undecided
from bids_app.participant.forecast import Outlook, forecast, outlook
from bids_app.participant.nodes import check_atlases
from bids_app.preproc.extra import require_ants
from bids_app.preproc.fitted.runs import runs_to_preprocess
from bids_app.preproc.raw_runs import RawRun, wants_preprocessing
from bids_app.runtime.logs import call_of, log_to_terminal
from bids_app.settings.settings import Settings, Trial
from bids_app.stats.sequences import told_apart
from bids_app.trial.arms import arm_words
from bids_app.trial.blinding_log import require_not_blind
from bids_app.trial.covariates import code, slopes
from bids_app.trial.design import Design
from bids_app.trial.flow import counts, no_arm
from bids_app.trial.periods_found import PeriodsNotCompared
from bids_app.trial.strata import strata, strata_said
from bids_app.trial.study import Study, find_study
from bids_app.trial.tables import Tables
from bids_app.trial.visits import GROUPS_TOO, scanned_visits


def preview_participants(settings: Settings, *, with_trial: bool = False) -> int:
    """Say which scans would be processed from which files.

    Parameters
    ----------
    settings : Settings
    with_trial : bool, optional
        Also who could be compared, as far as the raw data and the scans say.

    Returns
    -------
    int
        0; what cannot work is raised as the run would raise it.
    """
    log_to_terminal(settings.verbose)
    if wants_preprocessing(settings):
        return _preview_raw(settings, with_trial=with_trial)
    inputs = find_inputs(settings)
    show(
        counted(len(inputs.datasets), "preprocessed dataset"),
        ("name", "made by", "folder"),
        [(one.name, made_by(one), str(one.path)) for one in inputs.datasets],
    )
    bold = [run for run in inputs.runs if isinstance(run, BoldRun)]
    outlooks = {run.label: outlook(run, settings.signal) for run in bold}
    show(
        f"{len(inputs.runs)} scans of {len(inputs.by_participant)} participants would be processed",
        ("scan", "file", "with", "why this one", "minutes left"),
        [(*_scan(run), _left(outlooks.get(run.label))) for runs in inputs.by_participant.values() for run in runs],
    )
    check_atlases(settings, inputs)
    say_all(forecast(settings, inputs, list(outlooks.values())))
    if bold and settings.graph.mapped:
        say(f"Voxel by voxel: {', '.join(one.title for one in settings.graph.mapped)}.")
    if with_trial:
        _preview_trial(settings, inputs.runs)
        say(f"Next: {call_of(settings, 'participant')}")
    return 0


def _preview_raw(settings: Settings, *, with_trial: bool) -> int:
    """Say which raw scans would be preprocessed first."""
    runs = runs_to_preprocess(settings)
    show_raw(runs)
    require_ants()
    if with_trial:
        _preview_trial(settings, runs)
        say(f"Next: {call_of(settings, 'participant')}")
    return 0


def _scan(run: AnyRun) -> tuple[str, str, str, str]:
    if isinstance(run, BoldRun):
        beside = [name for name, path in (("brain mask", run.mask), ("confounds", run.confounds)) if path is not None]
        return run.label, run.bold.name, ", ".join(beside) or "nothing", run.reason
    file = run.matrix if isinstance(run, MatrixRun) else run.timeseries
    return run.label, file.name, "", run.reason


def _left(found: Outlook | None) -> str:
    return "" if found is None or found.minutes is None else f"{found.minutes:.1f}"


def _preview_trial(settings: Settings, runs: Iterable[AnyRun | RawRun]) -> None:
    """Say who could be compared: who has a scan at both visits, whatever its quality."""
    scanned = scanned_visits((run.entities["sub"], run.entities.get("ses")) for run in runs)
    require_not_blind(settings.output_dir)
    tables = tables_for(settings, scanned)
    if settings.trial.design == "parallel" and not any(session for _, session in scanned):
        raise DataError(f"The scans have no session: two visits are needed to compare the arms. {GROUPS_TOO}")
    with _several_shown():
        study = find_study(tables, scanned, settings.trial)
    visits: dict[str, set[str | None]] = {}
    for run in runs:
        participant, session = run.entities["sub"], run.entities.get("ses")
        found = study.sequences
        visits.setdefault(participant, set()).add(found.session(participant, session) if found else session)
    for one in study.summaries:
        for there in visits.values():
            own = there & set(one.sessions)
            there |= {one.name} if len(own) == len(one.sessions) or (own and not one.needs_all) else set()
    say_all(study.findings)
    for design in study.designs:
        _preview_comparison(settings, study.tables, visits, design)
    _preview_decisions(settings, study)


@contextmanager
def _several_shown() -> Iterator[None]:
    """Say who had what in which period before it is refused that more than two are compared."""
    try:
        yield
    except PeriodsNotCompared as error:
        say_all(error.found.findings)
        show(error.found.title, error.found.heads, error.found.rows)
        raise


def _preview_comparison(
    settings: Settings, tables: Tables, visits: Mapping[str, set[str | None]], design: Design
) -> None:
    """Say who of two arms could be compared at one follow-up."""
    arms = arm_words(tables, design)
    labels = sorted({*visits, *tables.participants.index})
    rows = [(f"sub-{label}", *_standing(label, visits.get(label, set()), arms, design)) for label in labels]
    heads = ("participant", design.words.arm, *design.called.values(), "would be compared")
    title = " compared with ".join(design.sides)
    show(f"{title}{', ' * bool(design.sessions)}{design.sessions}", heads, rows)
    compared = [label for label, row in zip(labels, rows, strict=True) if row[-1] == "yes"]
    say(f"{len(compared)} of {len(rows)} would be compared, if their scans turn out good enough.")
    say_all(_too_few(arms.reindex(compared), design))
    say_all(_model_said(tables, design, settings.trial, compared or list(arms.index)))
    scores = read_scores(tables, design, settings.trial)
    if scores is not None:
        known = scores.table.dropna(subset=["value"]).groupby(["outcome", "visit"], sort=False)["participant"].nunique()
        show(
            "Clinical outcomes", ("outcome", "visit", "participants"), list(known.reset_index().itertuples(index=False))
        )


def _too_few(arms: pd.Series, design: Design) -> Iterator[Finding]:
    """Say so where the group level would refuse to compare, however good the scans are."""
    counts = {arm: (arms == arm).sum() for arm in design.compared}
    if design.orders:
        used = [given for given, n in zip(design.orders.given, counts.values(), strict=True) if n]
        if not used or max(map(max, used)) + 1 < len(design.levels) or not told_apart(used):
            text = "The sequences of those who have a scan in every period do not tell the treatments from the periods"
            yield Finding("Sequences", f"{text}: as it is, the group level cannot compare them.", warning=True)
        return
    if min(counts.values()) < MIN_PER_ARM:
        both = "in both periods" if design.treatments else "at both visits"
        said = f"{counts[design.active]} participants" if design.single else _of_each(counts)
        words, at = design.words, f" {both}" if design.baseline is not None else ""
        text = (
            f"{said} have scans{at}, at least {MIN_PER_ARM}{' of each' * words.several} are needed: as it is, the "
            f"group level cannot compare the {words.arms}."
        )
        yield Finding(words.arms.capitalize(), text, warning=True)


def _of_each(counts: Mapping[str, int]) -> str:
    """List how many there are of each arm.

    Examples
    --------
    >>> _of_each({"drug": 3, "placebo": 1})
    '3 participants of drug and 1 of placebo'
    """
    first, *others = (f"{n} of {arm}" for arm, n in counts.items())
    return " and ".join([first.replace(" of", " participants of", 1), *others])


def _model_said(tables: Tables, design: Design, trial: Trial, participants: list[str]) -> Iterable[Finding]:
    """Read the columns of the model as the group level does, and say what they are taken for."""
    coded = code(tables, design, trial.covariates, participants)
    sloping = slopes(tables, design, trial.slopes, participants)
    strata(tables, trial.strata, participants)
    return dict.fromkeys(
        (*coded.findings, *sloping.findings, *strata_said(tables, trial.strata, participants, design.words))
    )


def _standing(label: str, found: Collection[str | None], arms: pd.Series, design: Design) -> tuple[str, ...]:
    """Return a participant's arm, which visits have scans, and whether all can be compared."""
    arm = arms.get(label)
    arm = "not in participants.tsv" if label not in arms.index else "none stated" if arm != arm else f"{arm}"
    has = ["scan" if visit in found else "no scan" for visit in design.visits.values()]
    reasons = list(no_arm(label, arms, design))
    reasons += [f"no {name}" for name, one in zip(design.called.values(), has, strict=True) if one == "no scan"]
    return arm, *has, "yes" if not reasons else f"no: {', '.join(reasons)}"


def preview_group(settings: Settings) -> int:
    """Say what would be compared from what the participant level left.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    int
        0, or 65 if a participant has scans but no row in participants.tsv.
    """
    log_to_terminal(settings.verbose)
    require_not_blind(settings.output_dir)
    if not settings.output_dir.is_dir():
        raise MissingInputError(f"{settings.output_dir} does not exist: run the participant level first.")
    with _several_shown():
        trial = find_trial(settings)
    code, made = 0, list[Design]()
    for design in trial.study.designs:
        if trial.study.has_several:
            say(f"{design.comparison}:")
        try:
            run = gather(trial, design)
        except DataError as error:
            if not trial.study.has_several:
                raise
            say(f"Would not be compared. {error}\n")
            code = DataError.exit_code
        else:
            made.append(design)
            _preview_targets(run)
            code = DataError.exit_code if run.strangers else code
    by_weights, left = trial.study.by_weights(made)
    _preview_weights(by_weights, left)
    return DataError.exit_code if _preview_decisions(trial.settings, trial.study) else code


def _preview_weights(designs: Sequence[Design], left: Sequence[str]) -> None:
    """Say which comparisons of several arms by weights would be made, and which not."""
    for one in designs:
        say(f"{one.comparison}: {one.weighted and one.weighted.text}.")
    for text in left:
        say(f"Would not be compared. {text}")


def _preview_decisions(settings: Settings, study: Study) -> bool:
    """Say which planned primary outcomes no row would decide, without an answer to what differs."""
    trial, participants = replace(settings.trial, n_permutations=1), settings.selection.participants
    if not (trial.outcomes and trial.plan and trial.plan.primary_outcomes):
        return False
    if study.has_several:
        departed = list(undecided_of_all(*outcomes_of_all(study, trial, participants), trial))
    else:
        scores = read_scores(tables_of_chosen(study.tables, participants), study.first, trial)
        departed = list(undecided(outcomes_of(cast(Scores, scores), study.first, trial, alone=True), trial))
    for one in departed:
        say(f"Would depart from the plan: {one.text}.")
    return bool(departed)


def _preview_targets(run: GroupRun) -> None:
    """Say who of two arms would be compared, and what of them."""
    for target in run.targets:
        route, flow, sample = target.route, target.flow, target.sample
        table = counts(flow, run.design)
        rows = [(step, *map(str, row)) for step, row in zip(table.index, table.to_numpy(), strict=True)]
        show(f"{route.name}: {len(sample.arm)} participants would be compared", ("", *table.columns), rows)
        left_out = flow[~flow["analysed"]]
        show(
            "Not compared",
            ("participant", "why"),
            list(zip(left_out["participant_id"], left_out["reason"], strict=True)),
        )
        adjusted = ", ".join(sample.covariates.columns) or "nothing"
        say(f"{', '.join(one.title for one in sample.features)}; adjusted for {adjusted}.")
