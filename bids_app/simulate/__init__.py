"""Simulate a small randomized trial with a known answer."""

from bids_app.simulate.brain import PlantedRegion
from bids_app.simulate.trial import SimulatedTrial, simulate_trial

__all__ = ["PlantedRegion", "SimulatedTrial", "simulate_trial"]
