import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data():
    """Real data that lies beside the checkout, or where TRIALGRAPH_SHARED says."""
    folder = Path(os.environ.get("TRIALGRAPH_SHARED", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder
