"""Simulate a small study with a known answer."""

from bids_app.simulate.brain import PlantedRegion
from bids_app.simulate.scenarios import SCENARIOS, Answer, Scenario
from bids_app.simulate.trial import SimulatedTrial, simulate_trial

__all__ = ["SCENARIOS", "Answer", "PlantedRegion", "Scenario", "SimulatedTrial", "simulate_trial"]
