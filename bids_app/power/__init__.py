"""The size of a trial, planned with the analysis that will be run, from the maps of a study or a pilot.

Who was given what is not read.
"""
