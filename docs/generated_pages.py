"""Pages of the site that are made from the code."""

import inspect
from importlib import import_module

from bids_app.graph.describe import measures_table
from bids_app.graph.measures import GLOBALS, MEASURES
from bids_app.group.analysis_words import BETWEEN
from bids_app.group.cluster_labels import NAME_COLUMNS
from bids_app.group.description import COLUMNS as DESCRIPTION_COLUMNS
from bids_app.group.description import RELIABILITY_COLUMNS, SCORE_COLUMNS
from bids_app.group.named_regions import REGION_COLUMNS
from bids_app.group.objectives import COLUMNS as OBJECTIVE_COLUMNS
from bids_app.group.pooled import SPREAD_COLUMNS
from bids_app.group.region_values import ROI_COLUMNS
from bids_app.group.repeated_outcomes import ROLE
from bids_app.group.result_tables import COMPONENT_COLUMNS, PAIR_COLUMNS, STATISTICS, TABLE_COLUMNS
from bids_app.group.sensitivity import SENSITIVITY_COLUMNS
from bids_app.group.value_keys import KEY_COLUMNS
from bids_app.power.level import COLUMNS as POWER_COLUMNS
from bids_app.power.level import COMPARISON_COLUMNS
from bids_app.report.every_scan import COLUMNS as SCAN_COLUMNS
from bids_app.report.quality import COLUMNS, QCFC_COLUMNS
from bids_app.settings.everyday import LEVEL_OF
from bids_app.settings.import_options import import_parser
from bids_app.settings.parser import (
    app_parser,
    demo_parser,
    engine_parser,
    plan_parser,
    unblind_parser,
    verify_parser,
)
from bids_app.settings.power_options import power_parser
from bids_app.settings.settings import BY_OPTION
from bids_app.stats.association import ASSOCIATION_COLUMNS
from bids_app.stats.balance import BALANCE_COLUMNS
from bids_app.stats.changes import CHANGES_COLUMNS
from bids_app.stats.clinical import CHANGE_COLUMNS, CLINICAL_COLUMNS
from bids_app.stats.missing import MISSING_COLUMNS, TIPPING_COLUMNS
from bids_app.stats.motion import MOTION_COLUMNS, ONE_GROUP_COLUMNS
from bids_app.stats.repeated import REPEATED_COLUMNS
from bids_app.stats.robustness import AGREEMENT_COLUMNS
from bids_app.trial.flow_table import FLOW_COLUMNS
from bids_app.trial.outcomes import WRITTEN_COLUMNS


def _of_values(columns):
    """Return the columns of a table as it is written: with what each value is known by, as far as it is."""
    return KEY_COLUMNS | {name: text for name, text in columns.items() if name != "value"}


TABLES = {
    "flow.tsv": FLOW_COLUMNS,
    "clusters.tsv, nodes.tsv, wholebrain.tsv": TABLE_COLUMNS,
    "clusters.tsv, dseg.tsv": NAME_COLUMNS,
    "regions.tsv": REGION_COLUMNS,
    "edges.tsv": PAIR_COLUMNS,
    "components.tsv": COMPONENT_COLUMNS,
    "motion.tsv": MOTION_COLUMNS,
    "balance.tsv": BALANCE_COLUMNS,
    "scores.tsv": WRITTEN_COLUMNS,
    "outcomes.tsv": CLINICAL_COLUMNS,
    "objectives.tsv": OBJECTIVE_COLUMNS,
    "mmrm.tsv": {**REPEATED_COLUMNS, **ROLE},
    "mmrm.tsv, of one group": {**CHANGES_COLUMNS, **ROLE},
    "outcomes.tsv, of one group": CHANGE_COLUMNS,
    "motion.tsv, of one group": ONE_GROUP_COLUMNS,
    "description.tsv": DESCRIPTION_COLUMNS,
    "power/power.tsv": POWER_COLUMNS,
    "power/comparisons.tsv": COMPARISON_COLUMNS,
    "description.tsv of scores": SCORE_COLUMNS,
    "reliability.tsv": RELIABILITY_COLUMNS,
    "spread.tsv": SPREAD_COLUMNS,
    "missing.tsv, roimissing.tsv, regionsmissing.tsv, wholebrainmissing.tsv": _of_values(MISSING_COLUMNS),
    "tipping.tsv": _of_values(TIPPING_COLUMNS),
    "roi.tsv": ROI_COLUMNS,
    "association.tsv": ASSOCIATION_COLUMNS,
    "sensitivity.tsv": SENSITIVITY_COLUMNS,
    "agreement.tsv": AGREEMENT_COLUMNS,
    "logs/scans.tsv": SCAN_COLUMNS,
    "logs/quality.tsv": COLUMNS,
    "logs/qcfc.tsv": QCFC_COLUMNS,
}


