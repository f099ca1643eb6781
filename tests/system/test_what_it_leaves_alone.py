"""The environment, digests and states of files, and paths that are given to others."""

import hashlib
import json
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bids_app.errors import BusyError, OutputError, TrialgraphError, full_disk
from bids_app.settings.atlas_source import find_atlas
from bids_app.system.environment import limit_threads_of_children, write_only_in
from bids_app.system.locks import alone_in, turn_in
from bids_app.system.provenance import (
    digest_of_file,
    digests_of,
    files_of,
    files_of_atlas,
    quick_state,
    shareable,
    state_of,
)

WRITING = (
    "HOME",
    "NUMBA_CACHE_DIR",
    "MPLCONFIGDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "TMPDIR",
    "NIPYPE_CONFIG_DIR",
)


@pytest.fixture
def environ(monkeypatch):
    """An environment of one's own, in which nothing says where to write."""
    own = {"PATH": os.environ["PATH"], "USER": "somebody"}
    monkeypatch.setattr(os, "environ", own)
    return own


def test_libraries_write_in_the_work_folder_and_nowhere_else(environ, tmp_path):
    write_only_in(tmp_path / "work")
    for variable in WRITING:
        folder = Path(environ[variable])
        assert folder.is_dir()
        assert folder.is_relative_to(tmp_path / "work" / "cache"), variable
    assert "CRITICAL" in (Path(environ["NIPYPE_CONFIG_DIR"]) / "nipype.cfg").read_text()
    assert (environ["MPLBACKEND"], environ["NO_ET"], environ["USER"]) == ("agg", "1", "somebody")
    assert environ["LOGNAME"] == f"uid{os.getuid()}"


@pytest.mark.parametrize("given", ["writable", "missing", "relative", "a file"])
def test_a_folder_that_the_caller_names_is_kept_if_it_can_be_written(environ, tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "own"
    if given != "missing":
        own.mkdir() if given != "a file" else own.touch(mode=0o644)
    environ |= {"NUMBA_CACHE_DIR": "own" if given == "relative" else str(own), "LOGNAME": "me"}
    if given == "a file" and os.geteuid() != 0:
        own.chmod(0o600)
    write_only_in(tmp_path / "work")
    kept = environ["NUMBA_CACHE_DIR"] == str(own)
    assert kept is (given == "writable")
    assert kept or environ["NUMBA_CACHE_DIR"] == str(tmp_path / "work" / "cache" / "numba")
    assert environ["LOGNAME"] == "me"
    assert environ["MPLCONFIGDIR"].startswith(str(tmp_path / "work"))


def test_a_work_folder_that_cannot_be_made_is_said(environ, tmp_path):
    (tmp_path / "work").write_text("a file")
    with pytest.raises(OutputError, match=r"work folder .*work cannot be written: Not a directory"):
        write_only_in(tmp_path / "work")
    assert not set(environ) & {*WRITING, "MPLBACKEND", "NO_ET"}, "nothing was changed"


@pytest.mark.parametrize("n_threads", [1, 3])
def test_registration_has_one_thread_whatever_the_others_have(environ, n_threads):
    limit_threads_of_children(n_threads)
    assert environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] == "1"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        assert environ[name] == str(n_threads)


def test_a_folder_is_lent_to_one_and_again_when_it_is_given_back(tmp_path):
    with alone_in(tmp_path):
        with pytest.raises(BusyError, match="on the same participants"), alone_in(tmp_path):
            raise AssertionError
        with pytest.raises(BusyError, match="not now"), alone_in(tmp_path, busy="not now"):
            raise AssertionError
    with pytest.raises(ZeroDivisionError), alone_in(tmp_path):
        _ = 1 / 0
    with alone_in(tmp_path), alone_in(tmp_path.parent):
        pass


