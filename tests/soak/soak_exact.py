# SPDX-License-Identifier: GPL-2.0-or-later
"""A million packets at a rate that can be borne: every one is received, decoded and counted."""
from lib import net, ng
from lib.overload import WITNESS, witnessed
from lib.sensor import Sensor

PACKETS, PER_S = 1000000, 50000


def test_exact(tmp_path):
    program = ng.compile_c(ng.TOP / "tests/lib/synflood.c", tmp_path / "synflood", "-D_GNU_SOURCE")
    with net.Router(filtered=False) as r, Sensor(r.rtr, tmp_path, plugins=["handshake"], handshake_limit=1000000, flows=65536,
                                                 receive_buffer=8 << 20) as s:
        r.rtr.nft(WITNESS)
        done = r.lan.run(program, "-i", "eth0", "-D", r.MAC["rtr-lan"], "-n", PACKETS, "-f", "0", "-r", PER_S)
        assert done.returncode == 0, done.stderr
        ng.wait_for("all to be counted", lambda: s.counters()["handshake_seen"] == witnessed(r))
        passed = witnessed(r)
        last = s.stop()[-1]
    print(done.stdout.strip())
    print(f"{passed} forwarded, {last['seen']} seen, {last['logged']} logged, {last['received']} received, {last['parsed']} parsed, "
          f"gap {last['gap']}, tail {last['tail']}")
    assert passed >= 0.99 * PACKETS
    assert last["seen"] == last["logged"] == last["received"] == passed
    assert last["gap"] == last["tail"] == last["sampled_out"] == 0
    assert last["parsed"] == last["received"] - last["truncated"] - last["malformed"] - last["unsupported"]
