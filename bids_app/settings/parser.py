"""The parsers of the command line, options in groups."""

import argparse
import math
from pathlib import Path

from bids_app import __version__
from bids_app.errors import UsageError
from bids_app.graph.measures import MEASURES
from bids_app.graph.rules import MATRICES, NEGATIVES
from bids_app.settings.settings import CHOICES, DENOISE_STRATEGIES, EDGE_STATISTICS, QUERIES, Graph
from bids_app.system.machine import available_cpus


class ExecutionSpec(argparse.Action):
    """Print the Boutiques descriptor of the app and leave."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Print and leave."""
        from bids_app.settings.boutiques import descriptor_json

        print(descriptor_json(parser))
        parser.exit()


class Flatten(argparse.Action):
    """Make one list of the lists that the words were read as."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Store the list."""
        setattr(namespace, self.dest, [value for some in values for value in some])


class Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Show the defaults that say something."""

    def _get_help_string(self, action):
        says_nothing = action.default is None or action.default is False or action.default == []
        return action.help if says_nothing else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """A parser that leaves with the exit code for a wrong call (64) in place of argparse's 2."""

    def error(self, message):
        """Raise in place of leaving."""
        raise UsageError(f"{message}. See {self.prog} --help.")


def demo_parser():
    """Return the parser of ``trialgraph demo``."""
    parser = Parser(prog="trialgraph demo", description="Simulate a small trial with a known answer and analyse it.")
    add = parser.add_argument
    add("output_dir", type=_path, help="folder to make the trial and its analysis in")
    add("--n-cpus", type=int, default=available_cpus(), metavar="N", help="processes at once (default: %(default)s)")
    add("--random-seed", type=int, default=0, metavar="N", help="seed of the simulation and of the permutations")
    return parser


def app_parser():
    """Return the parser of the app."""
    parser = Parser(
        prog="trialgraph",
        description="Voxel-wise and parcel-wise graph maps of resting-state fMRI, compared between the arms of a "
        "randomized trial. 'trialgraph demo OUTPUT_DIR' simulates a small trial and analyses it.",
        formatter_class=Formatter,
    )
    parser.add_argument("bids_dir", type=_path, help="the raw BIDS dataset, or an fMRIPrep derivative by itself")
    parser.add_argument("output_dir", type=_path, help="where the results go; group reads what participant wrote here")
    parser.add_argument("level", metavar="{participant,group}", help="which level of the analysis to run")
    parser.add_argument("--version", action="version", version=f"trialgraph {__version__}", help="print it and leave")
    parser.add_argument(
        "--bids-exec-spec", action=ExecutionSpec, nargs=0, help="print the Boutiques descriptor of the app and leave"
    )
    for add in (_add_selection, _add_signal, _add_graph, _add_trial, _add_run):
        add(parser)
    return parser


def _add_selection(parser):
    group = parser.add_argument_group("which scans")
    add = group.add_argument
    add(
        "--participant-label",
        "--participant-id",
        nargs="+",
        default=[],
        metavar="LABEL",
        help="only these participants",
    )
    add("--session-label", "--session-id", nargs="+", default=[], metavar="LABEL", help="only these sessions")
    add(
        "--task-id",
        "--task-label",
        "-t",
        metavar="TASK",
        help="the task, if there are several and none is rest",
    )
    add(
        "--bids-filter-file",
        type=_path,
        metavar="JSON",
        help=f"entities that select files, for {', '.join(QUERIES)}",
    )
    add(
        *("-d", "--derivatives"),
        nargs="+",
        default=[],
        type=_named_path,
        metavar="[NAME=]PATH",
        help="preprocessed data; BIDS_DIR/derivatives/fmriprep* is found without",
    )
    add(
        "--space",
        help="template space of the data; MNI152NLin2009cAsym, then MNI152NLin6Asym, are found without; surfaces with "
        "fsLR (CIFTI) or fsaverage5 (GIFTI)",
    )
    add("--res", help="fMRIPrep's res entity, or den on surfaces, if there are several")
    add(
        "--surface",
        nargs=2,
        type=_path,
        default=[],
        metavar=("LEFT", "RIGHT"),
        help="meshes of the surface space, GIFTI; found in the anat folders, for fsaverage5 without",
    )
    add(
        "--preprocess",
        choices=("auto", "never", "always"),
        default="auto",
        help="preprocess the raw data of BIDS_DIR; auto: if there are no preprocessed ones",
    )
    add(
        "--template",
        type=_path,
        metavar="PATH",
        help="folder tpl-SPACE of TemplateFlow to preprocess to; by default MNI152NLin2009cAsym if TEMPLATEFLOW_HOME "
        "holds it, else the ICBM 2009a that nilearn carries",
    )


