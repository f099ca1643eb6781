"""What `check` foretells of scans is what the run then finds."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import SMALL

from bids_app.bids.runs import find_inputs
from bids_app.bids.scans import index_scans
from bids_app.cli import settings_of
from bids_app.participant.forecast import Outlook, forecast, outlook
from bids_app.settings.settings import Signal


@pytest.fixture(scope="module")
def scans(finished):
    """The runs of a trial that was processed, with their settings and what the sidecars say of them."""
    trial, output, _ = finished
    settings = settings_of.parse([str(trial.bids), str(output), "participant", *SMALL])
    return settings, find_inputs(settings), index_scans(output)


def test_minutes_left_are_those_that_the_run_found(scans):
    settings, inputs, index = scans
    found = {one.facts.origin.scan: one.facts.volumes.minutes_kept for one in index.one_of_each()}
    foretold = {run.label: outlook(run, settings.signal).minutes for run in inputs.runs}
    assert len(found) > 5
    assert {label: foretold[label] for label in found} == pytest.approx(found)


def test_one_sidecar_of_each_scan_says_which_scans_there_are(finished):
    """Every map says the same; a trial of hundreds has tens of thousands of maps."""
    index = index_scans(finished[1])
    ones = index.one_of_each()
    maps = index.of("boldmap", ".nii.gz")
    assert sum("sidecar" in vars(scan) for scan in maps) == len(ones) < len(maps)
    assert {one.facts.origin.scan for one in ones} == {scan.facts.origin.scan for scan in maps}


def test_a_visit_with_too_little_is_named_and_its_runs_count_together(scans):
    settings, inputs, _ = scans
    first = inputs.runs[0]
    two = [Outlook(first, 1.5, 3.0), Outlook(first, 1.6, 3.0)]
    demanding = replace(settings, signal=Signal(min_minutes=3.0))
    assert not any("minutes" in one.text for one in forecast(demanding, inputs, two))
    said = [one.text for one in forecast(demanding, inputs, two[:1]) if one.warning]
    who = f"sub-{first.entities['sub']} ses-{first.entities['ses']} (1.5)"
    assert any(text.startswith("1 of 1 visits have less than 3 minutes") and text.endswith(f"{who}.") for text in said)


def test_a_hair_less_than_is_needed_is_enough_as_the_group_level_has_it(scans):
    settings, inputs, _ = scans
    demanding = replace(settings, signal=Signal(min_minutes=31.5))
    for minutes, short in ((1350 * 1.4 / 60, False), (31.49, True)):
        said = [one.text for one in forecast(demanding, inputs, [Outlook(inputs.runs[0], minutes, 3.0)])]
        assert any("minutes of data left" in text for text in said) == short
    assert 1350 * 1.4 / 60 < 31.5


def test_coarse_data_on_a_fine_grid_are_warned_of(scans):
    settings, inputs, _ = scans
    fine = replace(settings, graph=replace(settings.graph, voxel_size=4))
    coarse = [Outlook(inputs.runs[0], 9.0, 8.0)]
    assert any("voxels of 8 mm" in one.text and one.warning for one in forecast(fine, inputs, coarse))
    assert not any("voxels of" in one.text for one in forecast(fine, inputs, [replace(coarse[0], voxel=5.0)]))


def test_nodes_memory_and_time_are_said_and_grow_with_the_nodes(scans):
    settings, inputs, _ = scans
    said = []
    for size in (8, 4):
        graph = replace(settings.graph, voxel_size=size)
        said.append(
            next(one.text for one in forecast(replace(settings, graph=graph), inputs, [Outlook(inputs.runs[0], 9.0)]))
        )
    nodes = [int(text.split()[1]) for text in said]
    assert nodes[1] / nodes[0] == pytest.approx(8, rel=0.1)
    assert all("GB of memory and about" in text for text in said)


def test_a_scan_that_would_fail_is_said_with_the_reason_of_the_run(scans, tmp_path):
    settings, inputs, _ = scans
    run = inputs.runs[0]
    lacking = outlook(replace(run, confounds=None), settings.signal)
    assert lacking.minutes is None
    assert "no confounds table beside" in lacking.reason
    broken = tmp_path / run.bold.name
    broken.write_bytes(b"")
    empty = outlook(replace(run, bold=broken), settings.signal)
    assert "empty" in empty.reason
    warned = [one.text for one in forecast(settings, inputs, [empty]) if one.warning]
    assert any(text.startswith(f"{run.label} would fail: ") for text in warned)
    assert np.isfinite(outlook(run, settings.signal).minutes)
