# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for every test of the project.

- The last line of a run is "N passed, N failed, N skipped"; an error is a failure.
- A skip is a failure, unless ng.needs_kernel() made it, which names what the kernel lacks.
- What a run leaves behind (namespaces, tables, processes, files) is a failure.
- A test that hangs is a failure after PHASE_S seconds, and the run goes on.
"""
import atexit
import collections
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))
sys.dont_write_bytecode = True

ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: see our_processes()
# Everything that a test writes goes into this folder.
TEMP = pathlib.Path(tempfile.mkdtemp(prefix=f"ng-tests-{os.getpid()}-"))
# Registered before pytest's own, so run after it.
atexit.register(shutil.rmtree, TEMP, ignore_errors=True)
TEMP.chmod(0o755)  # some tests act as nobody
os.umask(0o022)  # also where somebody has another
os.environ["TMPDIR"] = tempfile.tempdir = str(TEMP)
# A sensor of the machine must not lend its settings to the one under test.
for variable in ("NG_CONFIG", "NG_IFACE", "NG_SENSOR", "NG_COLLECTOR_URL", "http_proxy", "https_proxy", "HTTP_PROXY",
                 "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
    os.environ.pop(variable, None)

from lib import ng  # noqa: E402  (after the environment is set)

# Far above what any test needs on a loaded machine: nothing is measured by it.  A file may have a PHASE_S of its own.
PHASE_S = int(os.environ.get("NG_TEST_PHASE_S", "300"))

outcomes = {}
leftovers = []
shown = []  # figures that a test gives to say(): a run prints them, also when all is well


def lines_of(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.splitlines()


def our_processes():
    """Everything that this session started and that lives.  Whoever loses its parent becomes our child: nothing escapes,
    and what another session runs from the same build folder is not counted."""
    found = {}
    for pid, name in ng.processes(os.getpid()).items():
        if pid != os.getpid():
            with contextlib.suppress(OSError):
                command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                found[pid] = command or name
    return found


def our_tables():
    return {line for line in lines_of("nft", "list", "tables") if "net_gazer" in line}


def our_files():
    return {str(p) for folder in ("/tmp", "/run", "/var/tmp") for p in pathlib.Path(folder).glob("net-gazer*")}


BEFORE = (set(our_processes()), our_tables(), our_files())


def left_behind():
    found = []
    found += [f"process {pid}: {command}" for pid, command in our_processes().items() if pid not in BEFORE[0]]
    found += [f"namespace {line}" for line in lines_of("ip", "netns", "list") if line.startswith(f"ngt{os.getpid()}-")]
    found += [f"nft {line}" for line in our_tables() - BEFORE[1]]
    found += [f"file {path}" for path in our_files() - BEFORE[2]]
    found += [f"file {path}" for path in TEMP.iterdir() if not path.name.startswith("pytest-of-")]
    return found


def pytest_collection_modifyitems(items):
    # The cheap ones first: whoever broke the build learns it in seconds.
    order = ["test_units", "test_replay"]
    items.sort(key=lambda i: next((n for n, w in enumerate(order) if w in i.nodeid), len(order)))


@pytest.fixture(name="say")
def say_at_the_end(record_property):
    def say(text):
        record_property("shown", text)
        print(text)
    return say


class Hung(BaseException):
    """Not an Exception: a test that catches everything else must not catch this."""


@contextlib.contextmanager
def bounded(item):
    limit = getattr(item.module, "PHASE_S", PHASE_S)

    def on_alarm(*_):
        raise Hung(f"hung for {limit} s")
    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(limit)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    with bounded(item):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    with bounded(item):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    with bounded(item):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.outcome == "skipped" or hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if reason not in {f"Skipped: kernel lacks {feature}" for feature in ng.lacking()} or hasattr(report, "wasxfail"):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: skipped, which only needs_kernel() may do: {reason}"
            if hasattr(report, "wasxfail"):
                del report.wasxfail


def pytest_runtest_logreport(report):
    known = outcomes.get(report.nodeid)
    if report.failed or known == "failed":
        outcomes[report.nodeid] = "failed"
    elif report.skipped:
        outcomes[report.nodeid] = "skipped"
    elif report.when == "call" and report.passed:
        outcomes[report.nodeid] = "passed"
    if report.when == "call":
        shown.extend(text for name, text in report.user_properties if name == "shown")


@pytest.hookimpl(tryfirst=True)
def pytest_collectreport(report):
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: a whole file was skipped, which nothing may do"
    if report.failed:
        outcomes[report.nodeid] = "failed"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    end = time.monotonic() + 5
    while (found := left_behind()) and time.monotonic() < end:
        time.sleep(0.1)
    leftovers.extend(found)
    cut_short = session.exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    if cut_short and "failed" not in outcomes.values():
        outcomes["the run"] = "failed"  # interrupted, an error of pytest's own, or no test at all
    if found and session.exitstatus == 0:
        session.exitstatus = 1


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or config.option.collectonly:
        return
    for line in leftovers:
        terminal.write_line(f"left behind: {line}", red=True)
    if leftovers:
        outcomes["left behind"] = "failed"
    count = collections.Counter(outcomes.values())
    terminal.ensure_newline()
    for line in shown:
        terminal.write_line(f"| {line}")
    terminal.write_line(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    terminal.flush()
