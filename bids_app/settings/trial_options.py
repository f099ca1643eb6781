"""What the options of the trial and of the run say in ``--help``; defaults, ranges and choices are the settings'."""

from bids_app.settings import words
from bids_app.settings.options import each, option
from bids_app.settings.settings import BLINDINGS, CONTRASTS, DESIGNS, EDGE_STATISTICS, OUTCOME_MODELS, OVER_FOLLOWUPS

TRIAL = (
    option("--design", help="what is compared: " + each(DESIGNS)),
    option(
        "--arm",
        metavar="COLUMN",
        help="column of participants.tsv that holds the arm; of a cross-over trial the sequence, or what was given in "
        "a period",
    ),
    option(
        "--arms",
        nargs="+",
        metavar="VALUE",
        help="the values of that column that are compared, two or more; who has another stands in the flow; of a "
        "cross-over trial the two treatments",
    ),
    option("--reference-arm", metavar="LEVEL", help="the arm or treatment to compare the others with"),
    option(
        "--contrasts",
        nargs="+",
        action="extend",
        metavar="CONTRAST",
        help="of more than two arms, which are compared: "
        + each(CONTRASTS)
        + "; and weights of the arms, NAME='ARM=WEIGHT ARM=WEIGHT ...', which add up to 0, or plain numbers in the "
        "order of --arms, else of the names of the arms",
    ),
    option(
        "--dose",
        nargs="+",
        metavar="COLUMN",
        help="of more than two arms, compare their slope over the dose too: a column of participants.tsv, the same "
        "number for everyone in an arm, or ARM=DOSE ARM=DOSE",
    ),
    option(
        "--baseline",
        nargs="+",
        metavar="SESSION",
        help="session before treatment; several are averaged, of each participant those that there are; of a "
        "cross-over trial those before each period, or what their labels have in common",
    ),
    option(
        "--followup",
        nargs="+",
        metavar="SESSION",
        help="sessions after treatment, each of which is compared; by default all after the baseline, where their "
        "order is known; of a cross-over trial those of the two periods, or what their labels have in common",
    ),
    option(
        "--over-followups",
        nargs="+",
        help="compare beside each follow-up what all of a participant come to: " + each(OVER_FOLLOWUPS),
    ),
    option("--covariates", nargs="+", metavar="COLUMN", help="columns of the tables to adjust for"),
    option("--strata", nargs="+", metavar="COLUMN", help="columns that stratified the randomization"),
    option(
        "--no-baseline-motion",
        dest="baseline_motion",
        action="store_false",
        help="do not adjust for the mean framewise displacement at baseline, as is done where it is known of everyone",
    ),
    option(
        "--map-values",
        help="compare maps z-scored in the mask, or as measured",
    ),
    option(
        "--n-permutations",
        type=words.as_draws,
        metavar="N",
        help="re-randomizations, the observed one counted; auto draws until each p is settled",
    ),
    option("--random-seed", type=int, metavar="N", help="the same seed gives the same result"),
    option(
        "--look",
        type=int,
        metavar="K",
        help="which of the looks that the plan has in its section [interim] this is, from 1: it tests at the level of "
        "that look",
    ),
    option(
        "--blind",
        nargs="?",
        const="pooled",
        metavar="WHAT",
        help="keep the arms unknown until trialgraph unblind: " + each(BLINDINGS) + "; pooled where nothing is said",
    ),
    option(
        "--key",
        type=words.as_new_file,
        metavar="FILE",
        help="for --blind: the file that says which letter is which arm, drawn by chance and written once, outside the "
        "output folder",
    ),
    option(
        "--plan",
        type=words.as_options,
        metavar="TOML",
        help="the analysis as planned; what the command line says is taken before it, and is a departure if it differs",
    ),
)

