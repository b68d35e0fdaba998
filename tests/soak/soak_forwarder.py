# SPDX-License-Identifier: GPL-2.0-or-later
"""The long forms of tests/forwarder: 300 kills, every call that can fail, every damaged bit of a segment, a collector
that is away for long."""
import os
import subprocess
import sys

from lib import ng

os.environ["NG_SOAK"] = "1"
sys.path.insert(0, str(ng.TOP / "tests/forwarder"))

# pylint: disable=wrong-import-position,unused-import
from test_forwarder_away import test_away_for_long  # noqa: E402,F401
from test_forwarder_faults import (faults, test_a_call_fails, test_a_call_of_the_collector_fails,  # noqa: E402,F401
                                   test_memory_runs_out, test_memory_runs_out_in_the_collector, test_the_disk_is_full)
from test_forwarder_kills import test_nothing_acknowledged_is_lost  # noqa: E402,F401


def test_every_damaged_bit(tmp_path):
    """tests/unit/spool_sweep.c whole, and fast."""
    sources = [ng.TOP / "src" / name for name in (
        "forwarder/batch.c", "forwarder/line.c", "forwarder/pack.c", "forwarder/segment.c", "lib/crc32c.c", "lib/spool.c")]
    sweep = ng.compile_c(ng.TOP / "tests/unit/spool_sweep.c", tmp_path / "sweep", "-O2", f"-I{ng.TOP}/src", "-D_GNU_SOURCE",
                         *map(str, sources), "-lcmocka", "-lyajl", "-lz")
    done = subprocess.run([sweep], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0 and "525168 bits of 525168" in done.stdout, done.stdout + done.stderr
