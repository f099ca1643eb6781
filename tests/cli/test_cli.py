import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bids_app import __version__
from bids_app.cli import main, settings_of
from bids_app.errors import OutputError, TrialgraphError, UnknownLevelError, UsageError
from bids_app.settings import parser
from bids_app.settings.atlas_source import find_atlas
from bids_app.settings.deviation import Deviation
from bids_app.settings.everyday import EVERYDAY, LEVEL_OF
from bids_app.settings.execution_names import dashed
from bids_app.settings.settings import Graph, ParcelGraph, Resources, Selection, Settings, Signal, Trial
from bids_app.system import machine

CALL = ["data", "out", "participant"]
HERE = Path.cwd()
RUN = Path(__file__).parents[2] / "run.py"


def parsed(*words):
    return settings_of.parse(dashed([*CALL, *words]))


def field(settings, path):
    for name in path.split("."):
        settings = getattr(settings, name)
    return settings


def test_without_options_the_settings_are_the_documented_defaults():
    settings = parsed()
    assert (settings.bids_dir, settings.output_dir, settings.level) == (
        HERE / "data",
        HERE / "out",
        "participant",
    )
    assert settings.selection == Selection()
    assert settings.signal == Signal(
        denoise="friston24", bandpass=(0.01, 0.1), fd_threshold=0.5, dummy_scans=None, min_minutes=4.0
    )
    measured = {
        "metrics": ("degree", "strength", "clustering", "clustering-weighted"),
        "thresholds": (0.25,),
        "densities": (),
    }
    parcels = ParcelGraph(**measured, matrices=("pearson",), negative="drop", backbone=False, n_null_graphs=100)
    assert settings.graph == Graph(**measured, voxel_size=3, mask="gm", smooth_maps=6.0, parcels=parcels)
    assert settings.trial == Trial(map_values="z", n_permutations=10_000, random_seed=0)
    assert settings.resources == Resources(machine.available_cpus(), None, machine.available_memory_gb(), {})
    assert not settings.skip_validation
    assert not settings.keep_work_dir
    assert not settings.stop_on_first_crash


