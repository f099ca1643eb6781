"""Every row of the table of tools in docs/inputs.md: names as the tool's own code writes them, and what is read.

Where each name comes from stands beside it: repository and file.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from conftest import MNI, SMALL, SmallTrial, bold_data, brain, save_bold

from bids_app.bids.pipelines import tool_of
from bids_app.bids.runs import BoldRun, find_inputs
from bids_app.cli.settings_of import parse
from bids_app.errors import DataError, NothingSelectedError, UsageError

MNI6 = "MNI152NLin6Asym"


@dataclass(frozen=True)
class Row:
    """A dataset of one tool, as names of files and sidecars, and what is to be found in it."""

    folder: str
    files: tuple[str, ...]
    made_by: tuple[str, str] | None = None
    sidecars: dict = field(default_factory=dict)
    options: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    motion: str | None = None
    outliers: str | None = None
    space: str | None = None
    note: str = ""


# PennLINC/xcp_d: xcp_d/tests/data/test_ds001419_nifti_outputs.txt, and docs/changes.md for which version has what.
XCPD_NIFTI = "sub-01/func/sub-01_task-rest_"
# PennLINC/xcp_d: xcp_d/tests/data/test_pnc_cifti_outputs.txt.
XCPD_CIFTI = "sub-01/ses-PNC1/func/sub-01_ses-PNC1_task-rest_acq-singleband_"
# bids-apps/giga_connectome: docs/source/outputs.md, and output_filename in giga_connectome/utils.py.
GIGA = "sub-1/ses-timepoint1/func/sub-1_ses-timepoint1_task-rest_run-01_"
# HALFpipe/HALFpipe: make_bids_path in src/halfpipe/result/bids/base.py, the keys of
# src/halfpipe/workflows/features/atlas_based_connectivity.py and of init_setting_output_wf.
HALF = "sub-01/func/sub-01_task-rest_setting-denoised_"
HALF_SERIES = "sub-01/func/task-rest/sub-01_task-rest_feature-corrMatrix_atlas-power_"
# FCP-INDI/C-PAC: CPAC/resources/cpac_outputs.tsv, insert_entity and res_in_filename in CPAC/utils/bids_utils.py.
CPAC = "sub-01/ses-1/func/sub-01_ses-1_task-rest_run-1_"
# nipreps/fmripost-aroma: src/fmripost_aroma/tests/data/test_ds005115_resampling_and_raw_outputs.txt.
AROMA = "sub-01/ses-01/func/sub-01_ses-01_task-rest_"
# DCAN-Labs/abcd-hcp-pipeline: docs/outputs.md.
ABCD = "sub-01/ses-1/func/sub-01_ses-1_task-rest_"
# ME-ICA/tedana: tedana/resources/config/outputs.json (denoised), docs/outputs.rst of 24 (optcomDenoised).
TEDANA = "sub-01/func/sub-01_task-rest_space-MNI152NLin6Asym_"

ROWS = {
    "XCP-D | 0.1": Row(
        "xcp_d",
        (
            f"{XCPD_NIFTI}space-{MNI}_res-2_desc-residual_bold.nii.gz",
            f"{XCPD_NIFTI}space-{MNI}_res-2_desc-residualsmooth_bold.nii.gz",
        ),
        ("xcp_d", "0.1.3"),
        images=(f"space-{MNI}_res-2_desc-residual_bold.nii.gz",),
        space=MNI,
    ),
    "XCP-D | with `atlas-` and `conmat`": Row(
        "xcp_d",
        (
            f"{XCPD_NIFTI}desc-filtered_motion.tsv",
            f"{XCPD_NIFTI}outliers.tsv",
            f"{XCPD_NIFTI}desc-preproc_design.tsv",
            f"{XCPD_NIFTI}space-{MNI}_res-2_desc-denoised_bold.nii.gz",
            f"{XCPD_NIFTI}space-{MNI}_res-2_desc-denoisedSmoothed_bold.nii.gz",
            f"{XCPD_NIFTI}space-{MNI}_res-2_stat-alff_boldmap.nii.gz",
            f"{XCPD_NIFTI}space-{MNI}_atlas-Gordon_timeseries.tsv",
            f"{XCPD_NIFTI}space-{MNI}_atlas-Gordon_measure-pearsoncorrelation_conmat.tsv",
        ),
        ("xcp_d", "0.6.0"),
        images=(f"space-{MNI}_res-2_desc-denoised_bold.nii.gz",),
        series=("atlas-Gordon_timeseries.tsv",),
        motion="desc-filtered_motion.tsv",
        outliers="outliers.tsv",
        space=MNI,
    ),
    "XCP-D | 0.10, 0.11": Row(
        "xcp_d",
        (
            f"{XCPD_CIFTI}motion.tsv",
            f"{XCPD_CIFTI}outliers.tsv",
            f"{XCPD_CIFTI}desc-abcc_qc.hdf5",
            f"{XCPD_CIFTI}space-fsLR_den-91k_desc-denoised_bold.dtseries.nii",
            f"{XCPD_CIFTI}space-fsLR_den-91k_desc-denoisedSmoothed_bold.dtseries.nii",
            f"{XCPD_CIFTI}space-fsLR_seg-Tian_den-91k_stat-mean_timeseries.ptseries.nii",
            f"{XCPD_CIFTI}space-fsLR_seg-Tian_stat-mean_timeseries.tsv",
            f"{XCPD_CIFTI}space-fsLR_seg-Tian_stat-alff_bold.tsv",
            f"{XCPD_CIFTI}space-fsLR_seg-Tian_stat-coverage_bold.tsv",
            f"{XCPD_CIFTI}space-fsLR_seg-Tian_stat-pearsoncorrelation_relmat.tsv",
        ),
        ("xcp_d", "0.10.7"),
        options=("--space", "fsLR"),
        images=("space-fsLR_den-91k_desc-denoised_bold.dtseries.nii",),
        series=("seg-Tian_stat-mean_timeseries.tsv",),
        motion="motion.tsv",
        outliers="outliers.tsv",
        space="fsLR",
    ),
    "XCP-D | 0.12, 0.13, 0.14": Row(  # hash- since 0.12, docs/changes.md
        "xcp_d-0.14",
        (
            f"{XCPD_NIFTI}hash-0a1b2c_motion.tsv",
            f"{XCPD_NIFTI}hash-0a1b2c_outliers.tsv",
            f"{XCPD_NIFTI}hash-0a1b2c_space-{MNI6}_desc-denoised_bold.nii.gz",
            f"{XCPD_NIFTI}hash-0a1b2c_space-{MNI6}_seg-4S156Parcels_stat-mean_timeseries.tsv",
        ),
        ("xcp_d", "0.14.1"),
        images=(f"space-{MNI6}_desc-denoised_bold.nii.gz",),
        series=("seg-4S156Parcels_stat-mean_timeseries.tsv",),
        motion="motion.tsv",
        outliers="outliers.tsv",
        space=MNI6,
    ),
    "XCP-D | 26": Row(  # docs/outputs.rst
        "xcp_d",
        (
            f"{XCPD_NIFTI}motion.tsv",
            f"{XCPD_NIFTI}outliers.tsv",
            f"{XCPD_NIFTI}design.tsv",
            f"{XCPD_NIFTI}space-{MNI6}_desc-denoised_bold.nii.gz",
            f"{XCPD_NIFTI}space-{MNI6}_desc-denoisedSmoothed_bold.nii.gz",
            f"{XCPD_NIFTI}space-{MNI6}_atlas-4S156Parcels_stat-mean_timeseries.tsv",
            f"{XCPD_NIFTI}space-{MNI6}_atlas-4S156Parcels_stat-coverage_bold.tsv",
            f"{XCPD_NIFTI}space-{MNI6}_atlas-4S156Parcels_stat-pearsoncorrelation_desc-100volumes_relmat.tsv",
            f"sourcedata/atlases/tpl-{MNI6}/tpl-{MNI6}_atlas-4S156Parcels_dseg.tsv",
        ),
        ("xcp_d", "26.0.1"),
        images=(f"space-{MNI6}_desc-denoised_bold.nii.gz",),
        series=("atlas-4S156Parcels_stat-mean_timeseries.tsv",),
        motion="motion.tsv",
        outliers="outliers.tsv",
        space=MNI6,
    ),
    "giga_connectome | 0.5": Row(
        "giga_connectome",
        (
            f"{GIGA}space-{MNI}_res-2_atlas-MIST_desc-7Simple_timeseries.tsv",
            f"{GIGA}space-{MNI}_res-2_atlas-MIST_meas-PearsonCorrelation_desc-7Simple_relmat.tsv",
        ),
        ("giga_connectome", "0.5.0"),
        sidecars={f"{GIGA}space-{MNI}_res-2_atlas-MIST_timeseries.json": {"SamplingFrequency": 0.5}},
        series=("atlas-MIST_desc-7Simple_timeseries.tsv",),
    ),
    "giga_connectome | 0.6": Row(
        "giga_connectome",
        (
            f"{GIGA}seg-Schaefer2018100Parcels7Networks_desc-denoiseSimple_timeseries.tsv",
            f"{GIGA}seg-Schaefer2018100Parcels7Networks_meas-PearsonCorrelation_desc-denoiseSimple_relmat.tsv",
            f"{GIGA}seg-Schaefer2018100Parcels7Networks_desc-denoiseSimple_report.html",
        ),
        ("giga_connectome", "0.6.0"),
        sidecars={
            f"{GIGA}desc-denoiseSimple_timeseries.json": {"SamplingFrequency": 0.5, "MeanFramewiseDisplacement": 0.2}
        },
        series=("seg-Schaefer2018100Parcels7Networks_desc-denoiseSimple_timeseries.tsv",),
    ),
    "HALFpipe, images | 1.2, 1.3": Row(
        "halfpipe",
        (
            f"{HALF}bold.nii.gz",
            f"{HALF}desc-brain_mask.nii.gz",
            f"{HALF}desc-confounds_regressors.tsv",
        ),
        sidecars={f"{HALF}bold.json": {"Setting": {"ICAAROMA": True, "Smoothing": {"FWHM": 6.0}}}},
        images=("setting-denoised_bold.nii.gz",),
        space=MNI,
        note="no band-pass filter was applied by HALFpipe, nor here; HALFpipe smoothed it ({'FWHM': 6.0})",
    ),
    "HALFpipe, features | 1.2, 1.3": Row(
        "halfpipe",
        (
            f"{HALF_SERIES}timeseries.tsv",
            f"{HALF_SERIES}desc-correlation_matrix.tsv",
            f"{HALF_SERIES}desc-covariance_matrix.tsv",
        ),
        sidecars={f"{HALF_SERIES}timeseries.json": {"SamplingFrequency": 2.0, "FDMean": 0.2}},
        series=("feature-corrMatrix_atlas-power_timeseries.tsv",),
        note="2.0 may be either. The repetition time counts as not known",
    ),
    "C-PAC | 1.8": Row(
        "cpac_RBCv0",
        (
            f"{CPAC}desc-preproc_bold.nii.gz",
            f"{CPAC}space-MNI152NLin6ASym_desc-mean_bold.nii.gz",
            f"{CPAC}space-MNI152NLin6ASym_reg-36Parameter_desc-preproc_bold.nii.gz",
            f"{CPAC}space-MNI152NLin6ASym_reg-36Parameter_alff.nii.gz",
            f"{CPAC}space-MNI152NLin6ASym_res-3mm_desc-bold_mask.nii.gz",
            f"{CPAC}atlas-AAL_space-MNI152NLin6ASym_reg-36Parameter_desc-PearsonNilearn_correlations.tsv",
            f"{CPAC}atlas-AAL_space-MNI152NLin6ASym_reg-36Parameter_desc-Mean_timeseries.1D",
        ),
        images=("space-MNI152NLin6ASym_reg-36Parameter_desc-preproc_bold.nii.gz",),
        series=("reg-36Parameter_desc-Mean_timeseries.1D",),
        space=MNI6,
    ),
    "fMRIPost-AROMA | 0.0.x": Row(
        "fmripost",
        (
            f"{AROMA}desc-aroma_metrics.tsv",
            f"{AROMA}desc-aroma_timeseries.tsv",
            f"{AROMA}space-{MNI6}_res-2_desc-melodic_mixing.tsv",
            f"{AROMA}space-{MNI6}_res-2_desc-nonaggrDenoised_bold.nii.gz",
        ),
        ("fMRIPost-AROMA", "0.0.9"),  # write_derivative_description in src/fmripost_aroma/utils/bids.py
        images=(f"space-{MNI6}_res-2_desc-nonaggrDenoised_bold.nii.gz",),
        space=MNI6,
        note="slow drifts and the signals of white matter and CSF are still in these images",
    ),
    "tedana | 24": Row(
        "tedana",
        (
            f"{TEDANA}desc-optcom_bold.nii.gz",
            f"{TEDANA}desc-optcomDenoised_bold.nii.gz",
            f"{TEDANA}desc-optcomAccepted_bold.nii.gz",
        ),
        ("tedana", "24.0.2"),
        images=(f"space-{MNI6}_desc-optcomDenoised_bold.nii.gz",),
        space=MNI6,
        note="tedana removed components that do not depend on the echo time",
    ),
    "tedana | 25, 26": Row(
        "tedana",
        (
            f"{TEDANA}desc-optcom_bold.nii.gz",
            f"{TEDANA}desc-denoised_bold.nii.gz",
            f"{TEDANA}desc-confounds_timeseries.tsv",
        ),
        ("tedana", "25.1.0"),
        images=(f"space-{MNI6}_desc-denoised_bold.nii.gz",),
        space=MNI6,
        note="tedana removed components that do not depend on the echo time",
    ),
    "abcd-hcp-pipeline (ABCD-BIDS, DCAN) | 0.1": Row(
        "abcd-hcp-pipeline_v0.1.4",
        (
            f"{ABCD}bold_desc-filtered_timeseries.dtseries.nii",
            f"{ABCD}bold_atlas-Gordon2014FreeSurferSubcortical_desc-filtered_timeseries.ptseries.nii",
            f"{ABCD}desc-filtered_motion_mask.mat",
            f"{ABCD}desc-filteredwithoutliers_motion_mask.mat",
            f"{ABCD}run-1_bold_timeseries.dtseries.nii",
            f"{ABCD}run-1_desc-includingFD_motion.tsv",
            f"{ABCD}run-1_motion.tsv",
            f"{ABCD}run-1_space-MNI_bold.nii.gz",
        ),
        images=("bold_desc-filtered_timeseries.dtseries.nii",),
        series=("bold_atlas-Gordon2014FreeSurferSubcortical_desc-filtered_timeseries.ptseries.nii",),
        outliers="desc-filtered_motion_mask.mat",
        space="fsLR",
    ),
}


def write(trial, row):
    """Write a row's dataset, empty files but for the JSON."""
    root = trial.bids / "derivatives" / row.folder
    root.mkdir(parents=True)
    if row.made_by:
        name, version = row.made_by
        trial.describe(root, "derivative", GeneratedBy=[{"Name": name, "Version": version}])
    for one in row.files:
        (root / one).parent.mkdir(parents=True, exist_ok=True)
        (root / one).touch()
    for one, content in row.sidecars.items():
        (root / one).write_text(json.dumps(content))
    return root


