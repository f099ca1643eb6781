"""Susceptibility distortion of raw scans: which field map is meant, what it measured, and how far it shifts the signal.

Only `found` knows of BIDS.
"""