def _path(word):
    return Path(word).absolute()


def _named_path(word):
    """Read NAME=PATH, or PATH, which has the name of its folder."""
    name, equals, path = word.partition("=")
    if not equals or "/" in name:
        return _path(word).resolve().name, _path(word)
    return name, _path(path)


def _region(word):
    """Read NAME=IMAGE, or the name of a parcel."""
    name, equals, path = word.partition("=")
    return (name, _path(path)) if equals and path else (word, None)


def _add_signal(parser):
    strategies = "; ".join(f"{name}: {what}" for name, what in DENOISE_STRATEGIES.items())
    add = parser.add_argument_group("cleaning the signal").add_argument
    add("--denoise", choices=DENOISE_STRATEGIES, default="friston24", help=strategies)
    add("--bandpass", nargs="+", default=["0.01", "0.1"], metavar="HZ", help="LOW HIGH in Hz, or off")
    add(
        "--detrend",
        choices=("linear", "none"),
        default="linear",
        help="remove the linear trend of every series, in the same model; also of images that were cleaned before",
    )
    add(
        "--fd-threshold",
        type=_fd_threshold,
        default=0.5,
        metavar="MM",
        help="volumes that move more are censored; off censors none",
    )
    add(
        "--dummy-scans",
        type=_dummy_scans,
        default="auto",
        metavar="N",
        help="first volumes to drop; auto: as fMRIPrep found",
    )
    add(
        "--min-minutes",
        type=float,
        default=4.0,
        metavar="MIN",
        help="a visit with less data left is not compared",
    )


def _fd_threshold(word):
    return math.inf if word == "off" else float(word)


def _dummy_scans(word):
    return None if word == "auto" else int(word)


def _add_graph(parser):
    add = parser.add_argument_group("the graph").add_argument
    add(
        "--voxel-size",
        type=_voxel_size,
        default=3,
        metavar="MM",
        help="whole mm, or native for the grid of the data",
    )
    add("--mask", default="gm", type=_mask, metavar="{gm,brain,PATH}", help="the voxels that are nodes")
    add(
        "--metrics",
        nargs="+",
        choices=MEASURES,
        default=list(Graph.metrics),
        metavar="METRIC",
        help="what is measured: " + "; ".join(f"{name} ({measure.label})" for name, measure in MEASURES.items()),
    )
    add(
        "--threshold",
        nargs="+",
        type=float,
        metavar="R",
        help="two nodes are joined if their r is above this; 0.25 if no density is given either",
    )
    add(
        "--density",
        nargs="+",
        type=_densities,
        action=Flatten,
        default=[],
        metavar="SHARE",
        help="so large a share of all pairs, the strongest, are joined; of several, as in 0.05:0.5:0.05, the area "
        "under the curve too; auc is that range",
    )
    add(
        "--smooth-maps",
        type=float,
        default=6.0,
        metavar="MM",
        help="FWHM by which the maps are smoothed for the group",
    )
    add(
        "--atlas",
        nargs="+",
        default=[],
        metavar="ATLAS",
        help="parcels: label image(s) or probabilistic maps with a table of names beside them or after a colon; labels "
        "of surfaces (dlabel.nii, label.gii, annot); a BIDS atlas folder; a table of spheres (x, y, z, radius); or a "
        "name: aal, aicha, power, dosenbach, seitzman, schaefer400 ...; A+B is one atlas of two, NAME=A names it",
    )
    add(
        "--partition",
        metavar="ATLAS",
        help="atlas of the networks, for participation and module-degree: its labels, or the column network "
        "of its table",
    )
    add("--distance", type=float, default=75.0, metavar="MM", help="edges up to this are short-range")
    _add_parcels(parser)


