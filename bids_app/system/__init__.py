"""The machine and its files: limits, locks, signals, work folders, small files, images, digests.

Nothing here knows of BIDS, of scans or of trials.
"""
