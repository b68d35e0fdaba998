# SPDX-License-Identifier: GPL-2.0-or-later
"""A minute of flood from outside, from five million spoofed sources and more, with both kinds of rules."""
import pytest

from lib import net, ng, overload
from lib.sensor import Sensor

SECONDS = 60
PACKETS = 6100000  # drawn from 2^24 sources: 5.1 million different ones


@pytest.mark.parametrize("rules", ["own", "include"])
def test_overload(tmp_path, rules):
    """95 of 100 connections of the LAN are reported one by one, memory does not grow after 10 s, the ledger is exact."""
    program = ng.compile_c(ng.TOP / "tests/lib/synflood.c", tmp_path / "synflood", "-D_GNU_SOURCE")
    with net.Router(filtered=False) as r:
        if rules == "include":
            done = r.rtr.run("nft", "-f", ng.TOP / "nft/net-gazer.nft")
            assert done.returncode == 0, done.stderr
        with Sensor(r.rtr, tmp_path, rules=rules) as s:
            figures = overload.flood(r, s, program, SECONDS, settle_s=10, packets=PACKETS)
            if rules == "include":
                assert ng.stop(s.process) == 0
                last = s.reported(quiet=True)[-1]
            else:
                last = s.stop()[-1]
    overload.check(figures, 20000)
    sources = (1 << 24) * (1 - (1 - 1 / (1 << 24)) ** figures["passed"])
    print(f"{sources / 1e6:.1f} million source addresses, {last['sampled_out']} packets sampled out")
    assert sources >= 5e6
