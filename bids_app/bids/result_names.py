"""The names of the files that we write below the output folder: built here, and read back here."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from bids_app.bids.names import Name, build, contrast_label
from bids_app.bids.selection import SURFACE_SPACES
from bids_app.graph.features import AREA, FULL, KNOWN, camel
from bids_app.graph.rules import MATRICES, NEGATIVES, Linking
from bids_app.settings.settings import Graph

PARCELLATION = ("atlas", "seg", "scale")
MAPS = {".nii.gz": "voxels", ".dscalar.nii": "grayordinates"}
MATRIX_STATS = {
    "pearson": "pearsoncorrelation",
    "fisher": "fisherz",
    "partial": "partialcorrelation",
    "spearman": "spearmancorrelation",
}
LINKINGS = [Linking(negative, backbone).label for negative in NEGATIVES for backbone in (False, True)]
KINDS = {camel([matrix, linking]) for matrix in ("", *MATRICES) for linking in LINKINGS if matrix != "pearson"}
_MAP_DESC = re.compile(r"(?P<edges>full|auc|[rd]\d+)(?P<z>z?)(?:Smooth(?P<fwhm>\d+(?:p\d+)?))?")


def parcellation_of(entities: Mapping[str, str]) -> tuple[str | None, ...]:
    """Return what tells the parcels of files apart: the atlas and, on surfaces, the space; None for what is not said.

    Examples
    --------
    >>> parcellation_of({"space": "fsLR", "atlas": "Glasser"})
    ('Glasser', None, None, 'fsLR')
    >>> parcellation_of({"space": "MNI152NLin2009cAsym", "atlas": "Schaefer", "scale": "400"})
    ('Schaefer', None, '400', None)
    """
    space = entities.get("space")
    return (*map(entities.get, PARCELLATION), space if space in SURFACE_SPACES else None)


def resolution(options: Graph) -> str | None:
    """Return the res label of the maps, or None on the grid of the data."""
    return f"{options.voxel_size}mm" if options.voxel_size else None


def surface_path(output_dir: Path, entities: Mapping[str, str]) -> Path:
    """Return where the grayordinates of a space are kept, with their meshes beside them."""
    kept = {key: entities[key] for key in ("space", "den") if key in entities}
    return output_dir / "surfaces" / build(kept, "nodes", ".dscalar.nii")


def map_desc(options: Graph, edges: str, values: str = "z", smoothed: bool = True) -> str:
    """Return the desc label of a map.

    Examples
    --------
    >>> from bids_app.settings.settings import Graph
    >>> map_desc(Graph(), "r025"), map_desc(Graph(), "d01", "raw", smoothed=False)
    ('r025zSmooth6', 'd01')
    """
    parts = [edges, "z" if values == "z" else ""]
    if smoothed and options.smooth_maps:
        parts.append("Smooth" + f"{options.smooth_maps:g}".replace(".", "p"))
    return "".join(parts)


@dataclass(frozen=True)
class MapDesc:
    """What the desc label of a map says.

    Attributes
    ----------
    edges : str
        Label of the edge rule.
    values : {"raw", "z"}
    fwhm : float
        Of the smoothing, mm; 0 without.
    """

    edges: str
    values: str
    fwhm: float


def read_map_desc(desc: str) -> MapDesc | None:
    """Take apart what `map_desc` made; None if it is none.

    Examples
    --------
    >>> read_map_desc("r025zSmooth2p5"), read_map_desc("d01"), read_map_desc("nodes")
    (MapDesc(edges='r025', values='z', fwhm=2.5), MapDesc(edges='d01', values='raw', fwhm=0.0), None)
    """
    parts = _MAP_DESC.fullmatch(desc)
    if parts is None:
        return None
    return MapDesc(parts["edges"], "z" if parts["z"] else "raw", float((parts["fwhm"] or "0").replace("p", ".")))


def label_of(metric: str) -> str:
    """Return a metric's column name.

    Examples
    --------
    >>> label_of("clustering-weighted")
    'clustering_weighted'
    """
    return metric.replace("-", "_")


def parcel_desc(upstream: str, kind: str, edges: str) -> str:
    """Return the desc label of a table of parcels.

    Examples
    --------
    >>> parcel_desc("", "", "r025"), parcel_desc("denoised", "partialTree", "d01")
    ('r025', 'denoisedPartialTreeD01')
    """
    return camel([upstream, kind, edges])


def find_parcel_desc(desc: str, kinds: Iterable[str], edges: Iterable[str]) -> tuple[str, str, str] | None:
    """Take the desc label of a table of parcels apart.

    Parameters
    ----------
    desc : str
    kinds : iterable of str
        Labels of the matrices that are looked for.
    edges : iterable of str
        Those of the edge rules.

    Returns
    -------
    (str, str, str) or None
        What the data were named before, the matrix and the edges; None if it is none of these.

    Examples
    --------
    >>> find_parcel_desc("denoisedPartialR025", ["", "partial"], ["r025", "d01"])
    ('denoised', 'partial', 'r025')
    >>> find_parcel_desc("partialR025", [""], ["r025"]) is None
    True
    """
    for kind, edge in product(kinds, edges):
        end = parcel_desc("", kind, edge)
        upstream = "" if desc == end else desc.removesuffix(end[0].upper() + end[1:])
        if upstream != desc and not any(upstream.lower().endswith(other.lower()) for other in KINDS if other):
            return upstream, kind, edge
    return None


def laid_path(output_dir: Path, entities: Mapping[str, str], extension: str) -> Path:
    """Return where the atlas of a kind of result is kept, as it was laid over the analysis grid."""
    kept = {key: entities[key] for key in ("space", "den", *PARCELLATION) if entities.get(key)}
    return output_dir / "atlases" / build(kept, "dseg", extension)


def figure_path(output_dir: Path, entities: Mapping[str, str], what: str) -> Path:
    """Return where a figure of a scan goes."""
    return output_dir / f"sub-{entities['sub']}" / "figures" / build({**entities, "desc": what}, "bold", ".png")


def atlas_of(entities: Mapping[str, str]) -> str:
    """Return what names an atlas among the entities of a file; empty where it is of none.

    Examples
    --------
    >>> atlas_of({"sub": "01", "atlas": "Schaefer", "scale": "400", "desc": "r025"})
    'atlas-Schaefer scale-400'
    """
    return " ".join(f"{key}-{entities[key]}" for key in PARCELLATION if entities.get(key))


def status_path(output_dir: Path, participant: str) -> Path:
    """Return where a participant's state after the participant level is kept."""
    return output_dir / "logs" / "status" / f"sub-{participant}.json"