ATLASES = ("power", "both=dosenbach+seitzman")
OPTIONS = [
    ("--participant-label 01 sub-02", "selection.participants", ("01", "02")),
    ("--participant_label 01 sub-02", "selection.participants", ("01", "02")),
    ("--participant-id sub-sub", "selection.participants", ("sub",)),
    ("--session-label ses-1 2", "selection.sessions", ("1", "2")),
    ("--session_id ses-1", "selection.sessions", ("1",)),
    ("--task-id task-rest", "selection.task", "rest"),
    ("--task_label rest", "selection.task", "rest"),
    ("-t rest", "selection.task", "rest"),
    ("--space MNI152NLin6Asym", "selection.space", "MNI152NLin6Asym"),
    ("--space space-T1w", "selection.space", "T1w"),
    ("--res 2", "selection.resolution", "2"),
    ("--reports-only", "reports_only", True),
    ("--blind", "blind", "pooled"),
    ("--blind between", "blind", "between"),
    ("--key /keeper/key.json", "key", Path("/keeper/key.json")),
    ("--dry-run", "dry_run", True),
    ("--surface l.surf.gii r.surf.gii", "selection.meshes", (HERE / "l.surf.gii", HERE / "r.surf.gii")),
    ("--preprocess never", "preprocessing.mode", "never"),
    ("--template tpl-X", "preprocessing.template", HERE / "tpl-X"),
    ("--derivatives fmriprep=a/b c", "selection.derivatives", (("fmriprep", HERE / "a/b"), ("c", HERE / "c"))),
    ("-d a_b/c", "selection.derivatives", (("c", HERE / "a_b/c"),)),
    ("-d a/x=y", "selection.derivatives", (("x=y", HERE / "a/x=y"),)),
    ("--denoise 36p", "signal.denoise", "36p"),
    ("--bandpass 0.008 0.09", "signal.bandpass", (0.008, 0.09)),
    ("--bandpass off", "signal.bandpass", None),
    ("--fd-threshold 0.2", "signal.fd_threshold", 0.2),
    ("--dummy-scans 4", "signal.dummy_scans", 4),
    ("--dummy_scans auto", "signal.dummy_scans", None),
    ("--min-minutes 0", "signal.min_minutes", 0.0),
    ("--voxel-size 4", "graph.voxel_size", 4),
    ("--voxel-size native", "graph.voxel_size", None),
    ("--mask my_mask.nii", "graph.mask", str(HERE / "my_mask.nii")),
    ("--metrics strength degree strength", "graph.metrics", ("strength", "degree")),
    ("--threshold 0.3", "graph.thresholds", (0.3,)),
    ("--design groups", "trial.design", "groups"),
    ("--design groups", "trial.scheme", "freedman-lane"),
    ("--design groups --scheme freedman-lane", "trial.scheme", "freedman-lane"),
    ("--design crossover", "trial.estimator", "crossover"),
    ("--design crossover", "trial.baseline_motion", False),
    ("--design crossover --estimator crossover", "trial.estimator", "crossover"),
    ("--design one-group", "trial.estimator", "within"),
    ("--design one-group", "trial.scheme", "sign-flips"),
    ("--design paired --reference-arm placebo", "trial.scheme", "sign-flips"),
    ("--estimator post", "trial.estimator", "post"),
    ("--estimator ancova", "trial.estimator_told", True),
    ("", "trial.estimator_told", False),
    ("--scheme freedman-lane", "trial.scheme", "freedman-lane"),
    ("--allocations table.tsv", "trial.allocations", HERE / "table.tsv"),
    ("--statistic cluster-mass", "trial.statistic", "cluster-mass"),
    ("--cluster-threshold 2.3", "trial.cluster_threshold", 2.3),
    ("--connectivity 26", "trial.connectivity", 26),
    ("--hc3", "trial.hc3", True),
    ("--tail-approximation", "trial.tail_approximation", True),
    ("--min-per-arm 5", "trial.min_per_arm", 5),
    ("--slopes age bmi", "trial.slopes", ("age", "bmi")),
    ("--regions PCC a=m.nii", "trial.regions", (("PCC", None), ("a", HERE / "m.nii"))),
    ("--alpha 0.01", "trial.alpha", 0.01),
    ("--outcomes hamd17 cssrs", "trial.outcomes", ("hamd17", "cssrs")),
    ("--ordinal cssrs", "trial.ordinal", ("cssrs",)),
    ("--outcome-model mmrm", "trial.outcome_model", "mmrm"),
    ("--higher-is-better mmse", "trial.higher_is_better", ("mmse",)),
    ("--cutoffs hamd17:response=50%,remission<=7", "trial.cutoffs", ("hamd17:response=50%,remission<=7",)),
    ("--robustness", "trial.robustness", True),
    ("--also strict=out2 out3", "trial.also", (("strict", HERE / "out2"), ("out3", HERE / "out3"))),
    ("--threshold 0.3 0.2 0.3", "graph.thresholds", (0.3, 0.2)),
    ("--density 0.05 0.1", "graph.densities", (0.05, 0.1)),
    ("--density 0.05", "graph.thresholds", ()),
    ("--density 0.05 --threshold 0.4", "graph.thresholds", (0.4,)),
    ("--density 0.05:0.2:0.05 0.3", "graph.densities", (0.05, 0.1, 0.15, 0.2, 0.3)),
    ("--density auc", "graph.densities", (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)),
    ("--partition seitzman", "graph.partition", find_atlas("seitzman")),
    ("--matrix partial spearman partial", "graph.parcels.matrices", ("partial", "spearman")),
    ("--negative absolute", "graph.parcels.negative", "absolute"),
    ("--negative keep", "graph.parcels.metrics", ("degree", "strength", "clustering")),
    ("--backbone", "graph.parcels.backbone", True),
    ("--parcel-metrics betweenness degree", "graph.parcels.metrics", ("betweenness", "degree")),
    ("--metrics degree betweenness", "graph.metrics", ("degree",)),
    ("--metrics degree betweenness", "graph.parcels.metrics", ("degree", "betweenness")),
    ("--density 0.1", "graph.parcels.densities", (0.1,)),
    ("--parcel-density 0.1:0.2:0.1", "graph.parcels.densities", (0.1, 0.2)),
    ("--parcel-density auc", "graph.parcels.thresholds", ()),
    ("--parcel-density auc", "graph.thresholds", (0.25,)),
    ("--parcel-threshold 0.4", "graph.parcels.thresholds", (0.4,)),
    ("--n-null-graphs 20", "graph.parcels.n_null_graphs", 20),
    ("--random-seed 5", "graph.parcels.random_seed", 5),
    ("--edge-statistic nbs", "trial.edge_statistic", "nbs"),
    ("--distance 40", "graph.distance", 40.0),
    ("--accept-mixed", "trial.accept_mixed", True),
    ("--detrend none", "signal.detrend", False),
    ("--use-syn-sdc", "preprocessing.use_syn_sdc", True),
    ("--fd-threshold off", "signal.fd_threshold", float("inf")),
    ("--smooth-maps 0", "graph.smooth_maps", 0.0),
    ("--atlas power both=dosenbach+seitzman", "graph.atlases", tuple(map(find_atlas, ATLASES))),
    ("--arm group", "trial.arm", "group"),
    ("--arms ketamine midazolam", "trial.arms", ("ketamine", "midazolam")),
    ("--reference-arm usual_care", "trial.reference_arm", "usual_care"),
    ("--baseline ses-pre", "trial.baseline", ("pre",)),
    ("--design crossover --baseline ses-b1 b2", "trial.baseline", ("b1", "b2")),
    ("--baseline ses-pre1 pre2 pre1", "trial.baseline", ("pre1", "pre2")),
    ("--followup post", "trial.followup", ("post",)),
    ("--followup ses-day3 day7 day3", "trial.followup", ("day3", "day7")),
    ("--over-followups mean slope mean", "trial.over_followups", ("mean", "slope")),
    ("--contrasts all-pairs", "trial.contrasts", ("all-pairs",)),
    ("--contrasts reference --contrasts all-pairs", "trial.contrasts", ("all-pairs",)),
    ("--dose low=1/2 high=1", "trial.dose", ("low=1/2", "high=1")),
    ("--covariates age sex", "trial.covariates", ("age", "sex")),
    ("--strata site", "trial.strata", ("site",)),
    ("--map-values raw", "trial.map_values", "raw"),
    ("--n-permutations 99", "trial.n_permutations", 99),
    ("--n-permutations auto", "trial.until_settled", True),
    ("--n-permutations auto", "trial.n_draws", 10_000),
    ("--random_seed=7", "trial.random_seed", 7),
    ("--work-dir w", "work_dir", HERE / "w"),
    ("-w w", "keep_work_dir", True),
    ("--n-cpus 3", "resources.n_cpus", 3),
    ("--nprocs 3", "resources.n_cpus", 3),
    ("--nthreads 3", "resources.n_cpus", 3),
    ("--omp_nthreads 2", "resources.omp_nthreads", 2),
    ("--mem-gb 7.5", "resources.mem_gb", 7.5),
    ("--skip-bids-validation", "skip_validation", True),
    ("--skip_bids_validation", "skip_validation", True),
    ("--skip-bids-validator", "skip_validation", True),
    ("--skip_bids_validator", "skip_validation", True),
    ("--no-baseline-motion", "trial.baseline_motion", False),
    ("--notrack", "resources.plugin", {}),
    ("--stop-on-first-crash", "stop_on_first_crash", True),
    ("-v -v", "verbose", 2),
]