def find(trial, root, *options):
    return find_inputs(parse([str(trial.bids), "out", "participant", "-d", str(root), *map(str, options)])).runs


@pytest.mark.parametrize("name", ROWS)
def test_what_a_tool_writes_is_read(empty_trial, name):
    row = ROWS[name]
    runs = find(empty_trial, write(empty_trial, row), *row.options)
    images = [run for run in runs if isinstance(run, BoldRun)]
    series = [run for run in runs if not isinstance(run, BoldRun)]
    assert len(images) == len(row.images)
    assert len(series) == len(row.series)
    for run, expected in zip(images, row.images, strict=True):
        assert run.bold.name.endswith(expected)
        assert run.denoised
        assert "cleaned already: it is not cleaned again" in run.reason
        assert run.entities["space"] == row.space
        assert (run.confounds and run.confounds.name.endswith(row.motion)) == (row.motion and True)
    for run, expected in zip(series, row.series, strict=True):
        assert run.timeseries.name.endswith(expected)
        assert (run.motion and run.motion.name.endswith(row.motion)) == (row.motion and True)
    for run in runs:
        assert (run.outliers and run.outliers.name.endswith(row.outliers)) == (row.outliers and True)
        assert row.note in run.note
        assert bool(row.note) == bool(run.note)


def test_halfpipe_images_have_the_mask_of_their_setting(empty_trial):
    (run,) = find(empty_trial, write(empty_trial, ROWS["HALFpipe, images | 1.2, 1.3"]))
    assert run.mask.name == "sub-01_task-rest_setting-denoised_desc-brain_mask.nii.gz"


