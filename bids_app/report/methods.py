"""The methods in words, from what the files say was really run; ``[@key]`` cites the bibliography."""

from bids_app.graph import GLOBALS
from bids_app.graph.features import Feature
from bids_app.report.bibliography import key_of
from bids_app.report.headline import judged
from bids_app.report.pages import number
from bids_app.settings.deviation import Deviation

CONFOUNDS = {
    "friston24": "friston1996",
    "24p": "friston1996",
    "36p": "satterthwaite2013",
    "acompcor": "behzadi2007",
}
UPSTREAM = {"fMRIPrep": "fmriprep", "XCP-D": "xcpd", "xcp_d": "xcpd"}
STATISTICS = {
    "tfce": "exact signed threshold-free cluster enhancement of z (E = 0.5, H = 2) [@smith2009]",
    "t": "t of each node",
    "cluster-extent": "extent of clusters of z beyond {threshold}",
    "cluster-mass": "mass of clusters of z beyond {threshold}",
    "nbs": "count of connections in the component of z beyond {threshold} (network-based statistic) [@zalesky2010]",
    "nbs-intensity": "sum of z over the component of connections of z beyond {threshold} [@zalesky2010]",
    "tfnbs": "threshold-free network-based statistic of z (E = 0.4, H = 3) [@baggio2018; @vinokur2015]",
}


OF_ATLASES = {
    "aal": "tzouriomazoyer2002",
    "aicha": "joliot2015",
    "power": "power2011",
    "dosenbach": "dosenbach2010",
    "seitzman": "seitzman2020",
    "schaefer": "schaefer2018",
    "tian": "tian2020",
    "melbourne": "tian2020",
}


def participant_methods(settings, scans, description, tables=(), atlases=()):
    """Describe how the scans were processed.

    Parameters
    ----------
    settings : dict
        Content of the settings.json of the run.
    scans : list of dict
        A sidecar of each scan's maps or nodal tables.
    description : dict
        Content of dataset_description.json.

    tables : list of dict
        A sidecar of each kind of nodal and global tables.
    atlases : list of dict
        What is kept beside each atlas that was laid over the nodes.

    Returns
    -------
    list of (str, str)
        Headings and paragraphs.
    """
    bold = [scan for scan in scans if "Confounds" in scan]
    maps = [scan for scan in scans if "NumberOfNodes" in scan]
    parts = [("Input", _input(description, scans))]
    if bold:
        parts.append(("Cleaning", _cleaning(settings["signal"], bold)))
    if maps:
        parts.append(("Nodes", _nodes(settings["graph"], maps)))
        parts.append(("Graphs", _graphs(settings["graph"], maps)))
    if tables:
        parts.append(("Parcels", _parcels(settings["graph"], tables, atlases)))
    return [*parts, ("Software", _software(description))]


def _input(description, scans):
    tools = [entry for entry in description.get("GeneratedBy", []) if entry.get("Name") != "trialgraph"]
    named = [" ".join(filter(None, (entry["Name"], entry.get("Version"), _cite(entry["Name"])))) for entry in tools]
    made = f" They were preprocessed by {', '.join(named)}." if named else ""
    return (
        f"{len(scans)} resting-state scans of {len({scan['Scan'].split()[0] for scan in scans})} participants, "
        f"organized by the Brain Imaging Data Structure [@bids], were analysed.{made}"
    )


def _cite(name):
    return f"[@{UPSTREAM[name]}]" if name in UPSTREAM else ""


def _cleaning(signal, scans):
    facts = scans[0]
    if facts["Bandpass"] == facts["Denoising"]:
        drift = "the linear trend of each series alone was removed here" if _detrended(facts) else "nothing was removed"
        censored = " or ".join(
            dict.fromkeys(scan.get("Censoring") or "nothing is known of censoring" for scan in scans)
        )
        return f"The images had been cleaned before; {censored}; {drift}."
    key = CONFOUNDS.get(signal["denoise"])
    text = f"{facts['Denoising'][0].upper()}{facts['Denoising'][1:]}"
    text += f" ({len(facts['Confounds'])} regressors{'; ' + f'[@{key}]' if key else ''})" if facts["Confounds"] else ""
    band, trend = facts["Bandpass"], ", the linear trend" if _detrended(facts) else ""
    if isinstance(band, list):
        text += (
            f"{trend} and frequencies outside {number(band[0])} to {number(band[1])} Hz were removed in one model, the "
            "confounds passing the same filter as the data [@lindquist2019]."
        )
    else:
        text += f"{trend} were removed in one model, without a band-pass filter."
    text += f"{_censoring(scans)}"
    dummies = [scan["NumberOfDummyScans"] for scan in scans]
    text += f"; {_span(dummies)} volumes at the start were dropped first" if max(dummies) else ""
    minutes = [scan["MinutesKept"] for scan in scans]
    return f"{text}. {_span(minutes)} minutes of data per scan were kept."