def options_page():
    """Return every option of the command line, in its groups."""
    lines = ["# Every option", "", "Each may be written with dashes or underscores.", ""]
    tasks = plan_parser()._subparsers._group_actions[0].choices.values()
    engines = map(engine_parser, ("docker", "apptainer"))
    others = (unblind_parser(), power_parser(), import_parser(), demo_parser(), verify_parser())
    for parser in (app_parser(), *others, *tasks, *engines):
        lines += [f"## `{parser.prog}`", "", parser.description, ""]
        for group in parser._action_groups:
            if group._group_actions:
                level = f" [{LEVEL_OF[group.title]}]" if group.title in LEVEL_OF else ""
                lines += [f"### {group.title.capitalize()} of {parser.prog}{level}", ""]
                lines += ["| option | what it does | allowed | default |", "|---|---|---|---|"]
                lines += [_row(action) for action in group._group_actions]
                lines.append("")
    return "\n".join(lines)


def _row(action):
    names = ", ".join(f"`{name}`" for name in action.option_strings or [action.dest])
    values = action.metavar if isinstance(action.metavar, str) else " ".join(action.metavar or [])
    says = action.option_strings and action.default not in (None, False, [], "==SUPPRESS==")
    default = action.default if says else ""
    shown = " ".join(map(str, default)) if isinstance(default, list) else str(default)
    text = (action.help or "").replace("%%", "%").replace("%(default)s", shown)
    return (
        "| " + " | ".join(_cell(cell) for cell in (f"{names} {values}".strip(), text, _allowed(action), shown)) + " |"
    )


def _allowed(action):
    """Return the range or the choices of an option as its setting has them."""
    of = BY_OPTION.get(action.dest)
    allowed = of.metadata.get("allowed") if of and action.option_strings else None
    return allowed.words if allowed else ", ".join(map(str, action.choices or []))


def _cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;")


def measures_page():
    """Return the table of measures, and whose definition each is."""
    lines = ["# Every measure", "", measures_table(), "", "## Whose definitions", ""]
    lines += [f"- `{name}`: {measure.reference}" for name, measure in MEASURES.items()]
    lines += ["", "## Of parcels as a whole", "", "| measure | definition | unit | whose |", "|---|---|---|---|"]
    for name, one in GLOBALS.items():
        lines.append(f"| `{name}` | {_cell(one.description)} | {one.unit} | {one.reference} |")
    return "\n".join(lines) + "\n"


def columns_page():
    """Return the statistics of the group's maps and the columns of every table."""
    lines = ["# Every column", "", "## Maps of the group: `stat-`", ""]
    lines += [f"- `{name}`: {text}" for name, text in STATISTICS.items()]
    lines += [
        "",
        "## Estimators",
        "",
        *(f"- `{name}`: {text.format(node='node')}" for name, text in BETWEEN.items()),
        "",
    ]
    for title, columns in TABLES.items():
        lines += [f"## `{title}`", "", "| column | meaning |", "|---|---|"]
        lines += [f"| `{name}` | {_cell(_said(text))} |" for name, text in columns.items()]
        lines.append("")
    return "\n".join(lines)


def _said(text):
    return text["Description"] if isinstance(text, dict) else text


PUBLIC = ("graph", "stats", "space", "participant")  # packages whose `__all__` is for notebooks too


def functions_page():
    """Return the public names of the packages, functions and classes with what their docstrings say."""
    lines = ["# Every function", ""]
    for package in (import_module(f"bids_app.{name}") for name in PUBLIC):
        lines += [f"## `{package.__name__}`", "", inspect.getdoc(package).splitlines()[0], ""]
        values = {name: getattr(package, name) for name in sorted(package.__all__, key=str.lower)}
        tables = {name: value for name, value in values.items() if not callable(value)}
        lines += [f"- `{name}`: {', '.join(f'`{key}`' for key in value)}" for name, value in tables.items()]
        lines += ["", "```{eval-rst}"]
        for name in (name for name in values if name not in tables):
            kind = "class" if inspect.isclass(values[name]) else "function"
            lines.append(f".. auto{kind}:: {package.__name__}.{name}")
        lines += ["```", ""]
    return "\n".join(lines)


PAGES = {
    "options": options_page,
    "measures": measures_page,
    "columns": columns_page,
    "functions": functions_page,
}
