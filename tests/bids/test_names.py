import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_app.bids.names import ENTITIES, LONGEST, SEPARATORS, Name, build, contrast_label, folder, label, scan_label
from bids_app.errors import UsageError

# Written by fMRIPrep 20.2, 22.0, 24.1 and 25.2, and by XCP-D 0.10; every one parses to its parts and back.
REAL_NAMES = [
    "sub-10_task-balloonanalogrisktask_run-1_space-MNI152NLin2009cAsym_res-2_desc-preproc_bold.nii.gz",
    "sub-01_ses-pre_task-rest_acq-mb4_dir-PA_run-01_space-MNI152NLin6Asym_desc-brain_mask.nii.gz",
    "sub-01_task-rest_echo-2_part-mag_desc-preproc_bold.nii",
    "sub-01_ses-1_task-rest_desc-confounds_timeseries.tsv",
    "sub-01_ses-1_task-rest_space-fsLR_seg-4S156Parcels_den-91k_stat-mean_timeseries.tsv",
]


@pytest.mark.parametrize("name", REAL_NAMES)
def test_a_real_name_survives_being_taken_apart_and_put_together(name):
    parsed = Name.parse(f"somewhere/func/{name}")
    assert build(dict(reversed(parsed.entities.items())), parsed.suffix, parsed.extension) == name


def test_padding_is_kept():
    assert [Name.parse(f"sub-1_run-{run}_bold.nii").entities["run"] for run in ("1", "01", "001")] == [
        "1",
        "01",
        "001",
    ]


def test_words_that_are_no_entity_are_left_out():
    name = Name.parse("sub-01_odd_task-rest_bold.nii.gz")
    assert (name.entities, name.suffix, name.extension) == ({"sub": "01", "task": "rest"}, "bold", ".nii.gz")


def test_without_makes_a_key_that_forgets_the_order():
    one, other = Name.parse("sub-1_task-a_desc-x_bold.nii"), Name.parse("task-a_sub-1_desc-y_mask.nii")
    assert one.without("desc") == other.without("desc")
    assert one.without() != other.without()


def test_entities_come_in_the_order_of_the_schema():
    schema = "sub ses task acq ce rec dir run echo part hemi space cohort atlas seg scale res den label desc"
    drafts = ("stat", "contrast", "from", "to", "mode", "fmapid")  # the last is of fMRIPrep
    assert [key for key in ENTITIES if key not in drafts] == schema.split()


def test_an_unknown_entity_is_refused():
    with pytest.raises(ValueError, match="meas"):
        build({"sub": "01", "meas": "degree"}, "relmat", ".tsv")


@pytest.mark.parametrize(
    ("entities", "path"),
    [({"sub": "01", "ses": "a"}, "sub-01/ses-a/func"), ({"sub": "01", "ses": None}, "sub-01/func")],
)
def test_the_folder_has_a_session_only_if_there_is_one(entities, path):
    assert folder(entities).as_posix() == path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("placebo", "placebo"),
        ("treatment as usual", "treatmentAsUsual"),
        ("CBT-I", "CBTI"),
        ("2 mg/kg", "2MgKg"),
        ("größe", "groE" + hashlib.sha256("größe".encode()).hexdigest()[:6]),
        ("ケタミン", hashlib.sha256("ケタミン".encode()).hexdigest()[:6]),
        (1, "1"),
        ("", ""),
    ],
)
def test_labels_hold_only_what_bids_allows(text, expected):
    assert label(text) == expected


different = st.text(st.characters(codec="utf-8", exclude_characters=SEPARATORS), min_size=1, max_size=60)


@given(first=different, second=different)
def test_different_texts_have_different_labels(first, second):
    one, other = label(first), label(second)
    assert one.isascii()
    assert one.isalnum()
    assert len(one) <= LONGEST
    if first.strip() != second.strip():
        assert one != other


@pytest.mark.parametrize(("active", "reference"), [("drug a", "drug_a"), ("Drug", "drug"), ("drug A", "drugA")])
def test_arms_that_no_file_name_can_tell_apart_are_refused(active, reference):
    with pytest.raises(UsageError, match="cannot be told apart"):
        contrast_label(active, reference)


def test_names_of_files_fit_whatever_the_arms_are_called():
    long = "esketamine 84 mg intranasal plus newly initiated oral antidepressant"
    placebo = "placebo nasal spray plus newly initiated oral antidepressant"
    contrast = contrast_label(long, placebo)
    assert contrast == contrast_label(long, placebo)
    assert len(contrast) <= 62
    assert contrast.startswith("esketamine84MgIntranasal")
    assert label("drug+") != label("drug-")


def test_a_scan_is_named_by_what_was_measured_not_how_it_was_processed():
    name = Name.parse("sub-01_ses-2_task-rest_dir-AP_run-02_space-T1w_res-2_desc-preproc_bold.nii.gz")
    assert scan_label(name.entities) == "sub-01 ses-2 task-rest dir-AP run-02"