@pytest.mark.parametrize("name", ["giga_connectome | 0.6", "HALFpipe, features | 1.2, 1.3"])
def test_motion_is_known_of_the_sidecar_where_there_is_no_table(empty_trial, name):
    (run,) = find(empty_trial, write(empty_trial, ROWS[name]))
    assert run.mean_displacement == 0.2
    assert run.repetition_time == (2.0 if name.startswith("giga") else None)


@pytest.mark.parametrize("name", ROWS)
def test_each_row_stands_in_the_documentation(name):
    assert f"\n| {name} |" in (Path(__file__).parents[2] / "docs" / "inputs.md").read_text()


def test_several_ways_of_cleaning_are_a_question_to_the_user(empty_trial, tmp_path):
    ways = ("aggrDenoised", "nonaggrDenoised", "orthaggrDenoised")
    files = tuple(f"{AROMA}space-{MNI6}_res-2_desc-{way}_bold.nii.gz" for way in ways)
    root = write(empty_trial, Row("fmripost", files, ("fMRIPost-AROMA", "0.0.9")))
    with pytest.raises(UsageError, match=r"several desc- could be meant: aggrDenoised, nonaggrDenoised, orthaggr"):
        find(empty_trial, root)
    filters = tmp_path / "filters.json"
    filters.write_text('{"bold": {"desc": "nonaggrDenoised"}}')
    (run,) = find(empty_trial, root, "--bids-filter-file", filters)
    assert "nonaggr" in run.bold.name


