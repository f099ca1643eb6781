"""The same bytes on every processor: numerics in processes of which the libraries take this one for another.

The short form is what compiled code of libraries does by the processor; that of our own kernels takes as long as to
compile them anew, and is with the whole of `trialgraph verify` in the long form.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NO_AVX512 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"
AVX2 = "+avx2,+avx,+fma,+bmi,+bmi2,+popcnt,+sse4.2,+sse4.1,+ssse3,+sse3,+lzcnt,+f16c,+cx16,+movbe"
ELSEWHERE = {
    "haswell": {
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": NO_AVX512,
        "OMP_NUM_THREADS": "2",
        "N_THREADS": "2",
        "PYTHONHASHSEED": "5",
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
    },
    "prescott": {
        "OPENBLAS_CORETYPE": "Prescott",
        "NPY_DISABLE_CPU_FEATURES": f"{NO_AVX512} AVX2 FMA3",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "7",
        "LC_ALL": "de_DE.UTF-8",
    },
}
COMPILED = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": AVX2}
THOROUGH = int(os.environ.get("TRIALGRAPH_THOROUGH", "0"))
NUMERICS = Path(__file__).parents[1] / "numerics.py"


def digests(environment):
    """Run the numerics in a process of its own; return the digest of each result, as files have it."""
    words = [sys.executable, NUMERICS]
    done = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def here():
    return digests({})


@pytest.mark.parametrize("where", ELSEWHERE)
def test_numerics_are_the_same_bytes_by_other_code_of_libraries(here, where):
    found = digests(ELSEWHERE[where])
    assert len(here) > 40
    assert [name for name in here if found[name] != here[name]] == []


@pytest.mark.skipif(not THOROUGH, reason="minutes, to compile every kernel anew: TRIALGRAPH_THOROUGH=1")
def test_numerics_are_the_same_bytes_by_kernels_for_another_processor(here, tmp_path):
    found = digests({**COMPILED, "NUMBA_CACHE_DIR": str(tmp_path)})
    assert [name for name in here if found[name] != here[name]] == []
