# SPDX-License-Identifier: GPL-2.0-or-later
r"""Knocks from outside: what the firewall did with them, by what went in and what came out behind it.

      wan 192.0.2.x ---- wan0 rtr lan0 ---- lan 10.77.1.2:22 (forwarded: 8022)
                     attempts | handshakes
                  filter - 10 | filter + 10
"""
import pytest

from lib import net, wire
from lib.sensor import Sensor

WINDOW = {"attempts": {"window": 1}}


def knock(raw, r, src, targets):
    """One SYN to each (address, port), to the router's WAN side."""
    for n, (dst, port) in enumerate(targets):
        raw.send(wire.ether(r.MAC["rtr-wan"], r.MAC["wan"], wire.tcp(
            src, dst, 30000 + n % 20000, port, wire.SYN, seq=n, opts=wire.options(1460))))


def attempts(found, src):
    return [a for a in found if a["type"] == "attempt" and a["src_ip"] == src]


@pytest.mark.parametrize("wan_in, verdict", [("drop", "dropped"), ("reject", "rejected")])
def test_verdicts(tmp_path, wan_in, verdict):
    """A single knock, a vertical and a horizontal scan, both families, and one that is let in."""
    one4, tall4, wide4, good4 = (net.NEAR4 + str(n) for n in (11, 12, 13, 14))
    one6, tall6, good6 = (net.NEAR6 + str(n) for n in (11, 12, 14))
    with net.Router(wan_in=wan_in, dnat={8022: 22}) as r, net.Server(r.lan, 22), wire.Raw(r.wan, "eth0") as raw, \
            Sensor(r.rtr, tmp_path, **WINDOW) as s:
        knock(raw, r, one4, [(r.OUT4, 23)])
        knock(raw, r, one6, [(r.LAN6, 23)])
        knock(raw, r, tall4, [(r.OUT4, 1000 + n) for n in range(150)])
        knock(raw, r, tall6, [(r.LAN6, 1000 + n) for n in range(40)])
        r.rtr.ip("route add 10.78.0.0/24 dev lan0")
        knock(raw, r, wide4, [(f"10.78.0.{n}", 445) for n in range(1, 41)])
        assert net.connect(r.wan, r.OUT4, 8022, src=good4)[0] == "ok"
        assert net.connect(r.wan, r.LAN6, 22, src=good6)[0] == "ok"
        for src in (one4, one6, tall4, tall6, wide4, good4, good6):
            s.wait_reports(1, type="attempt", src_ip=src)
        # A window may end in the middle of a scan: the sums are what must be right.
        def sum_of(src):
            return sum(a["count"] for a in s.reports(type="attempt", src_ip=src))
        from lib import ng
        for src, n in ((tall4, 150), (tall6, 40), (wide4, 40)):
            ng.wait_for(lambda src=src, n=n: f"{n} attempts of {src}, there are {sum_of(src)}", lambda src=src, n=n: sum_of(src) >= n)
        found = s.stop()
    for src, n, kind in ((one4, 1, "single"), (one6, 1, "single"), (tall4, 150, "vertical_scan"),
                         (tall6, 40, "vertical_scan"), (wide4, 40, "horizontal_scan")):
        mine = attempts(found, src)
        assert sum(a["count"] for a in mine) == n, mine
        assert {a["verdict"] for a in mine} == {verdict}, mine
        assert {a["dir"] for a in mine} == {"inbound"}, mine
        biggest = max(mine, key=lambda a: a["count"])
        if biggest["count"] == n:
            assert biggest["kind"] == kind, biggest
        ports = {p for a in mine for p in a.get("dst_ports", [a["dst_port"]] if "dst_port" in a else [])}
        if src == one4 or src == one6:
            assert ports == {23}
        elif src == tall6:
            assert ports == set(range(1000, 1040))
        elif src == tall4:
            assert ports <= set(range(1000, 1150)) and len(ports) >= 64
            if biggest["count"] == n:
                assert biggest["dst_ports_n"] == 150 and len(biggest["dst_ports"]) == 64
        else:
            assert ports == {445}
            if biggest["count"] == n:
                assert biggest["dst_ips_n"] == 40
        assert all(a["ts"] <= a["last_ts"] for a in mine)
    for src in (good4, good6):
        mine = attempts(found, src)
        assert {a["verdict"] for a in mine} == {"accepted"} and sum(a["count"] for a in mine) == 1, mine
    conns = [c for c in found if c["type"] == "conn"]
    assert sorted(c["src_ip"] for c in conns) == sorted((good4, good6)), "what was dropped is no connection"
    print(f"{verdict}: 232 knocks in {len([a for a in found if a['type'] == 'attempt'])} reports")


def test_many_sources_are_bounded(tmp_path):
    """3,000 sources at once: attempts are counted, the table stays within its bound, nothing is lost unsaid."""
    with net.Router() as r, wire.Raw(r.wan, "eth0") as raw, Sensor(r.rtr, tmp_path, **WINDOW) as s:
        for n in range(3000):
            knock(raw, r, f"192.0.{n >> 8}.{n & 255}" if n >> 8 else f"192.0.99.{n}", [(r.OUT4, 22)])
        s.wait_reports(1, type="attempt")
        from lib import ng
        ng.wait_for("quiet", lambda: s.counters().get("attempt_seen", 0) >= 3000)
        found = s.stop()
    last = found[-1]
    told = sum(a["count"] for a in found if a["type"] == "attempt")
    group = next(g for g in last["groups"] if g.get("class", "").startswith("attempt"))
    counters = next(p for p in last["plugins"] if p["name"] == "attempts").get("counters", {})
    print(f"3000 sources: {told} told, {group}, {counters}")
    assert group["seen"] == 3000
    assert 0 < told <= group["received"]
