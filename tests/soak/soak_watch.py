# SPDX-License-Identifier: GPL-2.0-or-later
"""The administrator loads his ruleset again 400 times while 20,000 packets a second pass."""
import time

from lib import net, ng, overload
from lib.sensor import Sensor

FILE = ng.TOP / "nft/net-gazer.nft"


def test_replaced(tmp_path):
    """No packet is lost, and the ledger knows of each one that was copied, though the counters began anew each time."""
    program = ng.compile_c(ng.TOP / "tests/lib/synflood.c", tmp_path / "synflood", "-D_GNU_SOURCE")
    rules = tmp_path / "rules.nft"
    rules.write_text(FILE.read_text(encoding="ascii").replace("rate 20000/second burst 40000", "rate 1000000/second burst 1000000"),
                     encoding="ascii")
    with net.Router(filtered=False) as r:
        r.rtr.nft(overload.WITNESS)
        assert r.rtr.run("nft", "-f", rules).returncode == 0
        with Sensor(r.rtr, tmp_path, rules="include", plugins=["handshake"], receive_buffer=64 << 20) as s:
            flood = r.lan.popen([program, "-i", "eth0", "-D", r.MAC["rtr-lan"], "-n", "100000000", "-f", "0", "-r", "20000"])
            try:
                for _ in range(400):
                    assert r.rtr.run("nft", "-f", rules).returncode == 0
            finally:
                flood.kill()
                flood.wait()
            passed = [-1, overload.witnessed(r)]
            while passed[-1] != passed[-2]:
                time.sleep(0.3)
                passed.append(overload.witnessed(r))
            assert ng.stop(s.process) == 0
            last = s.reported(quiet=True)[-1]
            assert "was changed by nft" in s.log() and len(s.log().splitlines()) < 10, s.log()
            assert "not complete" not in s.log()
        assert r.rtr.run("nft", "delete", "table", "inet", "net_gazer").returncode == 0
    print(f"400 loads, {passed[-1]} packets passed, {last['logged']} logged, {last['received']} received, gap {last['gap']}")
    # While one table takes the other's place a packet may meet the rules of both.
    assert last["gap"] == 0 and passed[-1] <= last["received"] == last["logged"] <= 1.01 * passed[-1]
