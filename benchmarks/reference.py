"""Renew what `trialgraph verify` holds installations against, after a change that is meant to change numbers.

    python -m benchmarks.reference

Says first what is not as it was, and by how much: that belongs into CHANGES.md.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bids_app.cli.reference_values import HASHES, differences, keep, kept_outputs
from bids_app.system.machine import available_cpus
from bids_app.system.work_folder import private_folder, working_in


def main():
    with TemporaryDirectory() as name, working_in(private_folder(Path(name) / "work"), keep=True):
        from bids_app.cli.verify import recomputed, tell

        found = recomputed(Path(name), available_cpus())
    if HASHES.exists():
        tell(list(differences(kept_outputs()[0], found)), {})
    keep(found)


if __name__ == "__main__":
    sys.exit(main())
