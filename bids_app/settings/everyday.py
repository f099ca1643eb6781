"""What ``--help`` shows: the options that most calls need, of which level, and examples."""

from collections.abc import Collection, Sequence

LEVELS = ("participant", "group")
# By the title of a group of options: the level that they are for.
LEVEL_OF = {
    "which scans": "both",
    "cleaning the signal": "participant",
    "the graph": "both",
    "the graph of parcels": "both",
    "the trial": "group",
    "the comparison": "group",
    "clinical outcomes": "group",
    "the run": "both",
}
OF_BOTH = ("min_minutes",)  # though their group is of one level
# By the name of an option: what is said of it in short, nothing where that is what --help-all says.
EVERYDAY = {
    "bids_exec_spec": "print the Boutiques descriptor of the app, and leave",
    "participant_label": "only these participants",
    "task_id": "",
    "derivatives": "preprocessed data, where BIDS_DIR does not hold them",
    "space": "template space; of surfaces fsLR or fsaverage5",
    "denoise": "which confounds are regressed out",
    "fd_threshold": "",
    "min_minutes": "",
    "voxel_size": "",
    "metrics": "what is measured, as degree, clustering, path-length or participation; --help-all lists them",
    "threshold": "",
    "density": "so large a share of all pairs, the strongest, are joined, in place of --threshold",
    "atlas": "parcels by name (aal, dosenbach, schaefer400 ...) or file",
    "design": "",
    "arm": "column of participants.tsv that holds the arm",
    "arms": "the values of that column that are compared",
    "reference_arm": "",
    "baseline": "",
    "followup": "sessions after treatment, each of which is compared; all after the baseline where none is named",
    "covariates": "",
    "strata": "",
    "outcomes": "",
    "n_permutations": "",
    "random_seed": "",
    "plan": "the analysis as planned, before the data are seen",
    "config": "a file of options of both levels, and in a section [plan] of the plan",
    "n_cpus": "processes at once, as many as there are for this job where nothing is said",
    "mem_gb": "memory that all processes may take together",
    "work_dir": "",
    "skip_bids_validation": "",
    "dry_run": "",
    "reports_only": "",
}
USAGE = "trialgraph BIDS_DIR OUTPUT_DIR {participant,group} [options]"
USAGES = f"""{USAGE}
       trialgraph check BIDS_DIR OUTPUT_DIR [options]
       trialgraph plan {{init,check,sap}} [options]
       trialgraph unblind OUTPUT_DIR --key FILE --plan TOML
       trialgraph power OUTPUT_DIR [options]
       trialgraph import TABLE OUTPUT_DIR [options]
       trialgraph demo OUTPUT_DIR [options]
       trialgraph verify [options]
       trialgraph {{docker,apptainer}} ... (any of these, in a container)"""
_COMMON = {
    "check": "trialgraph check bids out                        # what would be done, and what is missing",
    "participant": "trialgraph bids out participant                  # graph maps of every scan",
    "group": "trialgraph bids out group --covariates age sex   # the arms compared; then open out/group/index.html",
}
EXAMPLES = {
    None: (*_COMMON.values(), "trialgraph demo out                              # a simulated trial, analysed"),
    "participant": (
        _COMMON["participant"],
        "trialgraph bids out participant --participant-label 01 02 --n-cpus 2",
        "trialgraph bids out participant --derivatives fmriprep --atlas schaefer400",
    ),
    "group": (
        _COMMON["group"],
        "trialgraph bids out group --arm treatment --reference-arm placebo --strata site",
        "trialgraph bids out group --plan plan.toml --outcomes hamd17",
    ),
    "check": (
        _COMMON["check"],
        "trialgraph check bids out --arm treatment --reference-arm placebo --plan plan.toml",
    ),
}


def is_command(argv: Sequence[str], commands: Collection[str]) -> bool:
    """Say whether a call begins with a command, rather than with a dataset of that name.

    Examples
    --------
    >>> is_command(["demo", "out"], {"demo"}), is_command(["demo", "out", "group"], {"demo"})
    (True, False)
    """
    return argv[0] in commands and not {*argv[2:3]} & {*LEVELS}


def examples(command: str | None) -> str:
    """Return the examples of a level, of ``check``, or of all."""
    more = "--help-all lists every option; `participant --help` and `group --help` those of a level."
    return "\n  ".join(("examples:", *EXAMPLES[command])) + f"\n\n{more}"