def test_several_regressions_of_cpac_are_a_question_to_the_user(empty_trial, tmp_path):
    files = tuple(
        f"{CPAC}space-MNI152NLin6ASym_reg-{way}_desc-preproc_bold.nii.gz" for way in ("default", "defaultNoGSR")
    )
    root = write(empty_trial, Row("cpac", files))
    with pytest.raises(UsageError, match="several reg- could be meant: default, defaultNoGSR"):
        find(empty_trial, root)
    filters = tmp_path / "filters.json"
    filters.write_text('{"bold": {"reg": "defaultNoGSR"}}')
    (run,) = find(empty_trial, root, "--bids-filter-file", filters)
    assert "NoGSR" in run.bold.name


def test_several_regressions_of_cpac_series_are_a_question_too(empty_trial, tmp_path):
    """And series of no regression are refused, for nothing says that they are clean."""
    names = tuple(f"{CPAC}atlas-AAL_reg-{way}_desc-Mean_timeseries.1D" for way in ("36Parameter", "aCompCor"))
    plain = f"{CPAC}atlas-AAL_desc-Mean_timeseries.1D"
    root = write(empty_trial, Row("cpac", (*names, plain)))
    with pytest.raises(UsageError, match=r"Series of several reg- could be meant: 36Parameter, aCompCor.*timeseries"):
        find(empty_trial, root)
    filters = tmp_path / "filters.json"
    filters.write_text('{"timeseries": {"reg": "aCompCor"}}')
    (run,) = find(empty_trial, root, "--bids-filter-file", filters)
    assert run.timeseries.name.endswith("reg-aCompCor_desc-Mean_timeseries.1D")
    for name in names:
        (root / name).unlink()
    with pytest.raises(DataError, match="nothing says whether C-PAC took the nuisance regressors out"):
        find(empty_trial, root)


