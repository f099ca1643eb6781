#!/usr/bin/env python3
"""Run trialgraph from a checkout or in the image, where nothing is installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bids_app.__main__ import run

if __name__ == "__main__":
    run()
