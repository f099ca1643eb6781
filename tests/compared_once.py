"""The group level of a module's own small trial, run once for all its tests."""

import pytest


def once(*words):
    """Return two fixtures for a module with a fixture `trial`: where its results are, and the outcome of a run."""

    @pytest.fixture(scope="module")
    def out(trial):
        return trial.bids.parent / "out"

    @pytest.fixture(scope="module")
    def compared(trial, out, app):
        outcome = app(trial.bids, out, "group", *words)
        assert outcome.code == 0, outcome.said
        return outcome

    return out, compared