def test_flags_of_dcan_count_at_the_threshold_of_the_call_and_a_table_comes_before_them(empty_trial):
    root = write(empty_trial, ROWS["abcd-hcp-pipeline (ABCD-BIDS, DCAN) | 0.1"])
    for run in find(empty_trial, root, "--space", "fsLR", "--fd-threshold", "0.2"):
        assert run.flagged_above == 0.2
    (root / f"{ABCD}outliers.tsv").touch()
    for run in find(empty_trial, root, "--space", "fsLR"):
        assert run.outliers.name.endswith("task-rest_outliers.tsv")
        assert run.flagged_above is None
    for path in (root / ABCD).parent.glob("*"):
        if path.name.endswith(("mask.mat", "outliers.tsv")):
            path.unlink()
    for run in find(empty_trial, root, "--space", "fsLR"):
        assert "Volumes with motion are in these series" in run.note


PREPROC = f"{CPAC}space-template_desc-preproc_bold"


@pytest.mark.parametrize(
    ("told", "cleaned"),
    [
        ({"CpacProvenance": [["desc-preproc_bold:func_ingress", "desc-preproc_bold:nuisance_regression_36"]]}, True),
        ({"CpacProvenance": ["desc-preproc_bold:func_ingress"]}, False),
        ({}, False),
    ],
)
def test_cpac_images_are_taken_if_something_says_that_they_were_regressed(empty_trial, told, cleaned):
    """Versions that wrote no reg-: CpacProvenance in the sidecar says it, set_data in CPAC/pipeline/engine.py."""
    row = Row("cpac", (f"{PREPROC}.nii.gz",), sidecars={f"{PREPROC}.json": told})
    root = write(empty_trial, row)
    if cleaned:
        assert find(empty_trial, root)[0].denoised
        return
    with pytest.raises(DataError, match="nothing says whether C-PAC took the nuisance regressors out"):
        find(empty_trial, root)


