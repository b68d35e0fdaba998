# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the page start with: playwright-core, a collector with a browser."""
import fcntl
import shutil
import subprocess

import pytest

from browser_rig import HERE, Browser, seed
from lib import ng
from lib.collector import Collector


@pytest.fixture(scope="session")
def modules():
    """playwright-core from the lock file, in $O/browser."""
    folder = ng.BUILD / "browser"
    stamp = folder / "node_modules/.stamp"
    lock = (HERE / "package-lock.json").read_text(encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="ascii") as one_session:
        fcntl.flock(one_session, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text(encoding="utf-8") == lock:
            return folder
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / name, folder / name)
        for last in (False, False, True):
            done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, text=True,
                                  capture_output=True, timeout=300, check=False)
            if done.returncode == 0:
                break
            assert not last, f"npm ci in {folder}:\n{done.stdout}{done.stderr}"
        stamp.write_text(lock, encoding="utf-8")
    return folder


@pytest.fixture
def page(request, modules, tmp_path):
    """A collector with an empty database and a browser that has not opened it yet; the big graph wants WebGL."""
    with Collector(tmp_path) as collector, \
            Browser(modules, tmp_path, f"http://127.0.0.1:{collector.port}", gl=request.module.__name__ == "test_paths") as browser:
        yield collector, browser


@pytest.fixture(scope="module")
def demo(modules, tmp_path_factory):
    """A collector with the seeded data set and a browser, shared by a module's tests."""
    folder = tmp_path_factory.mktemp("demo")
    seed(folder)
    with Collector(folder) as collector, Browser(modules, folder, f"http://127.0.0.1:{collector.port}") as browser:
        yield collector, browser