@pytest.mark.parametrize(("option", "path", "value"), OPTIONS)
def test_each_option_lands_in_the_settings(option, path, value):
    assert field(parsed(*option.split()), path) == value


def test_every_option_is_in_that_list():
    tried = {word for option, *_ in OPTIONS for word in dashed(option.split("=")[0].split())}
    kinds = {tuple(action.option_strings) for action in parser.app_parser()._actions if action.option_strings}
    untried = [names for names in kinds if not tried & set(names)]
    assert {name for names in untried for name in names} == {
        "-h",
        "--help",
        "--help-all",
        "--config",
        "--look",
        "--plan",
        "--version",
        "--bids-exec-spec",
        "--bids-filter-file",
        "--nipype-plugin-file",
    }


def test_an_underscore_in_a_value_is_left_alone():
    assert parsed("--reference_arm=usual_care").trial.reference_arm == "usual_care"
    assert parsed("--mask=/a_b/my_mask.nii").graph.mask == "/a_b/my_mask.nii"


def test_settings_are_kept_as_json_that_names_every_choice():
    kept = json.loads(parsed("--arm", "group", "--bandpass", "off", "-d", "x=y").to_json())
    assert kept["trial"]["arm"] == "group"
    assert kept["signal"]["bandpass"] is None
    assert kept["selection"]["derivatives"] == [["x", str(HERE / "y")]]
    no_choice = {"group_folder", "call", "key"}  # what no option sets, the words themselves, and where a key lies
    assert set(kept) == set(Settings.__dataclass_fields__) - no_choice