@pytest.mark.parametrize("told", [{}, {"Setting": {"BandpassFilter": {"Type": "Gaussian"}}}, {"Setting": None}])
def test_halfpipe_images_that_were_not_cleaned_are_refused(empty_trial, told):
    root = write(empty_trial, Row("halfpipe", (f"{HALF}bold.nii.gz",), sidecars={f"{HALF}bold.json": told}))
    with pytest.raises(DataError, match=r"HALFpipe did not clean this image.*derivatives/fmriprep"):
        find(empty_trial, root)


def test_cleaned_and_uncleaned_images_of_one_run_are_not_counted_twice(empty_trial):
    empty_trial.add_run(ses="1", hollow=True)
    files = (f"sub-01/ses-1/func/sub-01_ses-1_task-rest_space-{MNI}_desc-denoised_bold.nii.gz",)
    root = write(empty_trial, Row("xcp_d", files, ("xcp_d", "0.14.1")))
    with pytest.raises(DataError, match=r"Two files claim to be the same run: .*preproc.*denoised"):
        find(empty_trial, empty_trial.fmriprep, root)


def test_hdf5_of_giga_connectome_is_no_input(empty_trial):
    """Before 0.5 it wrote one file of all, run_postprocessing_dataset in giga_connectome/postprocess.py."""
    root = write(empty_trial, Row("giga_connectome", ("atlas-MIST_desc-simple.h5",), ("giga_connectome", "0.4.0")))
    (root / "sub-01" / "func").mkdir(parents=True)
    with pytest.raises(NothingSelectedError, match=r"HDF5 file \(atlas-MIST_desc-simple.h5\), .* run 0.5 or later"):
        find(empty_trial, root)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"{ABCD}space-fsLR_den-91k_bold.dtseries.nii", "give --space fsLR"),
    ],
)
def test_what_is_there_instead_is_said(empty_trial, name, said):
    with pytest.raises(NothingSelectedError, match=said):
        find(empty_trial, write(empty_trial, Row("abcd-hcp-pipeline", (name,))))


