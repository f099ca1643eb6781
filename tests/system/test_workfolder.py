"""The work folder: private, kept for who resumes, and never removed where a run did not make it."""

import os
import stat
from pathlib import Path

import pytest
from conftest import SMALL

from bids_app.cli.main import main
from bids_app.errors import OutputError
from bids_app.system.work_folder import MARK, private_folder, working_in

OTHER_USER = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")


@pytest.fixture
def shared(tmp_path):
    """A folder that everybody can write to, as /tmp."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def test_a_folder_that_others_can_write_to_is_not_trusted(shared, capsys):
    planted = shared / "cache" / "numba"
    planted.mkdir(parents=True)
    folder = private_folder(shared)
    assert folder.parent == shared
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert str(folder) in capsys.readouterr().err
    assert private_folder(shared) == folder


def test_a_folder_that_another_call_takes_away_meanwhile_is_made_again(tmp_path, monkeypatch):
    """The last of the calls that share OUTPUT_DIR/work removes it as another one begins."""
    plain, vanished, folder = Path.mkdir, [], tmp_path / "work" / "one"

    def mkdir(self, mode=0o777, parents=False, exist_ok=False):
        if self == folder and len(vanished) < 4:
            vanished.append(self)
            raise FileNotFoundError(2, "No such file or directory", str(self))
        plain(self, mode, parents, exist_ok)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    assert private_folder(folder).is_dir()
    assert len(vanished) == 4


def test_a_folder_of_ones_own_is_used_as_it_is(tmp_path, capsys):
    assert private_folder(tmp_path / "work") == tmp_path / "work"
    assert capsys.readouterr().err == ""


@as_root
def test_what_another_user_left_is_refused(tmp_path):
    planted = tmp_path / "cache" / "numba" / "kernel.nbi"
    planted.parent.mkdir(parents=True)
    planted.write_bytes(b"pickle")
    os.chown(planted, OTHER_USER, OTHER_USER)
    with pytest.raises(OutputError, match="belongs to another user"):
        private_folder(tmp_path)


@as_root
def test_a_folder_of_another_user_is_not_trusted(tmp_path):
    os.chown(tmp_path, OTHER_USER, OTHER_USER)
    assert private_folder(tmp_path).parent == tmp_path


@as_root
@pytest.mark.parametrize("kind", ["of another user", "a link", "open to all"])
def test_a_private_folder_that_somebody_else_prepared_is_refused(shared, tmp_path, kind):
    prepared = shared / f"trialgraph-uid{os.geteuid()}"
    if kind == "a link":
        (tmp_path / "elsewhere").mkdir()
        prepared.symlink_to(tmp_path / "elsewhere")
        os.chown(prepared, OTHER_USER, OTHER_USER, follow_symlinks=False)
    else:
        prepared.mkdir()
        os.chown(prepared, OTHER_USER if kind == "of another user" else 0, -1)
        prepared.chmod(0o777 if kind == "open to all" else 0o755)
    with pytest.raises(OutputError, match="belongs to another user or can be changed by others"):
        private_folder(shared)


def test_the_run_works_where_it_is_private(trial, app, shared, tmp_path):
    outcome = app(trial.bids, tmp_path / "out", "participant", *SMALL, "-w", shared)
    assert outcome.code == 0, outcome.said
    assert sorted(path.name for path in shared.iterdir()) == [f"trialgraph-uid{os.geteuid()}"]


def test_the_demo_leaves_the_folders_of_the_user_alone(tmp_path):
    kept = {tmp_path / "work" / "thesis.txt", tmp_path / "sourcedata" / "trial" / "mine.txt"}
    for path in kept:
        path.parent.mkdir(parents=True)
        path.write_text("years of work")
    assert main(["demo", str(tmp_path)]) == 64
    assert set(tmp_path.rglob("*.txt")) == kept


@pytest.mark.parametrize("left", [(), ("notes.txt",)])
def test_only_what_a_run_made_is_removed(tmp_path, left):
    folder = tmp_path / "work"
    for name in left:
        folder.mkdir()
        (folder / name).touch()
    private_folder(folder)
    assert (folder / MARK).exists() is not bool(left)


def test_a_run_that_went_well_leaves_no_work_folder(trial, app, tmp_path):
    assert app(trial.bids, tmp_path / "out", "participant", *SMALL).code == 0
    left = [path for path in (tmp_path / "out" / "work").rglob("*") if path.is_file() and path.name != MARK]
    assert {path.parts[len(tmp_path.parts) + 2].partition("-")[0] for path in left} <= {"participant"}  # goes at exit


@pytest.mark.parametrize("call", ["pages", "refused"])
def test_what_a_killed_run_had_computed_is_kept_for_its_resume(finished, app, tmp_path, call):
    trial, *_ = finished
    out = tmp_path / "out"
    assert app(trial.bids, out, "participant", *SMALL, "--participant-label", "01").code == 0
    (work,) = (out / "work").glob("participant-*")
    before = sorted(path for path in work.rglob("result_*"))
    assert before
    more = ("--reports-only",) if call == "pages" else ("--atlas", tmp_path / "nothing.nii.gz")
    code = app(trial.bids, out, "participant", *SMALL, "--participant-label", "01", *more).code
    assert (code == 0) is (call == "pages")
    assert sorted(path for path in work.rglob("result_*")) == before


def test_a_refused_call_removes_what_it_made_itself(tmp_path):
    from bids_app.errors import UsageError

    folder = private_folder(tmp_path / "work")
    before = Path.cwd()
    with pytest.raises(UsageError), working_in(folder, keep=False):
        raise UsageError("no")
    assert Path.cwd() == before
