"""Tables of labels of every known format are read alike, or are refused."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_app.errors import DataError
from bids_app.settings.atlas_source import find_atlas
from bids_app.space.atlas import read_atlas
from bids_app.space.atlas_labels import read_labels, unique_names
from bids_app.space.grid import Grid
from bids_app.space.saved_atlas import load_atlas, save_atlas

FSL = (
    '<?xml version="1.0" encoding="ISO-8859-1"?>\n<atlas version="1.0"><header><name>A</name>{kind}<images>'
    "<imagefile>/A</imagefile><summaryimagefile>/A</summaryimagefile></images></header><data>\n{rows}\n</data></atlas>"
)


def mapping(tmp_path, text, present, name="labels.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    table = read_labels(path, present)
    return dict(zip(table["index"], table["name"], strict=True))


def fsl(kind, names):
    rows = "\n".join(f'<label index="{i}" x="0" y="0" z="0">{name}</label>' for i, name in enumerate(names))
    return FSL.format(kind=f"<type>{kind}</type>" if kind else "", rows=rows)


def test_fsl_counts_labels_from_0_only_where_they_are_maps(tmp_path):
    slabs = ["Slab one", "Slab two", "Slab three"]
    expected = dict(enumerate(slabs, start=1))
    assert mapping(tmp_path, fsl("Label", ["Unclassified", *slabs]), [1, 2, 3], "a.xml") == expected
    for spelled in ("Probabalistic", "Probabilistic"):
        assert mapping(tmp_path, fsl(spelled, slabs), [1, 2, 3], "a.xml") == expected
    assert mapping(tmp_path, fsl("", slabs), [1, 2, 3], "a.xml") == expected  # by the labels of the image
    attributes = "".join(f'<label index="{i}" name="{name}"/>' for i, name in enumerate(["Unclassified", *slabs]))
    assert mapping(tmp_path, f"<atlas>{attributes}</atlas>", [1, 2, 3], "a.xml") == expected
    with pytest.raises(DataError, match="Both fit the image, with other names"):
        mapping(tmp_path, fsl("", ["one", *slabs]), [1, 2], "a.xml")
    with pytest.raises(DataError, match=r"no name for the labels 3 \(read as an FSL XML of type Label"):
        mapping(tmp_path, fsl("Label", slabs), [1, 2, 3], "a.xml")


def test_aal_by_its_codes_or_by_its_numbers(tmp_path):
    codes, names = [2001, 2002, 9170], ["Precentral_L", "Precentral_R", "Vermis_10"]
    numbered = "".join(f"{i} {name} {code}\n" for i, (name, code) in enumerate(zip(names, codes, strict=True), 1))
    short = "".join(f"F{i}G\t{name}\t{code}\n" for i, (name, code) in enumerate(zip(names, codes, strict=True)))
    by_code = dict(zip(codes, names, strict=True))
    assert mapping(tmp_path, numbered, codes) == by_code
    assert mapping(tmp_path, short, codes) == mapping(tmp_path, short.replace("\t", " "), codes) == by_code
    assert mapping(tmp_path, short.replace("F1G", "FAG").replace("F2G", "FAG"), codes) == by_code
    assert mapping(tmp_path, "L Cuneus 1\nR Insula 2\n", [1, 2]) == {1: "L Cuneus", 2: "R Insula"}
    assert mapping(tmp_path, numbered, [1, 2, 3]) == dict(enumerate(names, start=1))
    with pytest.raises(DataError, match=r"no name for the labels 7 .*by its first column.*no name for the labels 7"):
        mapping(tmp_path, numbered, [7])
    with pytest.raises(DataError, match="Both fit the image"):
        mapping(tmp_path, "2001 a 2002\n2002 b 2001\n", [2001, 2002])


FORMATS = {
    "aal3.txt": "1 Area_44 1\n70 Écorce 70\n",
    "wfu.txt": "[ TD Labels]\n1\tArea 44\n70\tÉcorce, l'autre\n",
    "workbench.txt": "Area 44\n1 255 0 0 255\nÉcorce, l'autre\n70 0 255 0 255\n",
    "node.node": "# nodes\n-12.5 3 4 1 2 Area 44\n10 20 30 2 2 Écorce, l'autre\n",
    "order.tsv": "name\tnetwork\nArea 44\tA\nÉcorce, l'autre\tB\n",
    "lines.txt": "Area 44\nÉcorce, l'autre\n",
    "headed.txt": "Region\nArea 44\nÉcorce, l'autre\n",
    "freesurfer.txt": "#$Id: FreeSurferColorLUT.txt\n#No. Label Name:  R G B A\n0 Unknown 0 0 0 0\n"
    "1 Area 44 1 2 3 0\n70  Écorce, l'autre 9 8 7 0\n",
    "itksnap.label": '# ITK-SnAP Label Description File\n    0     0    0    0        0  0  0    "Clear Label"\n'
    '    1   255    0    0        0.5  1  1    "Area 44"\n   70     0  255    0        1  1  1    "Écorce, l\'autre"\n',
    "quoted.csv": 'ROI Name,ROI Number,Hemisphere\nArea 44,1,L\n"Écorce, l\'autre",70,R\n',
    "german.csv": "sep=;\nNummer;Name;Netz\n1;Area 44;x\n70;Écorce, l'autre;x\n",
    "unknown heads.csv": "Nummer;Bezeichnung\n1;Area 44\n70;Écorce, l'autre\n",
    "pandas.csv": ',label,region\n0,1,Area 44\n1,70,"Écorce, l\'autre"\n',
    "cat12.csv": "ROIid;ROIabbr;ROIname\n1;A44;Area 44\n70;E;Écorce, l'autre\n",
    "bids.tsv": "index\tname\tabbreviation\tcolor\tmapping\n1\tArea 44\tA\t#ff0000\t7\n"
    "70\tÉcorce, l'autre\tE\t#00ff00\t8\n",
    "last.txt": "Area 44\t1\nÉcorce, l'autre\t70\n",
    "colon.txt": "1: Area 44\n70: Écorce, l'autre\n",
    "commented.tsv": "#index\tname\n1\tArea 44\n70\tÉcorce, l'autre\n",
    "dict.json": json.dumps({"1": "Area 44", "70": "Écorce, l'autre"}),
    "turned.json": json.dumps({"Area 44": 1, "Écorce, l'autre": 70}),
    "rows.json": json.dumps([{"index": 1, "name": "Area 44"}, {"index": 70, "name": "Écorce, l'autre"}]),
    "mrtrix.txt": "0 ??? 0 0 0 0\n1 Area 44 25 5 25 255\n70 Écorce, l'autre 30 5 25 255\n",
    "spm.xml": "<atlas><data><label><index>1</index><name>Area 44</name></label><label><index>70</index>"
    "<name>Écorce, l'autre</name></label></data></atlas>",
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_names_are_kept_whole_in_every_format(tmp_path, name, encoding):
    text = FORMATS[name].replace("\n", "\r\n")
    if name.endswith((".json", ".xml")) and encoding == "cp1252":
        text = "<?xml version='1.0' encoding='cp1252'?>" + text if name.endswith(".xml") else text
    found = mapping(tmp_path, text.encode(encoding), [1, 70], name)
    assert found == ({1: "Area 44", 70: "Écorce, l'autre"} if name != "aal3.txt" else {1: "Area_44", 70: "Écorce"})


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("1,Frontal gyrus, left\n2,Cuneus\n", "of no known format"),
        ("one two\nthree\n", "it has 2 names and no labels, the image has 3 labels"),
        ("Background\none\ntwo\n", "it has 2 names and no labels, the image has 3 labels"),
        ("1-a\n3-b\n2-c\n", "of no known format"),
        ("1 2 3\n4 5 6\n7 8 9\n", "of no known format"),
        ("index\tcolor\n1\tred\n2\tblue\n3\tgreen\n", "there are index, color"),
        ("index,name\n1.5,a\n2,b\n", "column index must hold whole numbers, it holds '1.5'"),
        ("ROI ID,name\nL1,a\nL2,b\nL3,c\n", "column ROI ID must hold whole numbers, it holds 'L1'"),
        ("index,name\n1,a\n2,\n3,c\n", "no name for the labels 2"),
        ("index,name\n0,left\n1,right\n2,middle\n3,last\n4,other\n", "does the table count from 0"),
        (",name\n0,left\n1,right\n2,middle\n", "no name for the labels 3"),
        ('{"1": "a", "1": "b"}', "a key twice"),
        ('{"Name": "an atlas", "Species": "human"}', "its JSON is not of the form"),
        ("<atlas><label>x</label></atlas>", "no <label> elements with index and name"),
        (b"\x00\x01\x02", "it is no text"),
        ("3 Vis 1\n1 Vis 2\n2 Vis 3\n", None),
        ("Vis 2\nVis 1\nVis 3\n", "Both fit the image"),
    ],
)
def test_what_is_not_known_is_refused(tmp_path, text, fragment):
    if fragment is None:
        assert mapping(tmp_path, text, [1, 2, 3]) == {3: "Vis 1", 1: "Vis 2", 2: "Vis 3"}
        return
    with pytest.raises(DataError, match=fragment):
        mapping(tmp_path, text, [1, 2, 3])


def test_types_of_tissue_are_no_part_of_a_name(tmp_path):
    text = (
        "0 Unknown 0 0 0 0\n17 Left-Hippocampus 220 216 20 0 1\n1035 ctx-lh-insula 255 192 32 0\n"
        "14175 Area 44 1 2 3 0\n"
    )
    assert mapping(tmp_path, text, [17]) == {17: "Left-Hippocampus", 1035: "ctx-lh-insula", 14175: "Area 44"}


def test_a_hemisphere_tells_equal_names_apart(tmp_path):
    text = "label,structure,hemisphere\n1,Cuneus,L\n2,Cuneus,R\n"
    assert mapping(tmp_path, text, [1, 2], "a.csv") == {1: "L Cuneus", 2: "R Cuneus"}


def test_names_made_unique_stay_unique():
    names = pd.Series(["Ctx", "Ctx", "Ctx 1", "NA"])
    assert unique_names(names, pd.Series([1, 2, 3, 4])).is_unique


def test_names_that_the_image_lacks_are_said(tmp_path, caplog):
    with caplog.at_level("INFO", logger="bids_app"):
        mapping(tmp_path, "1 a\n2 b\n5 c\n", [1])
    assert "were read as a label and its name per line" in caplog.text
    assert "names 2 labels that the image has not: 2, 5" in caplog.text


WORD = st.text(st.characters(categories=["L"], max_codepoint=0x17F), min_size=1, max_size=6)
NAME = st.builds(
    " ".join, st.lists(st.one_of(WORD, st.builds("{}_{}".format, WORD, st.integers(0, 99))), min_size=1, max_size=3)
)
ROWS = st.dictionaries(st.integers(1, 2**40), NAME, min_size=2, max_size=6)


def render(form, rows, pad):
    """Write rows as a tool would; pad is what stands between what blanks separate."""
    listed = {
        "plain": lambda i, name: f"{pad}{i}{pad}{name}{pad}",
        "colours": lambda i, name: f"{i}{pad}{name}{pad}12{pad}255{pad}0{pad}0",
        "snap": lambda i, name: f'{pad}{i}{pad}12{pad}255{pad}0{pad}1{pad}1{pad}1{pad}"{name}"',
        "tabs": lambda i, name: f"{i}\t{name}{pad}",
        "turned": lambda i, name: f"{name}\t{i}",
        "tsv": lambda i, name: f"{i}\t{pad}{name}",
        "csv": lambda i, name: f'7,"{name}",{i}',
        "workbench": lambda i, name: f"{name}\n{i} 1 2 3 255",
    }[form]
    head = {"tsv": ["index\tname"], "csv": ["size,Region Name,Label ID"]}.get(form, [])
    return "\n".join([*head, *(listed(i, name) for i, name in rows)]) + "\n"


@pytest.mark.parametrize("form", ["plain", "colours", "snap", "tabs", "turned", "tsv", "csv", "workbench"])
def test_any_table_is_read_as_written_or_refused(tmp_path, form):
    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(
        rows=ROWS,
        order=st.randoms(use_true_random=False),
        pad=st.sampled_from([" ", "   "]),
        comments=st.sampled_from(["", "# a comment\n", "\n# index of names\n\n"]),
        encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
        ending=st.sampled_from(["\n", "\r\n", "\r"]),
        extra=st.integers(0, 2),
    )
    def check(rows, order, pad, comments, encoding, ending, extra):
        listed = list(rows.items())
        order.shuffle(listed)
        text = (comments + render(form, listed, pad)).replace("\n", ending)
        present = sorted(rows)[: max(1, len(rows) - extra)]
        name = f"labels.{form if form in ('tsv', 'csv') else 'txt'}"
        index = pd.Series(list(rows))
        expected = dict(zip(rows, unique_names(pd.Series(list(rows.values())), index), strict=True))
        assert mapping(tmp_path, text.encode(encoding), present, name) == expected

    check()


NUMBERED = st.builds("{} {}".format, NAME, st.integers(0, 300))


@pytest.mark.parametrize("form", ["plain", "colours", "snap", "tabs", "turned", "tsv", "csv", "workbench"])
def test_names_that_end_in_numbers_are_never_another_labels(tmp_path, form):
    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(rows=st.dictionaries(st.integers(1, 12), st.one_of(NAME, NUMBERED), min_size=2, max_size=6))
    def check(rows):
        text, name = render(form, list(rows.items()), " "), f"labels.{form if form in ('tsv', 'csv') else 'txt'}"
        expected = dict(zip(rows, unique_names(pd.Series(list(rows.values())), pd.Series(list(rows))), strict=True))
        try:
            found = mapping(tmp_path, text, sorted(rows), name)
        except DataError:
            return
        assert found == expected

    check()


@pytest.mark.parametrize("dtype", [np.int32, np.float64, np.float32])
def test_labels_stay_whole_whatever_their_size(tmp_path, dtype):
    """Through the image, the table and the atlas as it is kept; float32 cannot hold two that follow each other."""
    labels = np.array([16777216, 16777217, 2000000001, 0], dtype=dtype).reshape(4, 1, 1)
    path, grid = tmp_path / "big.nii.gz", Grid(np.ones((4, 1, 1), dtype=bool), np.eye(4))
    nib.save(nib.Nifti1Image(labels, np.eye(4)), path)
    (tmp_path / "big.txt").write_text("16777216 a\n16777217 b\n2000000001 c\n")
    if dtype == np.float32:
        with pytest.raises(DataError, match="stored as float32, which cannot tell labels above 16777216 apart"):
            read_atlas(find_atlas(str(path)), grid)
        return
    atlas = read_atlas(find_atlas(str(path)), grid)
    kept = load_atlas(save_atlas(tmp_path, atlas, grid, {"space": "A"}), grid)
    assert '"Names": "big.txt, read as a label and its name per line"' in next(tmp_path.rglob("*dseg.json")).read_text()
    for one in (atlas, kept):
        assert [*one.parcels["name"][one.of_node[:3]]] == ["a", "b", "c"]
        assert one.of_node[3] == -1


def test_rounding_and_empty_background_are_said(tmp_path, caplog):
    grid = Grid(np.ones((4, 1, 1), dtype=bool), np.eye(4))
    values = np.float32([1.0000001, 1.9997, np.nan, -1]).reshape(4, 1, 1)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii.gz")
    atlas = read_atlas(find_atlas(str(tmp_path / "a.nii.gz")), grid)
    np.testing.assert_array_equal(atlas.of_node, [0, 1, -1, -1])
    for text in ("NaN was taken for background", "labels were rounded", "negative values were taken for background"):
        assert text in caplog.text


@pytest.mark.parametrize(("values", "fragment"), [([0, 0, 0, 0], "holds no label"), ([1, 1.5, 2, 0], "whole-number")])
def test_images_without_whole_labels(tmp_path, values, fragment):
    nib.save(nib.Nifti1Image(np.float32(values).reshape(4, 1, 1), np.eye(4)), tmp_path / "a.nii.gz")
    with pytest.raises(DataError, match=fragment):
        read_atlas(find_atlas(str(tmp_path / "a.nii.gz")), Grid(np.ones((4, 1, 1), dtype=bool), np.eye(4)))
