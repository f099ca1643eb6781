"""However a table of labels is laid out, its labels and names are those that were written."""

import random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bids_app.errors import DataError
from bids_app.space.label_columns import OF_LABELS, OF_NAMES, by_content, by_heads, has_head, plain
from bids_app.space.label_image import whole_labels
from bids_app.space.templates import PARTS, cached_template, template_file, template_space

WORDS = ("Insula", "Precuneus", "Thalamus", "Hippocampus", "Cuneus", "Putamen", "Caudate", "Amygdala", "Area 44", "NA")
# (label, name) of each parcel: unique labels in any order, unique names.
PARCELS = st.integers(2, 8).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(1, 300), min_size=n, max_size=n, unique=True),
        st.permutations(WORDS).map(lambda words: words[:n]),
    )
)


def pairs(reading):
    return list(zip(reading.table["index"], reading.table["name"], strict=True))


HEADS = [("index", "name"), ("Label_ID", "ROI_name"), ("ROI-index", "Region Name"), ("Value", "Full Name")]
HEADS += [("key", "label_name"), ("No.", "abbreviation"), ("GrayValue", "region"), ("code", "Label")]


@settings(max_examples=25, deadline=None)
@given(parcels=PARCELS, seed=st.integers(0, 999))
@pytest.mark.parametrize(("of_labels", "of_names"), HEADS)
def test_heads_tell_labels_and_names_in_any_order_of_columns_and_rows(of_labels, of_names, parcels, seed):
    labels, names = parcels
    n = len(labels)
    columns = {
        of_labels: list(map(str, labels)),
        of_names: list(names),
        "x": [str(10.5 * place) for place in range(n)],
        "R": ["255"] * n,
        "volume": [str(100 + place) for place in range(n)],
        "network": ["Default"] * n,
    }
    generator = random.Random(seed)
    heads = list(columns)
    generator.shuffle(heads)
    rows = [[columns[head][row] for head in heads] for row in range(n)]
    generator.shuffle(rows)
    assert has_head([heads, *rows])
    (reading,) = by_heads(heads, rows)
    assert sorted(pairs(reading)) == sorted(zip(labels, names, strict=True))
    assert set(reading.table["network"]) == {"Default"}


@settings(max_examples=40, deadline=None)
@given(parcels=PARCELS, colours=st.lists(st.integers(0, 255), min_size=4, max_size=4))
@pytest.mark.parametrize("form", ["plain", "freesurfer", "itksnap", "colours before", "name first", "aal", "twice"])
def test_files_without_heads_are_read_in_every_form(form, parcels, colours):
    labels, names = parcels
    r, g, b, a = map(str, colours)
    rows = {
        "plain": [[str(label), name] for label, name in zip(labels, names, strict=True)],
        "freesurfer": [[str(label), name, r, g, b, a] for label, name in zip(labels, names, strict=True)],
        "itksnap": [[str(label), r, g, b, "1", "1", "0", name] for label, name in zip(labels, names, strict=True)],
        "colours before": [[str(label), r, g, b, name] for label, name in zip(labels, names, strict=True)],
        "name first": [[name, str(label)] for label, name in zip(labels, names, strict=True)],
        "aal": [[name[:2].upper(), name, str(label)] for label, name in zip(labels, names, strict=True)],
        "twice": [[str(label), name, str(label)] for label, name in zip(labels, names, strict=True)],
    }[form]
    assert not has_head(rows) or form in ("name first", "aal")
    (reading,) = by_content(rows)
    assert pairs(reading) == list(zip(labels, names, strict=True))


@settings(max_examples=40, deadline=None)
@given(parcels=PARCELS)
def test_codes_of_aal_are_read_both_ways_and_both_are_right(parcels):
    labels, names = parcels
    codes = [2000 + 10 * place + 1 for place in range(len(labels))]
    rows = [[str(label), name, str(code)] for label, name, code in zip(labels, names, codes, strict=True)]
    assume(list(map(str, labels)) != list(map(str, codes)))
    by_number, by_code = by_content(rows)
    assert pairs(by_number) == list(zip(labels, names, strict=True))
    assert pairs(by_code) == list(zip(codes, names, strict=True))


@given(names=st.permutations(WORDS))
def test_names_alone_are_in_the_order_of_the_lines(names):
    (reading,) = by_content([[name] for name in names])
    assert reading.table["name"].tolist() == list(names)
    assert "index" not in reading.table
    assert "increasing order" in reading.form
    assert by_content([["names"], *[[name] for name in names]])[0].table["name"].tolist() == list(names)
    assert by_content([[f"{place}. {name}"] for place, name in enumerate(names)]) == [], "they are numbered"


@pytest.mark.parametrize("heads", [["x", "y"], ["index", "x"], ["r", "g"]])
def test_heads_that_tell_no_names_are_refused_with_what_there_is(heads):
    with pytest.raises(DataError, match=", ".join(heads)):
        by_heads(heads, [["1", "2"], ["2", "5"]])


