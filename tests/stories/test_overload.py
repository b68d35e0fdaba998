# SPDX-License-Identifier: GPL-2.0-or-later
"""A flood from outside takes nothing from what is begun inside: the short form of tests/soak/soak_overload.py."""
from lib import net, ng, overload
from lib.sensor import Sensor


def test_overload(tmp_path):
    """Eight seconds: at least 95 of 100 connections of the LAN are reported one by one, memory stays, every
    packet is accounted for."""
    program = ng.compile_c(ng.TOP / "tests/lib/synflood.c", tmp_path / "synflood", "-D_GNU_SOURCE")
    with net.Router(filtered=False) as r, Sensor(r.rtr, tmp_path, handshake_limit=5000) as s:
        figures = overload.flood(r, s, program, seconds=8, settle_s=3)
        last = s.stop()[-1]
    overload.check(figures, 5000)
    assert last["sampled_out"] > 0