def _detrended(facts):
    return facts.get("Detrend", True)  # always done, and not said, before there was a choice


def _censoring(scans):
    """Say how volumes were censored, for all scans."""
    thresholds = list(dict.fromkeys(scan["FramewiseDisplacementThreshold"] for scan in scans))
    if thresholds == ["off"]:
        return " No volume was censored for motion"
    sources = dict.fromkeys(scan.get("FramewiseDisplacementSource", "the confounds table") for scan in scans)
    above = " or ".join(number(one) if one != "off" else "none" for one in thresholds)
    text = (
        f" Volumes with a framewise displacement above {above} mm [@power2012] were bridged by a spline for the filter"
    )
    text += " and left out after it [@power2014]"
    others = [source for source in sources if source != "the confounds table"]
    return text + (f" (of some scans it is from {' or '.join(others)})" if others else "")


def _span(values):
    low, high = min(values), max(values)
    return number(low) if low == high else f"{number(low)} to {number(high)}"


def _nodes(graph, scans):
    facts = scans[0]
    nodes = _span([scan["NumberOfNodes"] for scan in scans])
    if "AnalysisMask" not in facts:
        return f"Nodes were {nodes} grayordinates of {facts['SpatialReference']}."
    template = " [@fonov2011]" if graph["mask"] in ("gm", "brain") else ""
    return (
        f"Nodes were the voxels of the {facts['AnalysisMask']}{template} on the {facts['Resolution']} in "
        f"{facts['SpatialReference']} that had a signal: {nodes} per scan, "
        f"{_span([100 * scan['Coverage'] for scan in scans])} % of the mask."
    )


def _graphs(graph, scans):
    text = f"{_rules(scans)}{_measured(graph['metrics'])}; they are exact, without sampling."
    density = [100 * scan["Density"] for scan in scans if "Density" in scan]
    text += f" The density was {_span(density)} %." if density else ""
    if graph["smooth_maps"]:
        text += (
            " Maps were z-scored over the nodes of each scan and smoothed within them by a Gaussian of "
            f"{number(graph['smooth_maps'])} mm FWHM."
        )
    return text


def _rules(sidecars):
    rules = dict.fromkeys(one["EdgeRule"] for one in sidecars if "EdgeRule" in one)
    return f"Edges: {'; '.join(rules)}. " if rules else ""


def _measured(metrics):
    measured = []
    for name in metrics:
        measure = Feature(name, "full").measure
        measured.append(f"{measure.label.lower()} [@{key_of(measure.reference)}]")
    return f"Measured were {', '.join(measured)}"


def _parcels(graph, tables, atlases):
    """Describe the graphs of parcels: atlases, matrices, edges, measures of nodes and of the whole."""
    named = [f"{one['Name']}{_cite_atlas(one)}" for one in atlases]
    text = f"Parcels were those of {', '.join(named)}, the mean signal of each. " if named else ""
    if any("maps" in one.get("Kind", "") for one in atlases):
        text += "Probabilistic maps were regressed on each volume together. "
    matrices = dict.fromkeys(one["Matrix"] for one in tables if "Matrix" in one)
    said = "; ".join(f"{matrix}{' [@ledoit2004]' if 'Ledoit' in matrix else ''}" for matrix in matrices)
    text += f"They were related by {said}. " if said else ""
    text += f"{_rules(tables)}{_measured(graph['parcels']['metrics'])}, some of them by NetworkX [@networkx]."
    whole = next((one for one in tables if "NumberOfLouvainRuns" in one), None)
    if whole is None:
        return text
    text += (
        f" Of each graph as a whole, {', '.join(_global(one) for one in GLOBALS.values())}; modularity is the largest "
        f"of {whole['NumberOfLouvainRuns']} runs of Louvain [@blondel2008] by scikit-network [@bonald2020]."
    )
    if whole["NumberOfNullGraphs"]:
        text += (
            f" Small-world and rich-club measures are held against {whole['NumberOfNullGraphs']} random graphs with "
            f"the same degrees [@maslov2002] (seed {whole['RandomSeed']})."
        )
    return text


def _global(measure):
    return f"{measure.label.lower()} [@{key_of(measure.reference)}]"


def _cite_atlas(atlas):
    text = f"{atlas['Name']} {atlas['Origin']}".lower()
    keys = dict.fromkeys(key for word, key in OF_ATLASES.items() if word in text)
    return f" [@{'; @'.join(keys)}]" if keys else ""


