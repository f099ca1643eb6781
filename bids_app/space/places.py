"""What a point of the brain is called, for people only: the nearest of the spheres of Dosenbach et al. (2010)."""

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from bids_app.bids.selection import SURFACE_SPACES

MIDLINE = 4.0  # mm from x = 0 within which a sphere has no side
NEAREST = "nearest sphere of Dosenbach et al. 2010"
RADIUS = 5.0  # mm, of the spheres: who lies outside is near
WORDS = {
    "ACC": "anterior cingulate cortex",
    "dACC": "dorsal anterior cingulate cortex",
    "IPL": "inferior parietal lobule",
    "IPS": "intraparietal sulcus",
    "SMA": "supplementary motor area",
    "pre-SMA": "pre-supplementary motor area",
    "TPJ": "temporoparietal junction",
    "PFC": "prefrontal cortex",
    "aPFC": "anterior prefrontal cortex",
    "mPFC": "medial prefrontal cortex",
    "dlPFC": "dorsolateral prefrontal cortex",
    "vPFC": "ventral prefrontal cortex",
    "vlPFC": "ventrolateral prefrontal cortex",
    "vmPFC": "ventromedial prefrontal cortex",
    "dFC": "dorsal frontal cortex",
    "mFC": "medial frontal cortex",
    "vFC": "ventral frontal cortex",
    "frontal": "frontal cortex",
    "parietal": "parietal cortex",
    "temporal": "temporal cortex",
    "occipital": "occipital cortex",
    "ant": "anterior",
    "post": "posterior",
    "sup": "superior",
    "inf": "inferior",
    "mid": "middle",
    "med": "medial",
    "lat": "lateral",
    "vent": "ventral",
}
# Of AAL (Tzourio-Mazoyer et al. 2002, table 2) without the side.
IN_AAL = {
    "Frontal_Sup_Orb": "superior frontal gyrus, orbital part",
    "Frontal_Mid_Orb": "middle frontal gyrus, orbital part",
    "Frontal_Inf_Oper": "inferior frontal gyrus, opercular part",
    "Frontal_Inf_Tri": "inferior frontal gyrus, triangular part",
    "Frontal_Inf_Orb": "inferior frontal gyrus, orbital part",
    "Frontal_Sup_Medial": "superior frontal gyrus, medial part",
    "Frontal_Med_Orb": "superior frontal gyrus, medial orbital part",
    "Rolandic_Oper": "rolandic operculum",
    "Supp_Motor_Area": "supplementary motor area",
    "Olfactory": "olfactory cortex",
    "Rectus": "gyrus rectus",
    "Cingulum_Ant": "anterior cingulate cortex",
    "Cingulum_Mid": "middle cingulate cortex",
    "Cingulum_Post": "posterior cingulate cortex",
    "Calcarine": "calcarine cortex",
    "Parietal_Inf": "inferior parietal lobule",
    "Parietal_Sup": "superior parietal lobule",
    "Caudate": "caudate nucleus",
    "Heschl": "Heschl's gyrus",
    "Temporal_Pole_Sup": "temporal pole, superior part",
    "Temporal_Pole_Mid": "temporal pole, middle part",
}
GYRI = ("Precentral", "Postcentral", "ParaHippocampal", "Lingual", "Fusiform", "SupraMarginal", "Angular")
IN_AAL |= {label: f"{label.lower()} gyrus" for label in GYRI}
IN_AAL |= {
    f"{lobe}_{part}": f"{WORDS[part.lower()]} {lobe.lower()} gyrus"
    for lobe in ("Frontal", "Temporal", "Occipital")
    for part in ("Sup", "Mid", "Inf")
}


@dataclass(frozen=True)
class Place:
    """What a point is called.

    Attributes
    ----------
    name : str
    by : str
        What named it.
    distance : float or None
        How far that is away, mm; None where the point lies in it.
    """

    name: str
    by: str
    distance: float | None = None


def nearest_sphere(point: np.ndarray, space: str | None = None) -> Place:
    """Name a point by the nearest sphere, whose side is that of its x.

    Parameters
    ----------
    point : (3,) float ndarray
        In mm.
    space : str, optional
        Of the point; in one that is not MNI's a point is called by its coordinates.

    Returns
    -------
    Place
        From `RADIUS` on the name says that it is near.

    Examples
    --------
    >>> nearest_sphere(np.array([-48, -63, 35]))
    Place(name='Left angular gyrus', by='nearest sphere of Dosenbach et al. 2010', distance=0.0)
    """
    if space and not space.startswith(("MNI", *SURFACE_SPACES)):
        return Place("At " + ", ".join(f"{edge:.0f}".replace("-", "−") for edge in point), "its coordinates, mm")
    spheres = _spheres()
    distances = np.linalg.norm(spheres[["x", "y", "z"]].to_numpy(float) - np.asarray(point, float), axis=1)
    nearest, distance = spheres.iloc[distances.argmin()], distances.min()
    near = "near " if distance > RADIUS else ""
    return Place(sentence(near + str(nearest["words"])), NEAREST, round(float(distance), 1))


def sentence(text: str) -> str:
    """Return text with its first letter large."""
    return text[:1].upper() + text[1:]


@cache
def _spheres() -> pd.DataFrame:
    from nilearn.datasets import fetch_coords_dosenbach_2010  # here, for it loads scikit-learn

    found = fetch_coords_dosenbach_2010()
    table = pd.DataFrame(found["rois"]).reset_index(drop=True)
    labels = [str(label).rpartition(" ")[0] for label in found["labels"]]
    return table.assign(words=[sphere_words(label, x) for label, x in zip(labels, table["x"], strict=True)])


def sphere_words(label: str, x: float) -> str:
    """Say where a sphere is: its label in whole words, with the side of its centre.

    Examples
    --------
    >>> sphere_words("ant insula", 38), sphere_words("dACC", 2)
    ('right anterior insula', 'dorsal anterior cingulate cortex')
    """
    side = [] if abs(x) <= MIDLINE else ["left" if x < 0 else "right"]
    return " ".join([*side, *(WORDS.get(word, word) for word in label.split())])


def atlas_words(label: str) -> str:
    """Say a label of AAL in whole words, the side first.

    Examples
    --------
    >>> atlas_words("Angular_L"), atlas_words("Vermis_4_5"), atlas_words("Cerebelum_Crus1_R")
    ('left angular gyrus', 'vermis 4-5', 'right cerebellum crus 1')
    """
    name, side = (label[:-2], label[-1]) if label.endswith(("_L", "_R")) else (label, "")
    words = IN_AAL.get(name) or _plain(name)
    return " ".join([{"L": "left", "R": "right"}[side], words] if side else [words])


def _plain(name: str) -> str:
    """Write what needs no more than blanks between its words; of the cerebellum, what its numbers are."""
    text = re.sub(r"(?<=\d)_(?=\d)", "-", name.lower().replace("cerebelum", "cerebellum"))
    return re.sub(r"crus(?=\d)", "crus ", text).replace("_", " ")
