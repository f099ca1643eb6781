"""What can be cited: methods, references, versions, and a checklist, from the files of the output folder."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bids_app.bids.files import save_text, sidecar_of
from bids_app.bids.names import Name, scan_label
from bids_app.bids.result_names import MAPS, atlas_of, beside, result_files, study_name
from bids_app.bids.scans import ScanIndex
from bids_app.bids.status import read_statuses
from bids_app.report.bibliography import bibtex, cited, in_full, spelled_out
from bids_app.report.group import design_paths
from bids_app.report.group_methods import group_methods
from bids_app.report.methods import participant_methods
from bids_app.report.overview import comparison_folders, several_comparisons
from bids_app.report.pages import number, write_page
from bids_app.report.paper import answers, results_text, write_paper_tables
from bids_app.settings.objectives import SAID
from bids_app.settings.settings import GROUP
from bids_app.system.small_files import Record, read_record
from bids_app.trial.comparison_record import ComparisonRecord, read_comparison
from bids_app.trial.flow import counts
from bids_app.trial.flow_table import read_flow

SOFTWARE = (
    *("networkx", "nibabel", "nilearn", "nipype", "numba", "numpy", "pandas", "pybids", "scikit-learn"),
    *("scikit-network", "scipy", "statsmodels"),
)
OPEN = "for you to fill in"
# What a plan may say of items of CONSORT.
REGISTERED, BLINDED, SIZED = ("registration",), ("blinding",), ("n_planned", "n_reason", "stopping", "interim")
Item = tuple[str, Any, str]  # of the checklist: what, its value, where it was read


def write_citation(output_dir: Path, index: ScanIndex) -> Path:
    """Write ``CITATION.md``, ``.html`` and ``.bib``, and ``CHECKLIST.md`` and ``.html``, into ``logs``.

    Parameters
    ----------
    output_dir : Path
    index : scans.ScanIndex

    Returns
    -------
    Path
        The Markdown of the methods.
    """
    description = _read(output_dir / "dataset_description.json")
    settings, n_kinds = _settings(output_dir)
    scans = _scans(index)
    records = {path: read_comparison(path) for path in _records(output_dir)}
    more = (_tables(index), _atlases(output_dir, index))
    parts = participant_methods(settings, scans, description, *more) if settings and scans else []
    of_all = (several_comparisons(output_dir / GROUP), _repeated(output_dir))
    parts += group_methods(list(records.values()), _trial(output_dir), *of_all)
    if n_kinds > 1:
        parts.insert(0, ("Note", f"Scans were processed with {n_kinds} different settings; these are the latest."))
    keys = sorted(cited(" ".join(text for _, text in parts)), key=lambda key: in_full(key).casefold())
    found = answers(comparison_folders(output_dir / GROUP))
    parts += [("Results", results_text(found))] if found else []
    logs = output_dir / "logs"
    content = {
        "parts": [(heading, spelled_out(text)) for heading, text in parts],
        "references": [in_full(key) for key in keys],
        "software": {name: version(name) for name in SOFTWARE},
        "tables": write_paper_tables(logs, _first_routes(records), found),
    }
    save_text(logs / "CITATION.bib", bibtex(keys))
    save_text(logs / "CITATION.md", _markdown(content))
    write_page(logs / "CITATION.html", "citation.html.jinja", **content)
    items = checklist(output_dir, settings, scans, records)
    save_text(logs / "CHECKLIST.md", _checklist_markdown(items))
    write_page(logs / "CHECKLIST.html", "checklist.html.jinja", items=items)
    return logs / "CITATION.md"


def _read(path: Path) -> Record:
    return read_record(path, "Run the level that wrote it again.")


def _settings(output_dir: Path) -> tuple[Record | None, int]:
    """Return the settings of the latest run that made scans, and how many kinds of settings there are."""
    runs = sorted({status["Run"] for status in read_statuses(output_dir)})
    paths = [output_dir / "logs" / run / "settings.json" for run in runs]
    found = [_read(path) for path in paths if path.exists()]  # logs may have been tidied away
    kinds = {json.dumps([settings["signal"], settings["graph"]], sort_keys=True) for settings in found}
    return (found[-1] if found else None), len(kinds)


def _scans(index: ScanIndex) -> list[Mapping[str, Any]]:
    """Return one sidecar of each scan: of a thresholded map, else of a nodal table."""
    found = {}
    for extension in MAPS:
        for scan in index.of("boldmap", extension):
            own = scan_label(scan.entities)
            if own not in found and "NumberOfEdges" in scan.sidecar:
                found[own] = scan.sidecar
    for scan in index.of("nodes", ".tsv"):
        if scan_label(scan.entities) not in found:
            found[scan.sidecar["Scan"]] = scan.sidecar
    return [found[name] for name in sorted(found)]


def _tables(index: ScanIndex) -> list[Mapping[str, Any]]:
    """Return one sidecar of each kind of nodal and global tables, by atlas, matrix and edges."""
    found = {}
    for suffix in ("nodes", "global"):
        for scan in index.of(suffix, ".tsv"):
            kind = (suffix, *(scan.entities.get(key) for key in ("atlas", "seg", "scale", "desc")))
            if kind not in found:
                found[kind] = scan.sidecar
    return list(found.values())


def _atlases(output_dir: Path, index: ScanIndex) -> list[Record]:
    """Return the sidecars of the atlases that the tables are of."""
    used = {atlas_of(scan.entities) for scan in index.of("nodes", ".tsv")}
    paths = sorted((output_dir / "atlases").glob("*_dseg.json"))
    return [_read(path) for path in paths if atlas_of(Name.parse(path).entities) in used]


def _first_routes(records: Mapping[Path, ComparisonRecord]) -> list[tuple[Path, ComparisonRecord]]:
    """Return the table of balance of one route of each comparison that has one: it is the same people's in all."""
    found: dict[str, tuple[Path, ComparisonRecord]] = {}
    for path, record in records.items():
        balance = beside(path, "balance")
        if balance.exists():
            found.setdefault(record.arms.comparison, (balance, record))
    return list(found.values())


