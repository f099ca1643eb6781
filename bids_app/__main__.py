"""``python -m bids_app``."""

import sys

from bids_app.cli import main

sys.exit(main())
