# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kill of the analyzer costs: the batch in its hands.  The short form of tests/soak/soak_kills.py."""
from lib import kills, ng


def test_worker_kills(tmp_path):
    program = ng.compile_c(ng.TOP / "tests/lib/synflood.c", tmp_path / "synflood", "-D_GNU_SOURCE")
    last, lost = kills.killed(tmp_path / "s", program)
    assert last["logged"] > 50000, "this was no load"
    assert lost <= kills.KILLS * 64, "more than the batch in hand"