@pytest.mark.parametrize("bad", ["1.5", "one", "1e3", ""])
def test_labels_that_are_no_whole_numbers_are_refused_with_the_cell(bad):
    with pytest.raises(DataError, match=f"index must hold whole numbers, it holds {bad!r}"):
        by_heads(["index", "name"], [["1", "a"], [bad, "b"], ["x", "c"]])


@pytest.mark.parametrize("missing", ["n/a", "", "NaN", "none"])
def test_a_row_without_a_label_is_left_out_and_a_name_may_be_na(missing):
    (reading,) = by_heads(["index", "name"], [["1", "NA"], [missing, "b"], ["3.0", "c"]])
    assert pairs(reading) == [(1, "NA"), (3, "c")]


def test_names_that_both_halves_have_are_told_apart_by_their_side():
    rows = [["1", "Insula", "L"], ["2", "Insula", "R"], ["3", "Cuneus", "L"]]
    (reading,) = by_heads(["index", "name", "hemisphere"], rows)
    assert reading.table["name"].tolist() == ["L Insula", "R Insula", "L Cuneus"]
    (reading,) = by_heads(["index", "name", "hemisphere"], [rows[0], rows[2]])
    assert reading.table["name"].tolist() == ["Insula", "Cuneus"]


@pytest.mark.parametrize("word", sorted({*OF_LABELS, *OF_NAMES}))
def test_heads_are_known_however_they_are_written(word):
    for written in (word, word.upper(), f" {word[:1]}_{word[1:]} ", "-".join(word)):
        assert plain(written) == word


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.float32, np.float64])
def test_labels_are_the_same_whatever_they_are_stored_as(dtype):
    labels = np.random.default_rng(0).integers(0, 120, (5, 6, 7))
    found = whole_labels(labels.astype(dtype), "x.nii")
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize("bad", [0.5, 1.002, -0.01, np.inf, -np.inf, 1e-2])
def test_one_fraction_among_labels_is_refused(bad):
    values = np.ones((3, 3, 3))
    values[1, 2, 0] = bad
    with pytest.raises(DataError, match=r"x\.nii: a 3D image of whole-number labels"):
        whole_labels(values, "x.nii")


@pytest.mark.parametrize(
    ("values", "labels", "said"),
    [
        ([np.nan, 2.0], [0, 2], "NaN was taken for background"),
        ([-3.0, 2.0], [0, 2], "negative values were taken for background"),
        ([1.0004, 1.9996], [1, 2], "labels were rounded"),
        ([-1.0, np.nan, 2.0001], [0, 0, 2], "NaN was taken for background; labels were rounded; negative values"),
        ([0.0, 7.0], [0, 7], ""),
    ],
)
def test_what_is_done_to_labels_is_said(values, labels, said, caplog, monkeypatch):
    import logging

    monkeypatch.setattr(logging.getLogger("bids_app"), "propagate", True)
    np.testing.assert_array_equal(whole_labels(np.array(values), "x.nii"), labels)
    assert said in caplog.text
    assert bool(caplog.text) is bool(said)


@pytest.mark.parametrize(("largest", "fits"), [(2**24, True), (2**24 + 2, False)])
def test_floats_that_cannot_tell_labels_apart_are_refused(largest, fits):
    values = np.array([0, 1, largest])
    assert whole_labels(values.astype(np.float64), "x").tolist() == values.tolist()
    if fits:
        assert whole_labels(values.astype(np.float32), "x").tolist() == values.tolist()
    else:
        with pytest.raises(DataError, match=f"has {largest}"):
            whole_labels(values.astype(np.float32), "x")


def test_a_template_is_taken_from_the_cache_only_if_it_is_there_whole(tmp_path):
    """TemplateFlow leaves empty files for what was never fetched."""
    folder = tmp_path / "tpl-MNI152NLin2009cAsym"
    folder.mkdir()
    assert cached_template(None) is None
    for part in PARTS:
        assert cached_template(str(tmp_path)) is None
        path = folder / f"tpl-MNI152NLin2009cAsym_res-02_{part}.nii.gz"
        path.touch()
        assert template_file(folder, part) is None
        path.write_bytes(b"x")
        assert template_file(folder, part) == path
    assert cached_template(str(tmp_path)) == folder
    assert template_space(cached_template(str(tmp_path))) == "MNI152NLin2009cAsym"


def test_a_cache_given_as_a_relative_path_is_found_from_elsewhere_too(tmp_path, monkeypatch):
    folder = tmp_path / "cache" / "tpl-MNI152NLin2009cAsym"
    folder.mkdir(parents=True)
    for part in PARTS:
        (folder / f"{folder.name}_res-02_{part}.nii.gz").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    found = cached_template("cache")
    monkeypatch.chdir("/")
    assert found.is_dir()
