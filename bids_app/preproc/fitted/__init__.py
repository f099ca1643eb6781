"""What fMRIPrep fitted and left unapplied, at its levels minimal and resampling, applied to the raw scans.

`fit` and `dataset` know the names of files and nothing heavy, `runs` puts fits beside raw scans, the rest are steps.
"""
