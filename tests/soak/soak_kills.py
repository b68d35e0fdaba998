# SPDX-License-Identifier: GPL-2.0-or-later
"""The analyzer is killed 50 times at 60,000 packets a second."""
from lib import kills, ng

ROUNDS = 10


def test_kills(tmp_path):
    """At most a batch of 32 packets a kill is lost, and each of them is counted."""
    program = ng.compile_c(ng.TOP / "tests/lib/synflood.c", tmp_path / "synflood", "-D_GNU_SOURCE")
    lost = logged = 0
    for n in range(ROUNDS):
        last, this = kills.killed(tmp_path / str(n), program)
        lost, logged = lost + this, logged + last["logged"]
    print(f"{ROUNDS * kills.KILLS} kills, {logged} packets, {lost} lost and counted")
    assert lost <= ROUNDS * kills.KILLS * 32