def test_calls_that_run_at_once_do_not_share_a_work_folder():
    calls = ["", "--participant-label 01", "--participant-label 02", "--session-label 1", "--session-label 2"]
    calls += [
        "--participant-label 1 --session-label 2",
        "--space MNI152NLin6Asym",
        "--task-id rest",
        "--res 2",
    ]
    folders = {parsed(*call.split()).work_dir for call in calls}
    assert len(folders) == len(calls)
    assert {folder.parent for folder in folders} == {HERE / "out" / "work"}
    assert parsed("--participant-label", "sub-01").work_dir == parsed("--participant-label", "01").work_dir


def test_the_work_folder_of_many_participants_has_a_name_that_file_systems_take():
    first, second = ([f"{part}{number:04d}" for number in range(200)] for part in ("A", "B"))
    assert len(parsed("--participant-label", *first).work_dir.name) < 255
    same_start = [*first[:-1], "other"]
    assert parsed("--participant-label", *first).work_dir != parsed("--participant-label", *second).work_dir
    assert parsed("--participant-label", *first).work_dir != parsed("--participant-label", *same_start).work_dir


def test_a_level_that_is_nearly_one_is_asked_about():
    with pytest.raises(UnknownLevelError, match=r"participant, group \(did you mean participant\?\)"):
        settings_of.parse(["data", "out", "particpant"])


