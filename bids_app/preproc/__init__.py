"""Raw scans preprocessed: the level, its workflow, and the steps, which take arrays and images.

Only `level`, `dataset`, `files` and `raw_runs` know of BIDS.
"""
