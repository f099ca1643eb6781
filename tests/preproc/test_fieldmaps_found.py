"""Which field map is that of a scan: what the sidecars say, in the order in which it counts."""

import json

import pytest

from bids_app.bids.sidecars import Sidecars
from bids_app.cli.main import main
from bids_app.preproc.distortion.found import FieldMap, Image, fieldmap_of, images_of

SAID = {"PhaseEncodingDirection": "j-", "TotalReadoutTime": 0.05}
SCAN = "ses-1/func/sub-01_ses-1_task-rest_bold.nii.gz"
URI = f"bids::sub-01/{SCAN}"


def place(root, path, **said):
    """Write an empty image and its sidecar below the participant."""
    image = root / "sub-01" / path
    image.parent.mkdir(parents=True, exist_ok=True)
    image.touch()
    image.with_name(image.name.replace(".nii.gz", ".json")).write_text(json.dumps(said))


def blips(root, *directions, folder="ses-1/fmap/sub-01_ses-1", **said):
    for direction in directions:
        label = {"j": "PA", "j-": "AP", "i": "LR", "i-": "RL"}[direction]
        more = {"PhaseEncodingDirection": direction, "TotalReadoutTime": 0.04} | said
        place(root, f"{folder}_dir-{label}_epi.nii.gz", **more)


def found(root, scan=SCAN, **said):
    """Return the field map of the scan, whose sidecar says what is given."""
    place(root, scan, **SAID | said)
    path = root / "sub-01" / scan
    metadata = Sidecars(root.glob("**/*.json")).metadata(path)
    return fieldmap_of(Image(path, metadata), images_of(root, "01"), root)


def names(fieldmap):
    assert isinstance(fieldmap, FieldMap), fieldmap
    return [path.name.removeprefix("sub-01_ses-1_") for path in fieldmap.paths]


@pytest.mark.parametrize(
    "intended", [SCAN, f"/{SCAN}", URI, f"sub-01/{SCAN}", ["ses-1/func/other.nii.gz", SCAN], [URI]]
)
def test_intended_for_in_each_spelling(tmp_path, intended):
    blips(tmp_path, "j", "j-", IntendedFor=intended)
    fieldmap = found(tmp_path)
    assert (fieldmap.kind, fieldmap.evidence) == ("pepolar", "by IntendedFor")
    assert names(fieldmap) == ["dir-PA_epi.nii.gz", "dir-AP_epi.nii.gz"]


@pytest.mark.parametrize("spelling", ["pepolar0", ["other", "pepolar0"]])
def test_the_source_counts_more_than_what_is_intended(tmp_path, spelling):
    blips(tmp_path, "j", "j-", B0FieldIdentifier=spelling)
    blips(tmp_path, "i", "i-", IntendedFor=SCAN)
    fieldmap = found(tmp_path, B0FieldSource="pepolar0")
    assert fieldmap.evidence == "by B0FieldSource"
    assert names(fieldmap) == ["dir-PA_epi.nii.gz", "dir-AP_epi.nii.gz"]


def test_a_source_that_nothing_names_is_said(tmp_path):
    blips(tmp_path, "j", "j-", IntendedFor=SCAN)
    assert "which no B0FieldIdentifier names" in found(tmp_path, B0FieldSource="lost")


def test_one_image_is_opposite_to_the_scan_itself(tmp_path):
    blips(tmp_path, "j", IntendedFor=SCAN)
    assert names(found(tmp_path)) == ["dir-PA_epi.nii.gz"]


def test_one_image_of_the_same_direction_tells_nothing(tmp_path):
    blips(tmp_path, "j-", IntendedFor=SCAN)
    assert "no image is opposite to sub-01_ses-1_dir-AP_epi.nii.gz" in found(tmp_path)


def test_a_pair_along_another_axis_does(tmp_path):
    blips(tmp_path, "i", "i-", IntendedFor=SCAN)
    assert names(found(tmp_path)) == ["dir-LR_epi.nii.gz", "dir-RL_epi.nii.gz"]


def test_reference_images_of_the_opposite_direction(tmp_path):
    """In func, without a field map: of the same task and visit, whose name differs by the direction."""
    scan = "ses-1/func/sub-01_ses-1_task-rest_dir-AP_bold.nii.gz"
    other = SAID | {"PhaseEncodingDirection": "j"}
    place(tmp_path, "ses-1/func/sub-01_ses-1_task-rest_dir-PA_bold.nii.gz", **other)
    place(tmp_path, "ses-1/func/sub-01_ses-1_task-other_dir-PA_sbref.nii.gz", **other)
    place(tmp_path, "ses-1/func/sub-01_ses-1_task-rest_dir-PA_sbref.nii.gz", **other)
    fieldmap = found(tmp_path, scan)
    assert fieldmap.evidence == "of the same task and visit by its name"
    assert names(fieldmap) == ["task-rest_dir-PA_sbref.nii.gz"]


