"""Echoes to one series: the formula in closed form, what it gains, and what is refused."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from conftest import MNI, SMALL, brain

from bids_app.errors import DataError
from bids_app.participant.echoes import FASTEST, SLOWEST, combine_echoes, echo_times

TIMES = np.array([0.012, 0.028, 0.044])


def decays(t2star, amplitude, times=TIMES):
    """Return (E, N, T) signals that decay without noise, each node by its own T2*."""
    return amplitude[None] * np.exp(-times[:, None] / t2star)[:, :, None]


def test_weights_are_those_of_the_true_decay_where_there_is_no_noise():
    t2star = np.array([0.02, 0.035, 0.06])
    amplitude = 100 + np.random.default_rng(0).normal(0, 1, (3, 50))
    series = decays(t2star, amplitude)
    weights = TIMES[:, None] * np.exp(-TIMES[:, None] / t2star)
    expected = (weights[:, :, None] * series).sum(axis=0) / weights.sum(axis=0)[:, None]
    np.testing.assert_allclose(combine_echoes(series, TIMES), expected, rtol=1e-6)


def test_the_combination_has_the_best_contrast_of_all_weights():
    """Posse et al.: with noise alike in all echoes, weights TE exp(-TE/T2*) have the most signal per noise of R2*."""
    rng = np.random.default_rng(1)
    n_volumes, t2star, noise = 20_000, 0.03, 1.0
    change = rng.normal(0, 0.5, n_volumes)  # of R2*, in 1/s
    clean = 1000 * np.exp(-TIMES[:, None] * (1 / t2star + change))
    series = (clean + rng.normal(0, noise, clean.shape))[:, None]

    def contrast(one):
        return abs(np.corrcoef(one, change)[0, 1])

    combined = contrast(combine_echoes(series, TIMES)[0])
    weights = rng.dirichlet(np.ones(3), 200)
    assert combined > max(contrast(one @ series[:, 0]) for one in weights) - 1e-3
    assert combined > max(contrast(one) for one in series[:, 0])


def test_a_signal_that_rises_or_falls_at_once_is_weighted_at_the_bounds():
    for signal, bound in (([1.0, 2.0, 3.0], SLOWEST), ([1e9, 1.0, 1e-9], FASTEST)):
        series = np.array(signal)[:, None, None] * np.ones((1, 1, 5))
        weights = TIMES * np.exp(-TIMES / bound)
        np.testing.assert_allclose(combine_echoes(series, TIMES)[0], weights @ signal / weights.sum(), rtol=1e-6)


def test_nodes_that_lack_an_echo_have_no_signal():
    series = decays(np.full(4, 0.03), np.full((4, 6), 100.0))
    series[1, 0] = np.nan
    series[2, 1] = 0
    series[0, 2] = -5
    assert np.isnan(combine_echoes(series, TIMES)).all(axis=1).tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ((0.012, None), "b: EchoTime in its sidecar is missing; .*t2smap of tedana"),
        ((12.0, 28.0), "a: EchoTime in its sidecar is 12.0; without it, in seconds"),
        ((0.012, "0.028"), "b: EchoTime in its sidecar is '0.028'"),
        ((0.012, True), "b: EchoTime in its sidecar is True"),
        ((0.028, 0.012), "a, b: echo times must rise, they are 0.028, 0.012 s"),
        ((0.012, 0.012), "must rise"),
    ],
)
def test_echo_times_that_cannot_be_are_refused(told, message):
    with pytest.raises(DataError, match=message):
        echo_times(["a", "b"], told)


def of_echoes(trial, sub, times):
    """Make echoes of a run's image: it decays by T2* of 30 ms, and the first is what was there."""
    whole = trial.add_run(sub)
    image = nib.load(whole)
    data = image.get_fdata()
    stem = whole.name.partition("_space")[0]
    for number, seconds in enumerate(times, 1):
        path = whole.with_name(f"{stem}_echo-{number}_space-{MNI}_desc-preproc_bold.nii.gz")
        decayed = data * np.exp(-(seconds - times[0]) / 0.03)
        nib.save(nib.Nifti1Image(decayed.astype(np.float32), image.affine, image.header), path)
        told = {"RepetitionTime": 2.0, "EchoTime": seconds}
        path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(told))
    whole.unlink()
    whole.with_name(whole.name.replace(".nii.gz", ".json")).unlink()


def test_maps_of_echoes_are_those_of_the_one_series_they_are_of(empty_trial, app, tmp_path):
    """All echoes are one series times a factor, so that the correlations, and the maps, are those of this series."""
    of_echoes(empty_trial, "01", TIMES)
    of_echoes(empty_trial, "02", TIMES[:1])
    folder = empty_trial.fmriprep
    for table in (folder / "sub-01" / "ses-1" / "func").glob("*confounds*"):  # confounds and image of one person
        shutil.copy(table, folder / "sub-02" / "ses-1" / "func" / table.name.replace("sub-01", "sub-02"))
    first = next((folder / "sub-01" / "ses-1" / "func").glob("*echo-1*bold.nii.gz"))
    shutil.copy(first, folder / "sub-02" / "ses-1" / "func" / first.name.replace("sub-01", "sub-02"))
    out = tmp_path / "out"
    outcome = app(empty_trial.bids, out, "participant", *SMALL)
    assert outcome.code == 0, outcome.said
    (combined,) = out.glob("sub-01/ses-1/func/*_stat-degree_desc-r025_boldmap.nii.gz")
    (single,) = out.glob("sub-02/ses-1/func/*_stat-degree_desc-r025_boldmap.nii.gz")
    assert "echo" not in combined.name
    assert "echo-1" in single.name
    first, second = (nib.load(path).get_fdata() for path in (combined, single))
    inside = np.isfinite(second)
    assert brain().any()
    np.testing.assert_array_equal(np.isfinite(first), inside)
    assert (first[inside] == second[inside]).mean() > 0.999
    facts = json.loads(combined.with_name(combined.name.replace(".nii.gz", ".json")).read_text())
    assert facts["EchoCombination"].startswith("3 echoes (at 12, 28 and 44 ms) were combined at each node")
    assert sum("_echo-" in name and name.endswith("_bold.nii.gz") for name in facts["SourceDigests"]) == 3
    assert "3 echoes (at 12, 28 and 44 ms) were combined" in (out / "logs" / "CITATION.md").read_text()