def _software(description):
    own = next(entry for entry in description["GeneratedBy"] if entry["Name"] == "trialgraph")
    return (
        f"trialgraph {own.get('Version', '')}, a BIDS App [@bidsapps], ran this as a Nipype workflow [@nipype]; it "
        "reads files by PyBIDS [@pybids], cleans signals by nilearn [@nilearn], and computes with NumPy [@numpy], "
        "SciPy [@scipy] and Numba [@numba]."
    )


def group_methods(designs, trial):
    """Describe how the arms were compared.

    Parameters
    ----------
    designs : list of dict
        Content of the design.json of each route.
    trial : dict or None
        Content of trial.json.

    Returns
    -------
    list of (str, str)
    """
    parts = [(f"Comparison: {design['Route']}", f"{_model(design)} {_inference(design)}") for design in designs]
    if trial and trial.get("Outcomes"):
        parts.append(("Clinical outcomes", _outcomes(trial)))
    if trial:
        parts.append(("Plan", _plan(trial)))
    return parts


def _model(design):
    n = design["NumberAnalysed"]
    arms = " and ".join(f"{count} of {arm}" for arm, count in n.items())
    adjusted = [*design["Covariates"], *(f"stratum {name}" for name in design["Strata"])]
    text = (
        f"{design['ActiveArm']} was compared with {design['ReferenceArm']} ({arms}). The headline is the "
        f"{design['Estimators'][design['Headline']]}"
    )
    text += " [@vickers2001]" if design["Headline"] == "ancova" else ""
    text += f", adjusted for {', '.join(adjusted)}" if adjusted else ""
    others = [words for key, words in design["Estimators"].items() if key != design["Headline"]]
    text += f"; beside it, {'; '.join(others)}" if others else ""
    return f"{text}. Effect sizes are Hedges g [@hedges1981] with 95 % confidence intervals."


def _inference(design):
    where = "within strata" if design["Strata"] else ""
    if design["Scheme"] == "freedman-lane":
        text = f"Residuals were permuted {design['Draws']} times {where} [@freedman1983; @winkler2014]"
    elif design["AllAllocationsEnumerated"]:
        text = f"The arm labels were put through all {design['Draws']} possible allocations {where} [@rosenberger2019]"
    else:
        text = f"The arm labels were re-randomized {design['Draws']} times {where} [@rosenberger2019]"
    how = STATISTICS[design["Statistic"]].format(threshold=number(design.get("ClusterThreshold")))
    errors = ", with HC3 standard errors [@mackinnon1985]" if design["StandardErrors"] == "HC3" else ""
    tail = (
        " Small p values were taken from a generalized Pareto tail [@winkler2016]."
        if design["TailApproximation"]
        else ""
    )
    return (
        f"{' '.join(text.split())}, covariates held fixed and the observed allocation counted (seed "
        f"{design['RandomSeed']}). The statistic is the {how}{errors}; p values are corrected over all "
        f"{design['NodesCompared']} nodes and both signs by the maximum statistic, and over the measures by the "
        f"minimum p; the false discovery rate is given beside them [@benjamini1995]. {judged(design)} "
        f"Significance: p ≤ {number(design['Alpha'])}.{tail}{_named(design)}"
    )


def _named(design):
    regions = design.get("NamedRegions")
    if not regions:
        return ""
    listed = ", ".join(f"{name} ({count} {'node' if count == 1 else 'nodes'})" for name, count in regions.items())
    return (
        f" The means of the regions that were named beforehand, {listed}, were compared by the same model and draws, "
        "with one correction over regions and measures by the maximum statistic."
    )


def _outcomes(trial):
    names = (
        ", ".join(trial["Outcomes"]) if isinstance(trial["Outcomes"][0], str) else f"{len(trial['Outcomes'])} scores"
    )
    return (
        f"Clinical outcomes ({names}) were compared by ANCOVA on the baseline [@vickers2001] and by a mixed model of "
        f"both visits of {_whom(trial)} [@laird1982], computed by statsmodels [@statsmodels]; their p values are of "
        "each outcome by itself."
    )


def _whom(trial):
    everyone = trial.get("Population", "all") == "all"
    return "everyone randomized" if everyone else f"the {len(trial['Population'])} chosen by --participant-label"


def _plan(trial):
    if not trial.get("Plan"):
        return "There was no analysis plan: every result is exploratory."
    departed = trial["Plan"]["Deviations"]
    departures = "; ".join(Deviation(row["What"], row["Planned"], row["Used"]).text for row in departed)
    return (
        f"The analysis was planned before (SHA-256 of the plan {trial['Plan']['SHA256']}). "
        f"{'It departs from the plan in: ' + departures if departed else 'It does not depart from the plan'}."
    )