def _records(output_dir: Path) -> list[Path]:
    """Return the design.json of every route of every comparison."""
    return [path for folder in comparison_folders(output_dir / GROUP) for path in design_paths(folder)]


def _trial(output_dir: Path) -> Record | None:
    folders = comparison_folders(output_dir / GROUP)
    paths = [path for folder in folders for path in result_files(folder, "trial", ".json")]
    if not paths:
        return None
    methods: dict[str, dict[str, None]] = {}
    for path in paths:
        about = beside(path, "outcomes", ".json")
        for method, endpoints in (_read(about)["Methods"] if about.exists() else {}).items():
            methods[method] = methods.get(method, {}) | dict.fromkeys(endpoints)
    record = _read(paths[-1])
    record["Methods"] = {name: list(found) for name, found in methods.items()}
    return record


def _repeated(output_dir: Path) -> Record | None:
    path = sidecar_of(output_dir / GROUP / study_name("mmrm"))
    return _read(path) if path.exists() else None


def _markdown(content: Mapping[str, Any]) -> str:
    lines = ["# Methods", "", "Made from what was run. Check it, shorten it, and cite the references.", ""]
    for heading, text in content["parts"]:
        lines += [f"## {heading}", "", as_markdown(text), ""]
    lines += [
        "## Versions",
        "",
        ", ".join(f"{name} {number}" for name, number in content["software"].items()) + ".",
        "",
    ]
    lines += ["## References", "", *(f"- {reference}" for reference in content["references"])]
    return "\n".join(lines) + "\n"


def as_markdown(text: object) -> str:
    r"""Write text so that nothing in it is read as HTML or a link: names come from tables that anyone may have written.

    Only what a reader of Markdown would take for a tag, an entity or a link is changed, so that the rest can be copied
    as it is.

    Examples
    --------
    >>> as_markdown("ketamine <b>0.5</b> & r > 0.25, p < 0.05, [a](b) &lt;")
    'ketamine &lt;b>0.5&lt;/b> & r > 0.25, p < 0.05, [a]\\(b) &amp;lt;'
    """
    text = re.sub(r"&(?=#|\w+;)", "&amp;", str(text))
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text).replace("](", "]\\(")


def checklist(
    output_dir: Path,
    settings: Mapping[str, Any] | None,
    scans: Sequence[Mapping[str, Any]],
    records: Mapping[Path, ComparisonRecord],
) -> list[dict[str, Any]]:
    """List items of CONSORT and COBIDAS with what this run used.

    Returns
    -------
    list of dict
        ``guideline``, ``item``, ``value`` and ``where`` it was read.
    """
    return [
        {"guideline": guideline, "item": item, "value": value, "where": where}
        for guideline, rows in (
            ("COBIDAS", _cobidas(settings, scans)),
            ("CONSORT 2025", _consort(output_dir, records)),
        )
        for item, value, where in rows
    ]


def _cobidas(settings: Mapping[str, Any] | None, scans: Sequence[Mapping[str, Any]]) -> list[Item]:
    facts = next((scan for scan in scans if "Confounds" in scan), {})
    sidecar, chosen = "sidecars of the maps", "logs/*/settings.json"
    rows = [
        ("Scanner, sequence, and instructions at rest", OPEN, ""),
        ("Number of scans and participants", _people(scans), sidecar),
        ("Repetition time (s)", facts.get("RepetitionTime"), sidecar),
        ("Spatial reference", facts.get("SpatialReference"), sidecar),
        ("Confounds regressed out", ", ".join(facts.get("Confounds", [])) or None, sidecar),
        ("Band-pass (Hz)", facts.get("Bandpass"), sidecar),
        ("Censoring threshold (mm)", facts.get("FramewiseDisplacementThreshold"), sidecar),
        ("Minutes kept per scan, least and most", _least_and_most(scans, "MinutesKept"), sidecar),
        ("Coverage, least and most", _least_and_most(scans, "Coverage"), sidecar),
        ("Nodes", _least_and_most(scans, "NumberOfNodes"), sidecar),
        ("Edges", facts.get("EdgeRule"), sidecar),
        ("Density, least and most", _least_and_most(scans, "Density"), sidecar),
    ]
    if settings:
        rows += [
            ("Measures", ", ".join(settings["graph"]["metrics"]), chosen),
            ("Smoothing of the maps (mm FWHM)", settings["graph"]["smooth_maps"], chosen),
        ]
    return [(item, OPEN if value is None else value, where) for item, value, where in rows]


