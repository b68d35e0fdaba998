# SPDX-License-Identifier: GPL-2.0-or-later
"""The harness itself (conftest.py): what counts as passed, failed and skipped, and what is found left behind."""
import os
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
        for line in done.stdout.splitlines():
            words = line.split()
            if line.startswith("left behind: process"):
                os.kill(int(words[3].rstrip(":")), 9)
            elif line.startswith("left behind: namespace"):
                subprocess.run(["ip", "netns", "del", words[3]], check=True)