def _add_parcels(parser):
    add = parser.add_argument_group("the graph of parcels").add_argument
    add(
        "--matrix",
        nargs="+",
        choices=MATRICES,
        default=["pearson"],
        help="what relates two parcels: " + "; ".join(f"{name}: {what}" for name, what in MATRICES.items()),
    )
    add(
        "--negative",
        choices=NEGATIVES,
        default="drop",
        help="; ".join(f"{name}: {what}" for name, what in NEGATIVES.items()),
    )
    add("--backbone", action="store_true", help="the maximum spanning tree is always among the edges")
    add(
        "--parcel-metrics",
        nargs="+",
        choices=MEASURES,
        default=[],
        metavar="METRIC",
        help="what is measured on parcels, if not what --metrics says",
    )
    add(
        "--parcel-threshold",
        nargs="+",
        type=float,
        metavar="R",
        help="thresholds of parcels, if not those of --threshold and --density",
    )
    add(
        "--parcel-density",
        nargs="+",
        type=_densities,
        action=Flatten,
        default=[],
        metavar="SHARE",
        help="densities of parcels, likewise; auc is 0.05:0.5:0.05",
    )
    add(
        "--n-null-graphs",
        type=int,
        default=100,
        metavar="N",
        help="random graphs of the same degrees that small-world and rich-club measures are held against, seeded by "
        "--random-seed; 0 for none",
    )


def _densities(word):
    """Read a density, or FROM:TO:STEP, or auc."""
    if ":" not in word and word != "auc":
        return [float(word)]
    low, high, step = (0.05, 0.5, 0.05) if word == "auc" else map(float, word.split(":"))
    if not (step > 0 and low <= high):
        raise argparse.ArgumentTypeError(f"{word} is no range: give FROM:TO:STEP, as in 0.05:0.5:0.05")
    n_steps = math.floor((high - low) / step + 1e-9)
    return [round(low + step * number, 6) for number in range(n_steps + 1)]


def _mask(word):
    return word if word in ("gm", "brain") else str(_path(word))


def _voxel_size(word):
    return None if word == "native" else int(word)


def _add_trial(parser):
    add = parser.add_argument_group("the trial").add_argument
    add("--arm", metavar="COLUMN", help="column of participants.tsv that holds the arm")
    add(
        "--arms",
        nargs=2,
        default=[],
        metavar=("A", "B"),
        help="the two values of that column that are compared; who has another stands in the flow",
    )
    add("--reference-arm", metavar="LEVEL", help="the arm that the other one is compared with")
    add("--baseline", metavar="SESSION", help="session before treatment")
    add("--followup", metavar="SESSION", help="session after treatment")
    add("--covariates", nargs="+", default=[], metavar="COLUMN", help="columns of the tables to adjust for")
    add("--strata", nargs="+", default=[], metavar="COLUMN", help="columns that stratified the randomization")
    add(
        "--no-baseline-motion",
        dest="baseline_motion",
        action="store_false",
        help="do not adjust for the mean framewise displacement at baseline, as is done where it is known of everyone",
    )
    add(
        "--map-values",
        choices=("z", "raw"),
        default="z",
        help="compare maps z-scored in the mask, or as measured",
    )
    add(
        "--n-permutations",
        type=int,
        default=10_000,
        metavar="N",
        help="re-randomizations, the observed one counted",
    )
    add("--random-seed", type=int, default=0, metavar="N", help="the same seed gives the same result")
    add(
        "--plan",
        type=_path,
        metavar="TOML",
        help="the analysis as planned; what is given on the command line goes first, and is a deviation if it differs",
    )
    _add_inference(parser)
    _add_outcomes(parser)


