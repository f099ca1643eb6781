"""The participant level: from a preprocessed scan to its maps, tables and figures.

The interfaces load, call one function and save; arithmetic is in `graph`.
"""
