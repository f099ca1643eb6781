"""How the scans were processed, in words, from what the files say was really run; ``[@key]`` cites the bibliography."""

from collections.abc import Mapping, Sequence
from typing import Any

from bids_app.bids.pipelines import APPLIED
from bids_app.graph import GLOBALS
from bids_app.graph.features import Feature
from bids_app.graph.measures import Measure
from bids_app.report.bibliography import key_of
from bids_app.report.pages import number

Facts = Mapping[str, Any]  # content of a JSON file

CONFOUNDS = {
    "friston24": "friston1996",
    "24p": "friston1996",
    "36p": "satterthwaite2013",
    "acompcor": "behzadi2007",
}
UPSTREAM = {"fMRIPrep": "fmriprep", "XCP-D": "xcpd", "xcp_d": "xcpd"}
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


def participant_methods(
    settings: Facts,
    scans: Sequence[Facts],
    description: Facts,
    tables: Sequence[Facts] = (),
    atlases: Sequence[Facts] = (),
) -> list[tuple[str, str]]:
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


def _input(description: Facts, scans: Sequence[Facts]) -> str:
    tools = [entry for entry in description.get("GeneratedBy", []) if entry.get("Name") != "trialgraph"]
    named = [" ".join(filter(None, (entry["Name"], entry.get("Version"), _cite(entry["Name"])))) for entry in tools]
    made = f" They were preprocessed by {', '.join(named)}." if named else ""
    if any(entry.get("Description") == APPLIED for entry in description.get("GeneratedBy", [])):
        made = (
            f" Head motion, distortion and alignments were estimated by {', '.join(named) or 'another program'} and "
            "applied by trialgraph to the raw scans, in one interpolation by cubic splines; slice timing was corrected "
            "where its times are known, and confounds were computed by trialgraph."
        )
    return (
        f"{len(scans)} resting-state scans of {len({scan['Scan'].split()[0] for scan in scans})} participants, "
        f"organized by the Brain Imaging Data Structure [@bids], were analysed.{made}"
    )


def _cite(name: str) -> str:
    return f"[@{UPSTREAM[name]}]" if name in UPSTREAM else ""


def _cleaning(signal: Facts, scans: Sequence[Facts]) -> str:
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
    echoes = " ".join(dict.fromkeys(scan["EchoCombination"] for scan in scans if scan.get("EchoCombination")))
    text = f"{echoes} {text}" if echoes else text
    return f"{text}. {_span(minutes)} minutes of data per scan were kept."


def _detrended(facts: Facts) -> bool:
    return bool(facts.get("Detrend", True))  # always done, and not said, before there was a choice


def _censoring(scans: Sequence[Facts]) -> str:
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


def _span(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return number(low) if low == high else f"{number(low)} to {number(high)}"


def _nodes(graph: Facts, scans: Sequence[Facts]) -> str:
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


def _graphs(graph: Facts, scans: Sequence[Facts]) -> str:
    text = f"{_rules(scans)}{_measured(graph['metrics'])}; they are exact, without sampling."
    density = [100 * scan["Density"] for scan in scans if "Density" in scan]
    text += f" The density was {_span(density)} %." if density else ""
    if graph["smooth_maps"]:
        text += (
            " Maps were z-scored over the nodes of each scan and smoothed within them by a Gaussian of "
            f"{number(graph['smooth_maps'])} mm FWHM."
        )
    return text


def _rules(sidecars: Sequence[Facts]) -> str:
    rules = dict.fromkeys(one["EdgeRule"] for one in sidecars if "EdgeRule" in one)
    return f"Edges: {'; '.join(rules)}. " if rules else ""


def _measured(metrics: Sequence[str]) -> str:
    measured = []
    for name in metrics:
        measure = Feature(name, "full").measure
        measured.append(f"{measure.label.lower()} [@{key_of(measure.reference)}]")
    return f"Measured were {', '.join(measured)}"


def _parcels(graph: Facts, tables: Sequence[Facts], atlases: Sequence[Facts]) -> str:
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


def _global(measure: Measure) -> str:
    return f"{measure.label.lower()} [@{key_of(measure.reference)}]"


def _cite_atlas(atlas: Facts) -> str:
    text = f"{atlas['Name']} {atlas['Origin']}".lower()
    keys = dict.fromkeys(key for word, key in OF_ATLASES.items() if word in text)
    return f" [@{'; @'.join(keys)}]" if keys else ""


def _software(description: Facts) -> str:
    own = next(entry for entry in description["GeneratedBy"] if entry["Name"] == "trialgraph")
    return (
        f"trialgraph {own.get('Version', '')}, a BIDS App [@bidsapps], ran this as a Nipype workflow [@nipype]; it "
        "reads files by PyBIDS [@pybids], cleans signals by nilearn [@nilearn], and computes with NumPy [@numpy], "
        "SciPy [@scipy] and Numba [@numba]."
    )
