"""What a table of a benchmark was measured on."""

import os
import subprocess
from pathlib import Path

from bids_app import __version__


def machine():
    """Return processor, how many of them, and the commit, in a line."""
    facts = Path("/proc/cpuinfo")
    models = [line.partition(": ")[2] for line in facts.read_text().splitlines() if line.startswith("model name")]
    wide = "AVX-512" if "avx512f" in facts.read_text() else "AVX2"
    command = ["git", "describe", "--always", "--dirty"]
    found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    commit = found.stdout.strip() or __version__
    return f"{models[0] if models else 'unknown processor'}, {wide}, {os.cpu_count()} processors, commit {commit}"
