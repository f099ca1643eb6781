"""What the options of a scan and its graphs say in ``--help``; defaults, ranges and choices are the settings'."""

from bids_app.graph.measures import MEASURES
from bids_app.graph.rules import MATRICES, NEGATIVES
from bids_app.settings import words
from bids_app.settings.options import Flatten, each, option
from bids_app.settings.settings import DENOISE_STRATEGIES, QUERIES, Graph

SCANS = (
    option(
        "--participant-label",
        "--participant-id",
        "--subject-label",
        nargs="+",
        type=words.as_labels,
        action=Flatten,
        metavar="LABEL",
        help="only these participants; labels, or a file with one on each line",
    ),
    option(
        *("--session-label", "--session-id"),
        nargs="+",
        type=words.as_labels,
        action=Flatten,
        metavar="LABEL",
        help="only these sessions; labels, or a file with one on each line",
    ),
    option(
        "--task-id",
        "--task-label",
        "-t",
        metavar="TASK",
        help="the task, if there are several and none is rest",
    ),
    option(
        "--bids-filter-file",
        type=words.as_path,
        metavar="JSON",
        help=f"entities that select files, for {', '.join(QUERIES)}",
    ),
    option(
        *("-d", "--derivatives"),
        nargs="+",
        type=words.as_named_path,
        metavar="[NAME=]PATH",
        help="preprocessed data; BIDS_DIR/derivatives/fmriprep* is found without",
    ),
    option(
        "--space",
        help="template space of the data; MNI152NLin2009cAsym, then MNI152NLin6Asym, are found without; surfaces with "
        "fsLR (CIFTI) or fsaverage5 (GIFTI)",
    ),
    option("--res", help="fMRIPrep's res entity, or den on surfaces, if there are several"),
    option(
        "--surface",
        nargs=2,
        type=words.as_path,
        metavar=("LEFT", "RIGHT"),
        help="meshes of the surface space, GIFTI; found in the anat folders, for fsaverage5 without",
    ),
    option(
        "--preprocess",
        help="preprocess the raw data of BIDS_DIR; auto: if there are no preprocessed ones",
    ),
    option(
        "--template",
        type=words.as_path,
        metavar="PATH",
        help="folder tpl-SPACE of TemplateFlow to preprocess to; by default MNI152NLin2009cAsym if TEMPLATEFLOW_HOME "
        "holds it, else the ICBM 2009a that nilearn carries",
    ),
    option(
        "--use-syn-sdc",
        action="store_true",
        help="correct distortions of raw scans that have no field map by a deformation to the T1w along the phase "
        "encoding",
    ),
)

SIGNAL = (
    option("--denoise", help=each(DENOISE_STRATEGIES)),
    option("--bandpass", nargs="+", metavar="HZ", help="LOW HIGH in Hz, or off"),
    option(
        "--detrend",
        help="remove the linear trend of every series, in the same model; also of images that were cleaned before",
    ),
    option(
        "--fd-threshold",
        type=words.as_fd_threshold,
        metavar="MM",
        help="volumes that move more are censored; off censors none",
    ),
    option(
        "--dummy-scans",
        type=words.as_dummy_scans,
        metavar="N",
        help="first volumes to drop; auto: as fMRIPrep found",
    ),
    option(
        "--min-minutes",
        type=float,
        metavar="MIN",
        help="a visit with less data left is not compared",
    ),
)

GRAPH = (
    option(
        "--voxel-size",
        type=words.as_voxel_size,
        metavar="MM",
        help="whole mm, or native for the grid of the data",
    ),
    option("--mask", type=words.as_mask, metavar="{gm,brain,PATH}", help="the voxels that are nodes"),
    option(
        "--metrics",
        nargs="+",
        metavar="METRIC",
        help="what is measured: " + "; ".join(f"{name} ({measure.label})" for name, measure in MEASURES.items()),
    ),
    option(
        "--threshold",
        nargs="+",
        type=float,
        metavar="R",
        default=None,
        help=f"two nodes are joined if their r is above this; {Graph.thresholds[0]:g} if no density is given either",
    ),
    option(
        "--density",
        nargs="+",
        type=words.as_densities,
        action=Flatten,
        metavar="SHARE",
        help="so large a share of all pairs, the strongest, are joined; of several, as in 0.05:0.5:0.05, the area "
        "under the curve too; auc is that range",
    ),
    option(
        "--smooth-maps",
        type=float,
        metavar="MM",
        help="FWHM by which the maps are smoothed for the group",
    ),
    option(
        "--atlas",
        nargs="+",
        type=words.as_atlas,
        metavar="ATLAS",
        help="parcels: label image(s) or probabilistic maps with a table of names beside them or after a colon; labels "
        "of surfaces (dlabel.nii, label.gii, annot); a BIDS atlas folder; a table of spheres (x, y, z, radius); or a "
        "name: aal, aicha, power, dosenbach, seitzman, schaefer400 ...; A+B is one atlas of two, NAME=A names it",
    ),
    option(
        "--partition",
        type=words.as_atlas,
        metavar="ATLAS",
        help="atlas of the networks, for participation and module-degree: its labels, or the column network "
        "of its table",
    ),
    option("--distance", type=float, metavar="MM", help="edges up to this are short-range"),
)

PARCELS = (
    option(
        "--matrix",
        nargs="+",
        help="what relates two parcels: " + each(MATRICES),
    ),
    option(
        "--negative",
        help=each(NEGATIVES),
    ),
    option("--backbone", action="store_true", help="the maximum spanning tree is always among the edges"),
    option(
        "--parcel-metrics",
        nargs="+",
        default=[],
        metavar="METRIC",
        help="what is measured on parcels, if not what --metrics says",
    ),
    option(
        "--parcel-threshold",
        default=None,
        nargs="+",
        type=float,
        metavar="R",
        help="thresholds of parcels, if not those of --threshold and --density",
    ),
    option(
        "--parcel-density",
        nargs="+",
        type=words.as_densities,
        action=Flatten,
        default=[],
        metavar="SHARE",
        help="densities of parcels, likewise; auc is 0.05:0.5:0.05",
    ),
    option(
        "--n-null-graphs",
        type=int,
        metavar="N",
        help="random graphs of the same degrees that small-world and rich-club measures are held against, seeded by "
        "--random-seed; 0 for none",
    ),
)
