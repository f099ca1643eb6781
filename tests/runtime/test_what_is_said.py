"""What a run says of itself: how far it is, what failed and why, where to look, and its exit code."""

import io
import json
import logging
import random
import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bids_app import __version__, errors
from bids_app.cli.main import keep_traceback
from bids_app.errors import TrialgraphError
from bids_app.runtime.failures import Failure, read_failures
from bids_app.runtime.logs import conclude, log_to_terminal, start_log
from bids_app.runtime.nipype_run import node_name
from bids_app.runtime.progress import progress
from bids_app.settings.settings import Settings

LINE = re.compile(r"(\d+) of (\d+) done, last (\w+) after \d+ s")


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=9), seed=st.integers(0, 99))
def test_progress_counts_each_scan_once_by_name_and_ends_with_all(sizes, seed):
    names = [f"top.scan{number}_wf.step{step}" for number, size in enumerate(sizes) for step in range(size)]
    random.Random(seed).shuffle(names)
    stream = io.StringIO()
    with progress(names, stream) as advance:
        for name in names:
            advance(name)
    ends = sorted(range(len(sizes)), key=lambda n: max(names.index(name) for name in names if f".scan{n}_" in name))
    tenths = [n for n in range(1, len(sizes) + 1) if n * 10 // len(sizes) > (n - 1) * 10 // len(sizes)]
    said = [LINE.fullmatch(line).groups() for line in stream.getvalue().splitlines()]
    assert said == [(str(n), str(len(sizes)), f"scan{ends[n - 1]}") for n in tenths]
    assert tenths[-1] == len(sizes)


KNOWN = sorted(kind.__name__ for kind in TrialgraphError.__subclasses__())


def crash(folder, name, text):
    (folder / f"crash-{name}.txt").write_text(text)


@pytest.mark.parametrize("kind", KNOWN)
def test_a_crash_of_ours_has_its_message_and_code(tmp_path, kind):
    raised = f"{errors.__name__}.{kind}: bold.nii.gz is empty (0 bytes)."
    crash(tmp_path, "1", f"Node: top.scan_wf.clean\nWorking directory: /x\n\nTraceback:\n  File x\n{raised}\n")
    (failure,) = read_failures(tmp_path)
    assert failure.node == "top.scan_wf.clean"
    assert failure.message == "bold.nii.gz is empty (0 bytes)."
    assert failure.exit_code == getattr(errors, kind).exit_code
    assert failure.crash_file == tmp_path / "crash-1.txt"


def test_of_an_error_that_led_to_another_the_last_is_told(tmp_path):
    first, last = (f"{errors.__name__}.{kind}: {kind}." for kind in ("MissingInputError", "DataError"))
    crash(tmp_path, "1", f"Node: a.b\n{first}\n\nDuring handling of the above exception:\n\n{last}\n")
    assert [(one.message, one.exit_code) for one in read_failures(tmp_path)] == [("DataError.", 65)]


@pytest.mark.parametrize(
    ("text", "node", "code", "said"),
    [
        ("Node: a.b\nOSError: [Errno 28] No space left on device: 'x.npy'\n", "a.b", 73, "cannot take more"),
        ("Node: a.b\nOSError: [Errno 13] Permission denied: 'x'\n", "a.b", 1, "an error of the app"),
        ("Node: a.b\nTraceback\nKeyError: 'x'\n\n", "a.b", 1, "KeyError: 'x' (an error of the app"),
        ("", "crash-1", 1, "what failed was not kept"),
        ("Node:", "crash-1", 1, "an error of the app"),
        ("\n \n", "crash-1", 1, "what failed was not kept"),
    ],
)
def test_a_crash_of_the_machine_or_the_app_is_told_apart(tmp_path, text, node, code, said):
    crash(tmp_path, "1", text)
    (failure,) = read_failures(tmp_path)
    assert (failure.node, failure.exit_code) == (node, code)
    assert said in failure.message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=300))
def test_any_crash_file_is_read(tmp_path, text):
    (tmp_path / "crash-1.txt").write_bytes(text.encode("utf-8", "replace"))
    (failure,) = read_failures(tmp_path)
    assert failure.message
    assert failure.node


def test_crashes_are_read_in_order_and_nothing_else_is(tmp_path):
    for name in ("2", "10", "1"):
        crash(tmp_path, name, f"Node: n.{name}\nValueError\n")
    (tmp_path / "trialgraph.log").write_text("Node: other\n")
    assert [one.node for one in read_failures(tmp_path)] == ["n.1", "n.10", "n.2"]


