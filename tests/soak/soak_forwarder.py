# SPDX-License-Identifier: GPL-2.0-or-later
"""The long forms of tests/forwarder: 300 kills, and every call that can fail."""
import os
import sys

from lib import ng

os.environ["NG_SOAK"] = "1"
sys.path.insert(0, str(ng.TOP / "tests/forwarder"))

# pylint: disable=wrong-import-position,unused-import
from test_forwarder_faults import (faults, test_a_call_fails, test_a_call_of_the_collector_fails,  # noqa: E402,F401
                                   test_memory_runs_out, test_the_disk_is_full)
from test_forwarder_kills import test_nothing_acknowledged_is_lost  # noqa: E402,F401
