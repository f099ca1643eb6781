"""What places are called, against coordinates that any atlas has."""

import numpy as np
import pytest

from bids_app.space.places import IN_AAL, NEAREST, RADIUS, _spheres, atlas_words, nearest_sphere


@pytest.mark.parametrize(
    ("point", "name"),
    [
        ((-48, -63, 35), "Left angular gyrus"),
        ((51, -59, 34), "Right angular gyrus"),
        ((11, -12, 6), "Right thalamus"),
        ((-12, -12, 6), "Left thalamus"),
    ],
)
def test_a_known_place_has_its_name_and_side(point, name):
    found = nearest_sphere(np.array(point, float), "MNI152NLin2009cAsym")
    assert found.name == name
    assert found.by == NEAREST
    assert found.distance <= RADIUS


def test_the_distance_is_that_to_the_nearest_of_all_and_beyond_the_sphere_the_name_says_near():
    spheres = _spheres()
    centres = spheres[["x", "y", "z"]].to_numpy(float)
    for point in np.random.default_rng(0).uniform([-60, -90, -30], [60, 60, 70], (50, 3)):
        found = nearest_sphere(point)
        distances = np.sqrt(((centres - point) ** 2).sum(axis=1))
        assert found.distance == pytest.approx(distances.min(), abs=0.051)
        assert found.name.startswith("Near ") == (distances.min() > RADIUS)
        assert found.name.lower().endswith(spheres["words"].iloc[distances.argmin()].lower())


def test_every_sphere_with_a_side_says_it_and_no_abbreviation_is_left():
    spheres = _spheres()
    assert len(spheres) == 160
    assert all(("left" in words) == (x < -4) for words, x in zip(spheres["words"], spheres["x"], strict=True))
    assert all(("right" in words) == (x > 4) for words, x in zip(spheres["words"], spheres["x"], strict=True))
    assert all(words == words.lower() for words in spheres["words"])


def test_in_a_space_that_is_not_of_mni_a_place_is_its_coordinates():
    found = nearest_sphere(np.array([-4.2, 0, 31.6]), "T1w")
    assert (found.name, found.distance) == ("At −4, 0, 32", None)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("Angular_L", "left angular gyrus"),
        ("Frontal_Inf_Oper_R", "right inferior frontal gyrus, opercular part"),
        ("Temporal_Mid_R", "right middle temporal gyrus"),
        ("Temporal_Pole_Mid_L", "left temporal pole, middle part"),
        ("Parietal_Inf_L", "left inferior parietal lobule"),
        ("Thalamus_R", "right thalamus"),
        ("Supp_Motor_Area_R", "right supplementary motor area"),
        ("Heschl_L", "left Heschl's gyrus"),
        ("Cerebelum_4_5_L", "left cerebellum 4-5"),
        ("Cerebelum_Crus1_R", "right cerebellum crus 1"),
        ("Vermis_10", "vermis 10"),
        ("Paracentral_Lobule_R", "right paracentral lobule"),
    ],
)
def test_a_label_of_aal_is_said_as_anatomists_do(label, words):
    assert atlas_words(label) == words


def test_no_two_labels_of_aal_are_called_alike():
    assert len(set(IN_AAL.values())) == len(IN_AAL)
    assert not any("_" in words for words in IN_AAL.values())