def test_turns_are_taken_one_after_the_other(tmp_path):
    inside, most = [], []

    def work():
        with turn_in(tmp_path):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.002)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 20


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=3000))
def test_a_digest_is_sha256_of_the_bytes(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    assert digest_of_file(path) == hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Run:
    entities: dict
    bold: Path
    mask: Path | None
    table: Path
    seconds: float


def test_files_of_a_run_are_its_paths_and_those_that_are_there_have_digests(tmp_path):
    run = Run({"sub": "1"}, tmp_path / "bold.nii", None, tmp_path / "gone.tsv", 2.0)
    run.bold.write_bytes(b"x")
    assert files_of(run) == [run.bold, run.table]
    assert digests_of(run) == {"bold.nii": hashlib.sha256(b"x").hexdigest()}
    assert state_of([run.bold, run.table]) == [quick_state(run.bold)]


def rewrite(path):
    path.write_bytes(b"abd")


def touch(path):
    os.utime(path, ns=(1, 1))


def replace(path):
    path.with_name("other").write_bytes(b"abc")
    path.with_name("other").replace(path)


@pytest.mark.parametrize("change", [rewrite, touch, replace])
@pytest.mark.parametrize("within", [True, False])
def test_the_state_of_a_file_or_folder_changes_with_it(tmp_path, change, within):
    path = tmp_path / "deep" / "x"
    path.parent.mkdir()
    path.write_bytes(b"abc")
    seen = tmp_path if within else path
    before = quick_state(seen)
    assert quick_state(seen) == before
    change(path)
    assert quick_state(seen) != before


def test_a_late_change_of_the_same_size_and_date_is_noticed(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(bytes(3 * 2**20))
    before, found = quick_state(path), path.stat()
    time.sleep(0.02)  # the clock of the kernel ticks every few milliseconds
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert path.stat().st_mtime_ns == found.st_mtime_ns
    assert quick_state(path) != before


@pytest.mark.parametrize("how", ["another file", "another name", "a file less"])
def test_the_state_of_a_folder_changes_with_what_is_in_it(tmp_path, how):
    (tmp_path / "a").write_text("1")
    before = quick_state(tmp_path)
    if how == "another file":
        (tmp_path / "b").touch()
    elif how == "another name":
        (tmp_path / "a").rename(tmp_path / "b")
    else:
        (tmp_path / "a").unlink()
    assert quick_state(tmp_path) != before


def test_a_pipe_has_a_state_and_nobody_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert quick_state(tmp_path / "pipe")


def test_files_of_an_atlas_are_its_image_what_lies_beside_and_its_labels(tmp_path):
    for name in ("a.nii.gz", "a.tsv", "a.json", "ab.tsv", "names.txt"):
        (tmp_path / name).touch()
    plain = find_atlas(str(tmp_path / "a.nii.gz"))
    assert [path.name for path in files_of_atlas(plain)] == ["a.nii.gz", "a.json", "a.tsv"]
    labelled = find_atlas(f"{tmp_path / 'a.nii.gz'}:{tmp_path / 'names.txt'}")
    assert "names.txt" in [path.name for path in files_of_atlas(labelled)]
    assert files_of_atlas(None) == []
    assert files_of_atlas(find_atlas("power")) == [], "what a library carries goes with its version"


WORD = st.text(alphabet="abcXYZ09-_ .äß", min_size=1, max_size=8).filter(lambda word: word.strip(". ") == word)
PATHS = st.lists(WORD, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
OUT = Path("/home/user/study/out")


@given(path=PATHS, before=st.sampled_from(["", "A=", "A=x:", "a,", "a+"]))
def test_a_shared_path_leads_to_the_same_place_from_the_output_folder(path, before):
    """And nothing of where the output lies is in it, but for what the two have in common."""
    shared = shareable(before + path, OUT)
    assert shared.startswith(before)
    relative = shared.removeprefix(before)
    assert not relative.startswith("/")
    assert os.path.normpath(OUT / relative) == os.path.normpath(path)


@given(
    content=st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | WORD | PATHS, st.lists, max_leaves=6)
)
def test_shared_content_keeps_its_shape_and_what_is_no_path(content):
    shared = shareable({"a": content, "b": (content,)}, OUT)
    assert list(shared) == ["a", "b"]
    assert shared["b"] == [shared["a"]]
    assert "/home/user" not in json.dumps(shared)
    if isinstance(content, str) and not content.startswith("/"):
        assert shared["a"] == content
    assert shareable(shared, OUT) == shared, "what is relative stays"


@given(text=st.text(max_size=60))
def test_a_message_is_one_line_that_keeps_its_words(text):
    assert str(TrialgraphError(text)).split() == text.split()
    assert len(str(TrialgraphError(text)).splitlines()) <= 1


@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT", "EFBIG"])
def test_a_full_disk_is_known_by_what_the_system_says(code):
    import errno

    number = getattr(errno, code)
    assert full_disk(str(OSError(number, os.strerror(number), "x.nii"))) == os.strerror(number)
    assert full_disk(str(OSError(errno.EACCES, os.strerror(errno.EACCES)))) is None
