# SPDX-License-Identifier: GPL-2.0-or-later
"""The sensor under musl and as a 32-bit program: the long form of tests/test_portable_live.py."""
import os
import shutil
import subprocess
import sys

import pytest
from lib import ng

sys.path.insert(0, str(ng.TOP / "tests/portability"))
import live  # noqa: E402  pylint: disable=wrong-import-position

PHASE_S = 1200
# Stories that need nothing beside the sensor: its rules, its start and end, its cages, its paths.
STORIES = ("test_handshake", "test_attempts", "test_odd_packets", "test_watch", "test_worker_kills", "test_trace_hand",
           "test_prober_parent", "test_trace_inband")


@pytest.mark.parametrize("make", [live.musl, live.i386], ids=lambda f: f.__name__)
def test_stories(make, say):
    """The suite's own, with another build in the place of the one of the build folder."""
    with make() as build:
        # Not of this build; the harness wants to see them, and those stories do not use them.
        for name in ("forwarder", "replay"):
            shutil.copy(ng.program(name), build.folder / name)
        # Its folders directly below /tmp: the path of a socket is short.
        environment = {name: value for name, value in os.environ.items() if name != "TMPDIR"}
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                               *(ng.TOP / f"tests/stories/{name}.py" for name in STORIES)], cwd=ng.TOP, capture_output=True, text=True,
                              check=False, env={**environment, "O": str(build.folder)})
        assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-2000:]
        say(f"{build.name:8} stories: {done.stdout.splitlines()[-1]}")
