# SPDX-License-Identifier: GPL-2.0-or-later
"""The harness itself (conftest.py): what counts as passed, failed and skipped, and what is found left behind."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys

from lib import ng

SOME = '''
import subprocess
import pytest
from lib import ng

ng.FEATURES["teleport"] = lambda: False

def test_good():
    pass

def test_bad():
    assert 1 == 2

@pytest.fixture
def broken():
    raise OSError("no")

def test_error(broken):
    pass

@pytest.fixture
def breaks_later():
    yield
    raise OSError("no")

def test_error_at_the_end(breaks_later):
    pass

def test_lazy():
    pytest.skip("not today")

@pytest.mark.skip(reason="kernel lacks courage")
def test_marked():
    pass

@pytest.mark.xfail
def test_expected():
    assert 0

def test_honest_skip():
    ng.needs_kernel("teleport")

def test_wrong_feature():
    ng.needs_kernel("telepathy")
'''


def run(folder, text, name="test_some.py"):
    folder.mkdir()
    (folder / "conftest.py").symlink_to(ng.TOP / "tests/conftest.py")
    (folder / name).write_text(text, encoding="ascii")
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)], cwd=folder,
                          capture_output=True, text=True, check=False, env={**os.environ, "O": str(ng.BUILD)})


def last_line(done):
    return done.stdout.splitlines()[-1]


def kill_left_behind(said):
    for line in said.splitlines():
        if line.startswith("left behind: process"):
            os.kill(int(line.split()[3].rstrip(":")), 9)


def test_counts(tmp_path):
    done = run(tmp_path / "t", SOME)
    assert last_line(done) == "1 passed, 7 failed, 1 skipped", done.stdout
    assert done.returncode != 0


def test_all_good(tmp_path):
    done = run(tmp_path / "t", "def test_a():\n    pass\n")
    assert last_line(done) == "1 passed, 0 failed, 0 skipped" and done.returncode == 0


def test_a_run_that_is_cut_short(tmp_path):
    done = run(tmp_path / "a", "def test_a():\n    pass\ndef test_b():\n    raise KeyboardInterrupt\n")
    assert last_line(done) == "1 passed, 1 failed, 0 skipped" and done.returncode != 0, done.stdout
    done = run(tmp_path / "b", "")
    assert last_line(done) == "0 passed, 1 failed, 0 skipped" and done.returncode != 0, done.stdout


def test_no_file_may_be_skipped_or_broken(tmp_path):
    done = run(tmp_path / "a", "import pytest\npytest.skip('no', allow_module_level=True)\n")
    assert last_line(done) == "0 passed, 1 failed, 0 skipped" and done.returncode != 0, done.stdout
    done = run(tmp_path / "b", "import nothing_of_that_name\n")
    assert last_line(done) == "0 passed, 1 failed, 0 skipped" and done.returncode != 0


def test_hang(tmp_path, monkeypatch):
    """It fails, the next one runs."""
    monkeypatch.setenv("NG_TEST_PHASE_S", "1")
    done = run(tmp_path / "t", '''
import threading
def test_a():
    try:
        threading.Event().wait(60)
    except Exception:
        pass
def test_b():
    pass
''')
    assert last_line(done) == "1 passed, 1 failed, 0 skipped" and "hung for 1 s" in done.stdout, done.stdout


def test_left_behind(tmp_path):
    done = run(tmp_path / "t", '''
import subprocess, tempfile
from lib import net
def test_a():
    subprocess.Popen(["sleep", "60"])
    net.Ns("forgotten")
    tempfile.mkdtemp()
''')
    try:
        assert last_line(done) == "1 passed, 1 failed, 0 skipped" and done.returncode != 0
        for what in ("process ", "sleep 60", "namespace ngt", "-forgotten", "file /"):
            assert what in done.stdout, done.stdout
    finally:
        kill_left_behind(done.stdout)
        for line in done.stdout.splitlines():
            if line.startswith("left behind: namespace"):
                subprocess.run(["ip", "netns", "del", line.split()[3]], check=True)


def run_check(folder, files, **kw):
    """tests/run-check on a folder of files {name: text}."""
    folder.mkdir()
    (folder / "conftest.py").symlink_to(ng.TOP / "tests/conftest.py")
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text, encoding="ascii")
    return subprocess.Popen([ng.TOP / "tests/run-check", "--jobs", "3", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, env={**os.environ, "O": str(ng.BUILD)}, **kw)


# Each waits until all three run.
MEET = '''
import os, pathlib, subprocess
from lib import ng
HERE = pathlib.Path(__file__).parent
def test_meet():
    (HERE / "%s").touch()
    ng.wait_for("all three", lambda: {"a", "b", "c"} <= set(os.listdir(HERE)))
    print("that is %s")
    %s
'''
# Not at the beginning of a line here: this file itself is not one.
ALONE = 'ALONE = "to look at its neighbours"\n' + '''
import os, pathlib
def test_alone():
    runner = os.getppid()
    assert pathlib.Path(f"/proc/{runner}/task/{runner}/children").read_text().split() == [str(os.getpid())]
def test_at_the_end():
    assert set("abc") <= set(os.listdir(os.path.dirname(__file__)))
'''


def test_files_at_the_same_time(tmp_path):
    """Three meet.  One fails and is shown whole, one leaves something behind and is the one that is told, the third has nothing to
    say; a fourth is alone; a fifth takes its pytest with it."""
    p = run_check(tmp_path / "t", {
        "a": MEET % ("a", "a", "assert 1 == 2"), "b": MEET % ("b", "b", 'subprocess.Popen(["sleep", "60"])'),
        "c": MEET % ("c", "c", "pass"), "alone": ALONE,
        "dies": "import os\ndef test_good():\n    pass\ndef test_dies():\n    os.kill(os.getpid(), 9)\n"})
    said = p.communicate(timeout=200)[0]
    kill_left_behind(said)
    for folder in pathlib.Path(os.environ["TMPDIR"]).glob("ng-tests-*"):  # of the one that died
        shutil.rmtree(folder)
    assert p.returncode == 1 and said.splitlines()[-1] == "4 passed, 3 failed, 0 skipped", said
    assert "that is a" in said and "that is c" not in said
    parts = {part.split(":")[0].rsplit("/", 1)[-1]: part for part in said.split("=" * 20 + " ") if ": exit status " in part}
    assert set(parts) == {"test_a.py", "test_b.py", "test_dies.py"}, said
    assert "sleep 60" in parts["test_b.py"] and "left behind" not in parts["test_a.py"]
    assert "exit status -9" in parts["test_dies.py"]
    assert [line.split()[0] for line in said.splitlines() if line.endswith(("/test_c.py", "/test_alone.py"))] == ["ok", "ok"]


LONG = '''
import pathlib, subprocess, threading, pytest
from lib import net
HERE = pathlib.Path(__file__).parent
@pytest.fixture
def program():
    ns, p = net.Ns("long"), subprocess.Popen(["sleep", "300"])
    try:
        yield p
    finally:
        p.kill()
        p.wait()
        ns.close()
        (HERE / "ended").touch()
def test_long(program):
    (HERE / "begun").touch()
    threading.Event().wait(200)
'''


def test_ctrl_c(tmp_path):
    """Ctrl-C, SIGTERM and even SIGKILL: each test gives back what it had, and nothing lives on."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        folder = tmp_path / signum.name
        p = run_check(folder, {"long": LONG, "zz": "ALONE = \"it never comes\"\ndef test_never():\n    pass\n"})
        ng.wait_for("the test", (folder / "begun").exists)
        below = set(ng.processes(p.pid)) - {p.pid}
        p.send_signal(signum)
        said = p.communicate(timeout=60)[0]
        ng.wait_for("everything to end", lambda: not any(map(ng.alive, below)))
        assert len(below) >= 2 and (folder / "ended").exists(), said
        if signum != signal.SIGKILL:
            assert p.returncode == 1 and f"cut short by {signum.name}: 1 of 2 files were not run" in said
            assert said.splitlines()[-1] == "0 passed, 2 failed, 0 skipped", said