TABLES, STATMAPS, FIGURES = "tables", "maps", "figures"  # of the group level, in the folder of a comparison
ON_TOP = ("design", "trial")  # the records of a comparison, which are read before its tables
OF_NODES = ("statmap", "dseg", "mask")  # an image with a value per node, and what stands beside it
_LABELS = sorted((camel(metric.split("-")) for metric in KNOWN), key=len, reverse=True)  # the longest that fits
_MEASURE = re.compile(
    rf"(?:^({'|'.join(_LABELS)})|({'|'.join(one[0].upper() + one[1:] for one in _LABELS)}))"
    rf"(?={FULL.title()}|{AREA.title()}|[RD]\d)"
)


def measure_in(desc: str) -> str | None:
    """Return the label of the measure in the desc label of a map of the group level, or None.

    What the data were called before, and the matrix, may stand before it; the edges and what is compared, after it.

    Examples
    --------
    >>> measure_in("clusteringWeightedR025Change"), measure_in("partialDegreeD01"), measure_in("laid")
    ('clusteringWeighted', 'degree', None)
    """
    found = _MEASURE.search(desc)
    return found and found[0][0].lower() + found[0][1:]


def lies_at(name: str) -> str:
    """Return where a file of the group level lies, as seen from the folder of its comparison.

    The one place that says so: a function of the name alone, so that who writes a file and who reads it agree.

    Examples
    --------
    >>> lies_at("contrast-aVsB_stat-t_desc-degreeR025_statmap.json"), lies_at("contrast-aVsB_clusters.tsv")
    ('maps/degree/contrast-aVsB_stat-t_desc-degreeR025_statmap.json', 'tables/contrast-aVsB_clusters.tsv')
    >>> lies_at("contrast-aVsB_desc-degreeR025_statmap.png"), lies_at("contrast-aVsB_design.json")
    ('figures/contrast-aVsB_desc-degreeR025_statmap.png', 'contrast-aVsB_design.json')
    """
    parts = Name.parse(name)
    if parts.suffix in ON_TOP or not (parts.entities or parts.extension == ".tsv"):
        return name
    if parts.extension in (".png", ".svg", ".html"):
        return f"{FIGURES}/{name}"
    if parts.suffix not in OF_NODES:
        return f"{TABLES}/{name}"
    measure = measure_in(parts.entities.get("desc", ""))
    return "/".join(filter(None, (STATMAPS, measure, name)))