def _add_inference(parser):
    add = parser.add_argument_group("the comparison").add_argument
    add(
        "--estimator",
        choices=CHOICES["estimator"],
        default="ancova",
        help="what the headline is about; ancova and change are always there",
    )
    add(
        "--scheme",
        choices=CHOICES["scheme"],
        default="rerandomize",
        help="repeat the randomization, or permute residuals (Freedman and Lane)",
    )
    add(
        "--allocations",
        type=_path,
        metavar="TSV",
        help="the allocations that were possible, as by minimisation: a row per participant_id, a column for each",
    )
    add("--statistic", choices=CHOICES["statistic"], default="tfce", help="what is tested over the voxels")
    add(
        "--cluster-threshold",
        type=float,
        default=3.1,
        metavar="Z",
        help="voxels beyond form clusters, for cluster-extent and cluster-mass; connections components, for nbs",
    )
    add(
        "--edge-statistic",
        choices=EDGE_STATISTICS,
        default="none",
        help="compare the connections of parcels too: "
        + "; ".join(f"{name}: {what}" for name, what in EDGE_STATISTICS.items()),
    )
    add("--connectivity", type=int, choices=(6, 18, 26), default=6, help="voxels that touch so are neighbours")
    add(
        "--hc3",
        action="store_true",
        help="test the t with HC3 standard errors: for unbalanced arms that differ in spread",
    )
    add("--tail-approximation", action="store_true", help="small p by a generalized Pareto distribution of the maxima")
    add(
        "--accept-mixed",
        action="store_true",
        help="compare scans that were not made alike (settings, mask, space, version), which is refused otherwise",
    )
    add(
        "--min-per-arm",
        type=int,
        metavar="N",
        help="keep voxels that so many in each arm have; by default those that everyone has",
    )
    add(
        "--slopes",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="covariates whose slope, and its difference between arms, is mapped",
    )
    add(
        "--regions",
        nargs="+",
        default=[],
        type=_region,
        metavar="NAME[=IMAGE]",
        help="regions that were named beforehand, compared with one correction over all of them: the name of a parcel "
        "of --atlas, or a mask",
    )
    add("--alpha", type=float, default=0.05, metavar="P", help="level of significance")


def _add_outcomes(parser):
    add = parser.add_argument_group("clinical outcomes").add_argument
    add(
        "--outcomes",
        nargs="+",
        default=[],
        metavar="NAME",
        help="columns of the tables, per visit; NAME=BASELINE,FOLLOWUP for two columns of participants.tsv",
    )
    add("--ordinal", nargs="+", default=[], metavar="NAME", help="outcomes that are compared by ranks too")
    add("--higher-is-better", nargs="+", default=[], metavar="NAME", help="outcomes of which more is better")
    add(
        "--cutoffs",
        nargs="+",
        default=[],
        metavar="NAME:RULE",
        help="responders and remitters, as in hamd17:response=50%%,remission<=7",
    )
    add("--robustness", action="store_true", help="the effect in the significant clusters by other choices")
    add(
        "--also",
        nargs="+",
        default=[],
        type=_named_path,
        metavar="[NAME=]PATH",
        help="other output folders of the participant level, as with stricter censoring (--fd-threshold) or global "
        "signal regression (--denoise 36p): the effect in the significant clusters is repeated on each",
    )


def _add_run(parser):
    add = parser.add_argument_group("the run").add_argument
    add(
        "-w",
        "--work-dir",
        type=_path,
        help="for intermediate files; kept if given, else OUTPUT_DIR/work and removed",
    )
    add(
        "--n-cpus",
        "--nprocs",
        "--nthreads",
        type=int,
        metavar="N",
        help="processes at once; by default what the job, the container or the affinity gives",
    )
    add(
        "--omp-nthreads",
        type=int,
        metavar="N",
        help="threads of one process; by default n-cpus shared among the scans",
    )
    add(
        "--mem-gb",
        type=float,
        metavar="GB",
        help="memory that all processes may take together; by default nine tenths of what the job, the container or "
        "the machine gives",
    )
    add(
        "--nipype-plugin-file",
        type=_path,
        metavar="FILE",
        help="YAML or JSON with plugin and plugin_args, to run the parts elsewhere: SLURM, SLURMGraph ...",
    )
    add(
        "--skip-bids-validation",
        "--skip-bids-validator",
        action="store_true",
        help="do not check BIDS_DIR with the BIDS validator",
    )
    add("--dry-run", action="store_true", help="say what would be run, on which files and why, and write nothing")
    add("--reports-only", action="store_true", help="make the pages anew from what earlier runs left")
    add("--stop-on-first-crash", action="store_true", help="stop at the first scan that fails")
    add("--notrack", action="store_true", help="accepted and without effect: nothing is ever sent")
    add("-v", "--verbose", action="count", default=0, help="say more")