def _people(scans: Sequence[Mapping[str, Any]]) -> str | None:
    return f"{len(scans)} scans of {len({scan['Scan'].split()[0] for scan in scans})} participants" if scans else None


def _least_and_most(scans: Sequence[Mapping[str, Any]], fact: str) -> str | None:
    values = [scan[fact] for scan in scans if isinstance(scan.get(fact), (int, float))]
    return f"{number(min(values))} to {number(max(values))}" if values else None


def _consort(output_dir: Path, records: Mapping[Path, ComparisonRecord]) -> list[Item]:
    trial = _trial(output_dir)
    said = ((trial and trial.get("Plan")) or {}).get("Protocol", {})
    rows: list[Item] = [
        ("Registration, protocol and analysis plan, data sharing, funding (2 to 5)", *_of_plan(said, REGISTERED)),
        ("Patient involvement, settings, eligibility, interventions, harms, blinding", *_of_plan(said, BLINDED)),
        ("Sample size and how it was determined, interim analyses", *_of_plan(said, SIZED)),
    ]
    several = len({record.arms.comparison for record in records.values()}) > 1
    for path, record in records.items():
        named = f"{record.arms.comparison}, {record.route}" if several else record.route
        rows += [(f"{named}: {what}", value, where) for what, value, where in _of_comparison(output_dir, path, record)]
    if trial:
        planned = f"SHA-256 {trial['Plan']['SHA256']}" if trial.get("Plan") else "none: all is exploratory"
        outcomes = ", ".join(trial["Outcomes"]) or "none given"
        rows += [("Analysis plan", planned, "group/*_trial.json"), ("Outcomes", outcomes, "group/*_trial.json")]
    return rows


def _of_plan(said: Mapping[str, str], names: Sequence[str]) -> tuple[str, str]:
    """Return what a plan says of some of these, and where; what it leaves open is left to the authors."""
    values = [f"{SAID[name]}: {said[SAID[name]]}" for name in names if SAID[name] in said]
    return ("; ".join(values), "group/*_trial.json, of the plan") if values else (OPEN, "")


def _of_comparison(output_dir: Path, path: Path, record: ComparisonRecord) -> Iterator[Item]:
    """Yield what the record of a comparison and its flow say."""
    arms, analyses, inference = record.arms, record.analyses, record.inference
    flow = beside(path, "flow")
    where, of_flow = (one.relative_to(output_dir).as_posix() for one in (path, flow))
    by = f" (by {arms.arm_column})" if arms.treatments else f" (column {arms.arm_column})"
    yield arms.words.arms, f"{', '.join(arms.names)}{'' if arms.design.single else by}", where
    if arms.treatments:
        yield "treatments", arms.contrast, where
    yield "visits", ", ".join(filter(None, map(arms.design.named, arms.design.visits))) or "one", where
    for step, value in _flow(flow, record):
        yield step, value, of_flow
    of_whom = " of the randomization" * arms.words.randomized
    yield f"strata{of_whom}", ", ".join(analyses.strata) or "none given", where
    yield "estimator", analyses.headline_text, where
    yield "covariates", ", ".join(analyses.covariates) or "none", where
    if analyses.tested:
        yield "draws and seed", f"{inference.draws}, seed {inference.random_seed}", where
        yield "level of significance", inference.alpha, where


def _flow(path: Path, record: ComparisonRecord) -> Iterator[tuple[str, str]]:
    """Yield the counts of each step of the flow of participants, per arm."""
    flow = read_flow(path)
    for step, row in counts(flow, record.arms.design).iterrows():
        yield str(step), ", ".join(f"{arm} {count}" for arm, count in row.items())


def _checklist_markdown(items: Sequence[Mapping[str, Any]]) -> str:
    lines = ["# Checklist", "", "Items of COBIDAS and CONSORT 2025 with what this run used.", ""]
    lines += ["| guideline | item | value | read from |", "|---|---|---|---|"]
    cells = ("guideline", "item", "value", "where")
    lines += ["| " + " | ".join(as_markdown(row[cell]).replace("|", "\\|") for cell in cells) + " |" for row in items]
    return "\n".join(lines) + "\n"
