"""The record of several comparisons: which there are, and how they are corrected together."""

from collections.abc import Sequence
from pathlib import Path

from bids_app import __version__
from bids_app.bids.files import save_json
from bids_app.bids.result_names import COMPARISONS, comparison_folder, family_name
from bids_app.group.family import Family
from bids_app.group.targets import TrialScans


def write_comparisons(trial: TrialScans, families: Sequence[Family], not_compared: Sequence[str]) -> Path:
    """Write which comparisons there are, and how they are corrected together.

    Parameters
    ----------
    trial : TrialScans
    families : list of Family
        Of every route.
    not_compared : list of str
        Which could not be made, and why.

    Returns
    -------
    Path
    """
    path = trial.settings.group_dir / COMPARISONS
    designs, first = families[0].designs, trial.study.first
    content = {
        "ArmColumn": first.arm_column,
        "Baseline": None if first.treatments else first.baseline,
        "Comparisons": [
            {
                "Active": one.sides[0],
                "Reference": one.sides[-1],
                "Followup": "" if one.treatments else one.followup,
                "Comparison": one.comparison,
                "Folder": comparison_folder(one),
            }
            for one in designs
            if not one.weighted
        ],
        "Weighted": [
            {
                "Name": one.weighted.name,
                "Weights": dict(one.weighted.weights),
                "Doses": dict(one.weighted.doses),
                "Followup": "" if one.treatments else one.followup,
                "Comparison": one.comparison,
                "Text": one.weighted.text,
            }
            for one in designs
            if one.weighted
        ],
        "NotCompared": list(not_compared),
        "Routes": [
            {"Route": one.route.name, "Table": family_name(one.route, "comparisons", ".tsv")} for one in families
        ],
        "Together": families[0].how,
        "Model": families[0].model,
        "Alpha": trial.settings.trial.alpha,
        "Software": f"trialgraph {__version__}",
    }
    save_json(path, content)
    return path