COMPARISON = (
    option(
        "--estimator",
        help="what the headline is about; ancova and change are always there, but for groups at one visit (post) and "
        "cross-over trials (crossover)",
    ),
    option(
        "--scheme",
        help="repeat the randomization, or permute residuals (Freedman and Lane), as is done with --design groups",
    ),
    option(
        "--allocations",
        type=words.as_path,
        metavar="TSV",
        help="the allocations that were possible, as by minimisation: a row per participant_id, a column for each",
    ),
    option("--statistic", help="what is tested over the voxels"),
    option(
        "--cluster-threshold",
        type=float,
        metavar="Z",
        help="voxels beyond form clusters, for cluster-extent and cluster-mass; connections components, for nbs",
    ),
    option(
        "--edge-statistic",
        help="compare the connections of parcels too: " + each(EDGE_STATISTICS),
    ),
    option("--connectivity", type=int, help="voxels that touch so are neighbours"),
    option(
        "--hc3",
        action="store_true",
        help="test the t with HC3 standard errors: for unbalanced arms that differ in spread",
    ),
    option(
        "--tail-approximation", action="store_true", help="small p by a generalized Pareto distribution of the maxima"
    ),
    option(
        "--accept-mixed",
        action="store_true",
        help="compare scans that were not made alike (settings, mask, space, version), which is refused otherwise",
    ),
    option(
        "--min-per-arm",
        type=int,
        metavar="N",
        help="keep voxels that so many in each arm have; by default those that everyone has",
    ),
    option(
        "--slopes",
        nargs="+",
        metavar="COLUMN",
        help="covariates whose slope, and its difference between arms, is mapped",
    ),
    option(
        "--regions",
        nargs="+",
        type=words.as_region,
        metavar="NAME[=IMAGE]",
        help="regions that were named beforehand, compared with one correction over all of them: the name of a parcel "
        "of --atlas, or a mask",
    ),
    option("--alpha", type=float, metavar="P", help="level of significance"),
)

OUTCOMES = (
    option(
        "--outcomes",
        nargs="+",
        metavar="NAME",
        help="columns of the tables, per visit; NAME=BASELINE,FOLLOWUP for two columns of participants.tsv",
    ),
    option("--ordinal", nargs="+", metavar="NAME", help="outcomes that are compared by ranks too"),
    option("--outcome-model", help="which model decides of an outcome: " + each(OUTCOME_MODELS)),
    option("--higher-is-better", nargs="+", metavar="NAME", help="outcomes of which more is better"),
    option(
        "--cutoffs",
        nargs="+",
        metavar="NAME:RULE",
        help="responders and remitters, as in hamd17:response=50%%,remission<=7",
    ),
    option("--robustness", action="store_true", help="the effect in the significant clusters by other choices"),
    option(
        "--also",
        nargs="+",
        type=words.as_named_path,
        metavar="[NAME=]PATH",
        help="other output folders of the participant level, as with stricter censoring (--fd-threshold) or global "
        "signal regression (--denoise 36p): the effect in the significant clusters is repeated on each",
    ),
)

RUN = (
    option(
        "--config",
        type=words.as_options,
        metavar="TOML",
        help="a file of options of both levels by their names, and with a section [plan] the plan; what is given on "
        "the command line is taken before it",
    ),
    option(
        "-w",
        "--work-dir",
        type=words.as_output,
        help="for intermediate files; kept if given, else OUTPUT_DIR/work and removed",
    ),
    option(
        "--n-cpus",
        "--nprocs",
        "--nthreads",
        default=None,
        type=int,
        metavar="N",
        help="processes at once; by default what the job, the container or the affinity gives",
    ),
    option(
        "--omp-nthreads",
        type=int,
        metavar="N",
        help="threads of one process; by default n-cpus shared among the scans",
    ),
    option(
        "--mem-gb",
        type=float,
        metavar="GB",
        help="memory that all processes may take together; by default nine tenths of what the job, the container or "
        "the machine gives",
    ),
    option(
        "--nipype-plugin-file",
        type=words.as_path,
        metavar="FILE",
        help="YAML or JSON with plugin and plugin_args, to run the parts elsewhere: SLURM, SLURMGraph ...",
    ),
    option(
        "--skip-bids-validation",
        "--skip-bids-validator",
        action="store_true",
        help="do not check BIDS_DIR with the BIDS validator",
    ),
    option("--dry-run", action="store_true", help="say what would be run, on which files and why, and write nothing"),
    option("--reports-only", action="store_true", help="make the pages anew from what earlier runs left"),
    option("--stop-on-first-crash", action="store_true", help="stop at the first scan that fails"),
    option("--notrack", action="store_true", help="accepted and without effect: nothing is ever sent"),
    option("-v", "--verbose", action="count", help="say more"),
)