@pytest.fixture
def terminal():
    """The logger as it was, afterwards."""
    logger = logging.getLogger("bids_app")
    before = logger.handlers[:], logger.level, logger.propagate, logging.raiseExceptions
    yield logger
    for handler in logger.handlers:
        handler.close()
    logger.handlers[:], logger.level, logger.propagate, logging.raiseExceptions = before


@pytest.mark.parametrize(
    ("codes", "expected"), [([], 0), ([65], 65), ([65, 65], 65), ([65, 66], 1), ([1, 75], 1), ([75, 75, 75], 75)]
)
def test_one_kind_of_failure_has_its_code_several_have_one(tmp_path, terminal, capsys, codes, expected):
    log_to_terminal()
    failures = [Failure("a.b", "x", code, tmp_path) for code in codes]
    assert conclude(failures, tmp_path / "gone.html", tmp_path / "logs") == expected
    said = capsys.readouterr().err
    assert "gone.html" not in said
    assert str(tmp_path / "logs") in said
    (tmp_path / "page.html").touch()
    conclude(failures, tmp_path / "page.html", tmp_path / "logs")
    assert f"Look at {tmp_path / 'page.html'}." in capsys.readouterr().err


@pytest.mark.parametrize("verbose", [0, 1, 3])
def test_details_are_shown_if_asked_for_and_each_message_once(terminal, capsys, verbose):
    for _ in range(3):
        log_to_terminal(verbose)
    terminal.debug("detail")
    terminal.info("message")
    said = capsys.readouterr().err.splitlines()
    assert said == (["detail", "message"] if verbose else ["message"])


def test_a_run_keeps_its_command_and_settings_without_the_places_of_this_machine(tmp_path, terminal, monkeypatch):
    monkeypatch.setattr("bids_app.runtime.logs.log_when_terminated", lambda log: log("last words"))
    monkeypatch.setattr(sys, "argv", ["trialgraph", str(tmp_path / "bids"), "--atlas", f"A={tmp_path}/a.nii.gz"])
    settings = Settings(tmp_path / "bids", tmp_path / "out", "participant", tmp_path / "work")
    first, second = start_log(settings), start_log(settings)
    assert first != second, "two calls in one second have each their own"
    assert "_participant_" in first.name
    terminal.debug("a detail")
    command = json.loads((second / "command.json").read_text())
    assert command == {"Command": ["trialgraph", "../bids", "--atlas", "A=../a.nii.gz"], "Version": __version__}
    kept = (second / "settings.json").read_text()
    assert str(tmp_path) not in kept
    assert json.loads(kept)["bids_dir"] == "../bids"
    log = (second / "trialgraph.log").read_text()
    assert "ERROR last words" in log
    assert "DEBUG a detail" in log
    assert "a detail" not in (first / "trialgraph.log").read_text()


@given(text=st.text(max_size=30))
def test_a_name_for_nipype_has_no_sign_that_it_refuses(text):
    name = node_name(text)
    assert len(name) == len(text)
    assert re.fullmatch(r"\w*", name)
    assert all(new == old for new, old in zip(name, text, strict=True) if new != "_")


def test_a_traceback_is_kept_in_the_logs_else_where_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr("bids_app.cli.main.gettempdir", lambda: str(tmp_path / "tmp"))
    assert keep_traceback("x", [str(tmp_path)]) == "what it said"
    (tmp_path / "tmp").mkdir()
    assert keep_traceback("text", [str(tmp_path)]).parent == tmp_path / "tmp"
    (tmp_path / "logs").mkdir()
    kept = keep_traceback("Ü text", [str(tmp_path)])
    assert kept.parent == tmp_path / "logs"
    assert kept.read_text(encoding="utf-8") == "Ü text"
    assert keep_traceback("text", []).parent == tmp_path / "tmp"
    assert isinstance(keep_traceback("text", ["/dev/null"]), Path)


def test_the_table_of_exit_codes_has_every_error():
    """Those of the execution specification of BIDS Apps and of sysexits.h."""
    page = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
    table = page[page.index("| exit code | meaning |") :].partition("\n\n")[0]
    told = set(map(int, re.findall(r"\| \[(\d+)\]\(", table)))
    assert {kind.exit_code for kind in TrialgraphError.__subclasses__()} <= told
    codes = {"InvalidDataset": 16, "UnknownLevel": 17, "Usage": 64, "Data": 65, "MissingInput": 66, "Output": 73}
    assert {name: getattr(errors, f"{name}Error").exit_code for name in codes} == codes