@pytest.mark.parametrize("level", ["run", "Participant", "participant1", ""])
def test_an_unknown_level_is_named_with_those_there_are(level):
    with pytest.raises(UnknownLevelError, match=f"'{level}' is unknown; it is one of: participant, group"):
        settings_of.parse(["data", "out", level])


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["--treshold", "0.3"], r"unrecognized arguments: --treshold 0.3 \(did you mean --threshold\?\)"),
        (["--follow_up", "day3"], r"did you mean --followup\?"),
        (
            ["--metrics", "clusterin"],
            r"'clusterin' \(did you mean clustering\?\); it is one of degree, ",
        ),
        (["--density", "0.5:0.1:0.1"], "0.5:0.1:0.1 is no range: give FROM:TO:STEP"),
        (["--atlas", "brodman"], "--atlas brodman: no file or folder, and no atlas by this name"),
        (["--atlas", "a:b", "power"], "no atlas by this name"),
        (["--metrics", "hubness"], "invalid choice: 'hubness'"),
        (["--threshold", "high"], "invalid float value: 'high'"),
        (["--voxel-size", "2.5"], "2.5"),
        (["--dummy-scans", "few"], "few"),
        (["--bandpass", "0.01"], "give LOW HIGH in Hz, or off"),
        (["--bandpass", "low", "high"], "give LOW HIGH in Hz, or off"),
    ],
)
def test_a_wrong_option_is_a_usage_error(words, fragment, monkeypatch):
    monkeypatch.delenv("TEMPLATEFLOW_HOME", raising=False)  # which an earlier call of the app sets
    with pytest.raises(UsageError, match=fragment):
        parsed(*words)


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        ([], 64),
        (["data"], 64),
        (["data", "out", "analysis"], 17),
        (["/no/such/folder", "out", "participant"], 66),
        (["--help"], 0),
        (["--version"], 0),
        (["--bids-exec-spec"], 0),
        (["demo", "--help"], 0),
        (["demo"], 64),
        (["power", "--help"], 0),
        (["power"], 64),
        (["power", "nowhere"], 64),
        (["power", "nowhere", "--effect-at", "0", "0", "0", "--effect-size", "1"], 66),
    ],
)
def test_exit_codes_of_the_process(argv, code, tmp_path):
    done = subprocess.run([sys.executable, RUN, *argv], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert bool(done.stderr) == (code != 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [*TrialgraphError.__subclasses__(), KeyboardInterrupt])
@pytest.mark.parametrize("place", ["parse", "check_settings", "private_folder"])
def test_every_error_has_its_own_code_wherever_it_is_raised(monkeypatch, capsys, error, place):
    """On the way to the run: while words, settings and folders are looked at."""

    def refuse(*_):
        raise error("nothing\n  there.")

    monkeypatch.setattr(main, place, refuse)
    monkeypatch.setattr(main, "check_settings", refuse if place == "check_settings" else lambda settings: None)
    assert main.main(CALL) == (130 if error is KeyboardInterrupt else error.exit_code)
    said = "interrupted." if error is KeyboardInterrupt else "nothing there."
    assert capsys.readouterr().err == f"trialgraph: {said}\n"


def test_filters_that_select_nothing_have_their_own_code(trial, capsys):
    words = (trial.bids, trial.bids.parent / "out", "participant", "--task-id", "nback", "--skip-bids-validation")
    assert main.main([str(word) for word in words]) == 18
    assert "--task-id nback" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as left:
        main.main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"trialgraph {__version__}\n"


def helped(capsys, *argv):
    with pytest.raises(SystemExit) as left:
        main.main(list(argv))
    assert left.value.code == 0
    return capsys.readouterr().out


def test_all_help_lists_every_option_once_and_no_option_without_explanation(capsys):
    shown = helped(capsys, "--help-all")
    for action in parser.app_parser()._actions:
        assert action.help
        assert all(name in shown for name in action.option_strings)
    for group, level in LEVEL_OF.items():
        assert shown.count(f"\n{group} [{level}]:\n") == 1
    assert set(LEVEL_OF) == set(parser.GROUPS)


@pytest.mark.parametrize(
    ("argv", "there", "elsewhere"),
    [
        (["--help"], ["--denoise", "--covariates", "[participant]", "[group]", "trialgraph check"], ["--connectivity"]),
        (["participant", "--help"], ["--denoise", "--min-minutes"], ["--covariates", "--connectivity"]),
        (["bids", "out", "participant", "-h"], ["--denoise", "--min-minutes"], ["--covariates"]),
        (["group", "--help"], ["--covariates", "--voxel-size", "--min-minutes"], ["--denoise", "--connectivity"]),
        (["group", "--help-all"], ["--covariates", "--connectivity"], ["--dummy-scans"]),
        (["check", "--help"], ["trialgraph check BIDS_DIR OUTPUT_DIR", "--covariates", "--denoise"], ["{participant"]),
        (["demo", "--help"], ["trialgraph demo", "--random-seed"], ["--covariates"]),
        (["power", "--help"], ["trialgraph power", "--effect-at", "--dropout"], ["--covariates"]),
    ],
)
def test_help_is_of_a_level_fits_on_a_page_and_ends_with_examples(argv, there, elsewhere, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = helped(capsys, *argv)
    assert [word for word in there if word not in shown] == []
    assert [word for word in elsewhere if word in shown] == []
    assert "['" not in shown  # no default as Python writes a list
    if "--help-all" not in argv:
        assert len(shown.splitlines()) < 120
    if "demo" not in argv:
        assert "\nexamples:\n  trialgraph " in shown
    assert all(action in parser.app_parser()._option_string_actions for action in EVERYDAY_NAMES)


EVERYDAY_NAMES = [f"--{name.replace('_', '-')}" for name in EVERYDAY]


def test_a_command_that_is_not_finished_says_how_to_call(capsys):
    assert main.main([]) == 64
    assert "usage: trialgraph BIDS_DIR OUTPUT_DIR {participant,group}" in capsys.readouterr().err
    assert main.main(["check", "bids"]) == 64
    assert "required: output_dir. See trialgraph check --help." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("trialgraph bids out group --refer", ["--reference-arm"]),
        ("trialgraph bids out g", ["group"]),
        ("trialgraph bids out participant --denoise a", ["acompcor"]),
    ],
)
def test_a_shell_is_told_how_a_word_goes_on(line, words, tmp_path):
    said = tmp_path / "said"
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": "9"}
    environment = {**os.environ, **asked, "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": str(said)}
    subprocess.run([sys.executable, RUN], env=environment, check=False, capture_output=True)
    assert [word.strip() for word in said.read_text().splitlines()] == words