def test_a_tool_is_known_by_what_made_the_data_before_the_name_of_their_folder(empty_trial):
    root = write(empty_trial, Row("cpac", (), ("fMRIPrep", "25.2.0")))
    (dataset,) = find_datasets(empty_trial, root)
    assert tool_of(dataset) is None


def find_datasets(trial, root):
    from bids_app.bids.datasets import find_derivatives
    from bids_app.settings.named import NamedPath

    return find_derivatives(trial.bids, [NamedPath(root.name, root)])


@pytest.mark.parametrize(
    ("folder", "made_by", "entities", "said"),
    [
        (
            "fmripost",
            "fMRIPost-AROMA",
            {"space": MNI6, "desc": "nonaggrDenoised"},
            "signals of white matter and CSF are still in these images",
        ),
        ("cpac", "", {"space": "MNI152NLin6ASym", "reg": "36Parameter", "desc": "preproc"}, ""),
    ],
)
def test_nothing_is_taken_out_of_cleaned_images_and_what_is_still_in_is_said(
    tmp_path, app, folder, made_by, entities, said
):
    trial = SmallTrial(tmp_path / "bids", tmp_path / folder)
    trial.describe(trial.bids, "raw")
    trial.describe(trial.fmriprep, "derivative", **({"GeneratedBy": [{"Name": made_by}]} if made_by else {}))
    data = (bold_data(1, 60) - 1000) * brain()[..., None]
    place = trial.fmriprep / "sub-01" / "func"
    place.mkdir(parents=True)
    stem = "_".join(["sub-01_task-rest", *(f"{key}-{value}" for key, value in entities.items()), "bold"])
    save_bold(place / f"{stem}.nii.gz", data)
    (place / f"{stem}.json").write_text('{"RepetitionTime": 2.0}')
    out = tmp_path / "out"
    outcome = app(
        trial.bids, out, "participant", *SMALL, "-d", trial.fmriprep, "--voxel-size", "native", "--mask", "brain"
    )
    assert outcome.code == 0, outcome.said
    (path,) = out.glob(f"sub-01/func/*_space-{MNI6}_stat-degree_desc-r025_boldmap.nii.gz")
    facts = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert facts["Denoising"] == facts["Bandpass"] == "as the images were received"
    assert said in json.dumps(facts)
    assert said in outcome.said
    degree = nib.load(path).get_fdata()
    nodes = np.isfinite(degree)
    time = np.arange(60) - 29.5
    series = nib.load(place / f"{stem}.nii.gz").get_fdata()[nodes]
    series -= series.mean(axis=1, keepdims=True)
    r = np.corrcoef(series - np.outer(series @ time, time) / (time @ time))
    np.fill_diagonal(r, 0)
    assert (degree[nodes] == (r > 0.25).sum(axis=0)).mean() > 0.99