def test_what_nobody_names_is_not_taken(tmp_path):
    blips(tmp_path, "j", "j-")
    assert found(tmp_path).startswith("neither B0FieldSource nor IntendedFor says")


def test_nothing_there(tmp_path):
    assert found(tmp_path) == "there is no field map"


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        ("PhaseEncodingDirection", "the sidecar of the scan has no PhaseEncodingDirection"),
        ("TotalReadoutTime", "the sidecar of the scan has neither TotalReadoutTime nor EffectiveEchoSpacing"),
    ],
)
def test_what_the_scan_lacks(tmp_path, lost, reason):
    blips(tmp_path, "j", "j-", IntendedFor=SCAN)
    assert found(tmp_path, **{lost: None}) == reason


def test_what_the_field_map_lacks(tmp_path):
    blips(tmp_path, "j", "j-", IntendedFor=SCAN, TotalReadoutTime=None)
    assert "dir-PA_epi.nii.gz has neither TotalReadoutTime" in found(tmp_path).replace("dir-AP", "dir-PA")


def test_fields_and_phases(tmp_path):
    stem = "ses-1/fmap/sub-01_ses-1"
    place(tmp_path, f"{stem}_phasediff.nii.gz", EchoTime1=0.005, EchoTime2=0.0075, IntendedFor=SCAN)
    assert "there is no magnitude image beside" in found(tmp_path)
    place(tmp_path, f"{stem}_magnitude1.nii.gz")
    assert names(found(tmp_path)) == ["phasediff.nii.gz", "magnitude1.nii.gz"]
    place(tmp_path, f"{stem}_fieldmap.nii.gz", Units="ppm", IntendedFor=SCAN)
    place(tmp_path, f"{stem}_magnitude.nii.gz")
    assert found(tmp_path).kind == "phasediff"  # of a field without a unit nothing is known
    place(tmp_path, f"{stem}_fieldmap.nii.gz", Units="Hz", IntendedFor=SCAN)
    assert names(found(tmp_path)) == ["fieldmap.nii.gz", "magnitude.nii.gz"]


def test_two_phases(tmp_path):
    stem = "ses-1/fmap/sub-01_ses-1"
    for index, time in ((1, 0.005), (2, 0.0075)):
        place(tmp_path, f"{stem}_phase{index}.nii.gz", EchoTime=time, IntendedFor=SCAN)
        place(tmp_path, f"{stem}_magnitude{index}.nii.gz", EchoTime=time)
    fieldmap = found(tmp_path)
    assert (fieldmap.kind, names(fieldmap)[0]) == ("phases", "phase1.nii.gz")
    place(tmp_path, f"{stem}_phase2.nii.gz", EchoTime=5.0, IntendedFor=SCAN)
    assert "have no EchoTime in seconds" in found(tmp_path)


def test_check_lists_it(tmp_path, capsys):
    bids = tmp_path / "bids"
    blips(bids, "j", "j-", IntendedFor=SCAN)
    (bids / "dataset_description.json").write_text(json.dumps({"Name": "raw", "BIDSVersion": "1.8.0"}))
    place(bids, SCAN, RepetitionTime=2.0, TaskName="rest", **SAID)
    words = ("check", bids, tmp_path / "out", "--skip-bids-validation", "--design", "one-group")
    main([str(word) for word in words])
    assert "corrected by images of opposite phase encoding" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("dataset", "session", "kind"), [("eyetracking_fmri", "ses-01", "pepolar"), ("ds000117", "ses-mri", "phasediff")]
)
def test_public_datasets(shared_data, dataset, session, kind):
    """Field maps as public data sets name them; of one there are two kinds. Their images are empty."""
    root = shared_data / "bids_examples" / dataset
    sidecars = Sidecars([*root.glob("*.json"), *root.glob("sub-01/**/*.json")])
    for path in sorted((root / "sub-01" / session / "func").glob("*_bold.nii.gz")):
        fieldmap = fieldmap_of(Image(path, sidecars.metadata(path)), images_of(root, "01"), root)
        assert isinstance(fieldmap, FieldMap), fieldmap
        assert (fieldmap.kind, fieldmap.evidence) == (kind, "by IntendedFor")