def test_check_takes_options_before_the_folders(capsys):
    assert main.main(["check", "--voxel-size", "4", "/no/such/folder", "out"]) == 66
    assert "/no/such/folder does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "called"),
    [
        (["demo", "out"], "demo"),
        (["demo", "out", "--n-cpus", "1"], "demo"),
        (["demo", "out", "participant"], "dataset"),
        (["demo", "out", "group", "--arm", "group"], "dataset"),
        (["./demo", "out", "group"], "dataset"),
    ],
)
def test_a_dataset_may_be_called_demo(argv, called, monkeypatch):
    """Of a demo the folder tells, where its work would be; of a dataset that its settings are looked at."""
    calls = []

    def demo(folder):
        assert folder == Path(argv[1]).absolute() / "work" / "demo"
        calls.append("demo")
        raise OutputError("seen")

    def dataset(settings):
        assert settings.bids_dir.name == "demo"
        calls.append("dataset")
        raise OutputError("seen")

    monkeypatch.setattr(main, "private_folder", demo)
    monkeypatch.setattr(main, "check_settings", dataset)
    assert main.main(argv) == OutputError.exit_code
    assert calls == [called]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"bold": {"acquisition": "mb4"}}', {"bold": {"acquisition": "mb4"}}),
        ('{"bold": {"run": null}, "mask": {}}', {"bold": {"run": None}, "mask": {}}),
    ],
)
def test_a_filter_file_is_read(content, expected, tmp_path):
    path = tmp_path / "filter_file.json"
    path.write_text(content)
    assert parsed("--bids-filter-file", str(path)).selection.filters == expected


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ("{", "not valid JSON"),
        ("[]", "as an object; it is a list"),
        ('{"bold": "rest"}', "must map a query to its entities"),
        ('{"t1w": {}}', "unknown query t1w; known are bold, mask, confounds, timeseries"),
    ],
)
def test_a_wrong_filter_file_is_a_usage_error(content, fragment, tmp_path, capsys):
    path = tmp_path / "filters.json"
    path.write_text(content)
    assert main.main([*CALL, "--bids-filter-file", str(path)]) == 64
    assert fragment in capsys.readouterr().err
    path.unlink()
    assert main.main([*CALL, "--bids-filter-file", str(path)]) == 66


@pytest.mark.parametrize(
    "content",
    [
        "plugin: SLURM\nplugin_args:\n  sbatch_args: --time=10\n",
        '{"plugin": "SLURM", "plugin_args": {"sbatch_args": "--time=10"}}',
    ],
    ids=["YAML", "JSON"],
)
def test_a_plugin_file_is_read(content, tmp_path):
    path = tmp_path / "plugin"
    path.write_text(content)
    plugin = parsed("--nipype-plugin-file", str(path)).resources.plugin
    assert plugin == {"plugin": "SLURM", "plugin_args": {"sbatch_args": "--time=10"}}


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ("a: b: c", "not valid YAML or JSON"),
        ("!!python/object/apply:os.getcwd []", "not valid YAML or JSON"),
        ("SLURM", "as an object; it is text"),
        ("plugin_args: {}", "must hold plugin: NAME"),
        ("{plugin: SLURM, sbatch_args: x}", "unknown sbatch_args; known are plugin, plugin_args"),
        ("{plugin: SLURM, plugin_args: x}", "plugin_args must map names to values"),
    ],
)
def test_a_wrong_plugin_file_is_a_usage_error(content, fragment, tmp_path, capsys):
    path = tmp_path / "plugin.yml"
    path.write_text(content)
    assert main.main([*CALL, "--nipype-plugin-file", str(path)]) == 64
    assert fragment in capsys.readouterr().err
    path.unlink()
    assert main.main([*CALL, "--nipype-plugin-file", str(path)]) == 66


@pytest.mark.parametrize("option", ["--version", "--help", "--bids-exec-spec"])
def test_what_only_prints_loads_nothing_heavy(option):
    code = (
        "import sys; from bids_app.cli import main\n"
        f"try: main.main([{option!r}])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pandas', 'nibabel', 'nilearn', 'nipype', 'bids', 'numba'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=RUN.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


PLAN = """
[metrics]
primary = "degree"
secondary = ["clustering"]
[graph]
density = 0.1
[trial]
covariates = ["age"]
[analysis]
estimator = "change"
seed = 7
[outcomes]
primary = ["hamd17"]
"""


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def test_a_plan_fills_what_is_not_given(plan):
    settings = parsed("--plan", str(plan))
    assert settings.graph.metrics == ("degree", "clustering")
    assert (settings.graph.thresholds, settings.graph.densities) == ((), (0.1,))
    trial = settings.trial
    assert (trial.estimator, trial.random_seed, trial.covariates, trial.outcomes) == (
        "change",
        7,
        ("age",),
        ("hamd17",),
    )
    assert trial.departed == ()
    assert len(trial.plan.sha256) == 64


def test_what_is_given_goes_first_and_is_a_deviation(plan):
    trial = parsed("--plan", str(plan), "--threshold", "0.25", "--estimator", "ancova", "--random-seed", "7").trial
    assert trial.estimator == "ancova"
    assert trial.departed == (Deviation("density", 0.1, None), Deviation("estimator", "change", "ancova"))


def test_the_default_said_aloud_is_a_deviation_too(plan):
    assert parsed("--plan", str(plan), "--random-seed", "0").trial.departed == (Deviation("seed", 7, 0),)