def result_path(entities: Mapping[str, str | None], suffix: str, extension: str) -> str:
    """Return the name of a file of the group level with the folder that it lies in, as `lies_at`."""
    return lies_at(build(entities, suffix, extension))


def result_files(folder: Path, suffix: str, extension: str) -> list[Path]:
    """List the files of a comparison that have a suffix and an extension.

    Parameters
    ----------
    folder : Path
        Of the comparison.
    suffix, extension : str
    """
    where = (folder / result_path({"contrast": "any"}, suffix, extension)).parent
    of_nodes = suffix in OF_NODES and where.name == STATMAPS
    return sorted(where.glob(f"{'**/' * of_nodes}*_{suffix}{extension}"))


def beside(path: Path, suffix: str, extension: str = ".tsv") -> Path:
    """Return another file of what a file on top of a comparison's folder, such as its design.json, is of."""
    return path.parent / result_path(Name.parse(path).entities, suffix, extension)


def stem(route: Any, design: Any) -> dict[str, str]:
    """Return the entities of a group file: those of the route and the contrast."""
    return {**route.entities, "contrast": contrast_label(*design.sides)}


def group_name(route: Any, design: Any, suffix: str, extension: str, **more: str) -> str:
    """Return the path of a group file, as seen from the folder of its comparison."""
    return result_path({**stem(route, design), **more}, suffix, extension)


OBJECTIVES = f"{TABLES}/objectives.tsv"  # of the group level: the objectives of the plan, and what came of each
COMPARISONS = "comparisons.json"  # of the group level: which there are, where there are several


def comparison_folder(design: Any) -> str:
    """Return the folder of one of several comparisons, below that of all: which arms, at which follow-up."""
    named = design.followup and not (design.of_change or design.treatments)  # whose sides name the visits, or all count
    session = f"_ses-{design.followup}" if named else ""
    return f"contrast-{contrast_label(*design.sides)}{session}"


def output_of(folder: Path) -> Path:
    """Return the output folder that the folder of a comparison is in: of one of several it is further up.

    Examples
    --------
    >>> [output_of(Path("out", *names)).name for names in (("group",), ("group", "contrast-lowVsPlacebo"))]
    ['out', 'out']
    """
    return folder.parents[1 if folder.name.startswith("contrast-") else 0]


def family_name(route: Any, suffix: str, extension: str, **more: str | None) -> str:
    """Return the path of a file of all comparisons of a route, as seen from the group's folder."""
    return result_path({**route.entities, **more}, suffix, extension)


def comparison_desc(feature: Any, analysis: Any) -> str:
    """Return the desc label of a map of the group level: what is compared, and how if not as the headline is."""
    return feature.label + analysis.suffix


def study_name(suffix: str, extension: str = ".tsv") -> str:
    """Return the path of a file of all arms and follow-ups, where there are several comparisons.

    Examples
    --------
    >>> study_name("mmrm")
    'tables/contrast-all_mmrm.tsv'
    """
    return result_path({"contrast": "all"}, suffix, extension)


def trial_name(design: Any, suffix: str, extension: str = ".tsv") -> str:
    """Return the path of a file that belongs to no route, as seen from the folder of its comparison."""
    return result_path({"contrast": contrast_label(*design.sides)}, suffix, extension)
