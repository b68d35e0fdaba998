# SPDX-License-Identifier: GPL-2.0-or-later
r"""Knocks from outside: what the firewall did with them, by what went in and what came out behind it.

      wan 192.0.2.x ---- wan0 rtr lan0 ---- lan 10.77.1.2:22 (forwarded: 8022)
                     attempts | handshakes
                  filter - 10 | filter + 10
"""
import contextlib

from lib import net, ng, wire
from lib.sensor import Sensor

# "Dropped" is said when the window and the next reading of the rules' counters (10 s) are over.
WINDOW = {"attempts": {"window": 5}}

ONE4, TALL4, WIDE4, GOOD4 = (net.NEAR4 + str(n) for n in (11, 12, 13, 14))
ONE6, TALL6, GOOD6 = (net.NEAR6 + str(n) for n in (11, 12, 14))
# source: (how many SYNs, kind, ports)
SCANS = {ONE4: (1, "single", {23}), ONE6: (1, "single", {23}),
         TALL4: (150, "vertical_scan", set(range(1000, 1150))), TALL6: (40, "vertical_scan", set(range(1000, 1040))),
         WIDE4: (40, "horizontal_scan", {445})}


def knock(raw, r, src, targets):
    """One SYN to each (address, port), to the router's WAN side."""
    for n, (dst, port) in enumerate(targets):
        raw.send(wire.ether(r.MAC["rtr-wan"], r.MAC["wan"], wire.tcp(
            src, dst, 30000 + n % 20000, port, wire.SYN, seq=n, opts=wire.options(1460))))


def all_knocks(raw, r):
    knock(raw, r, ONE4, [(r.OUT4, 23)])
    knock(raw, r, ONE6, [(r.LAN6, 23)])
    knock(raw, r, TALL4, [(r.OUT4, 1000 + n) for n in range(150)])
    knock(raw, r, TALL6, [(r.LAN6, 1000 + n) for n in range(40)])
    r.rtr.ip("route add 10.78.0.0/24 dev lan0")
    knock(raw, r, WIDE4, [(f"10.78.0.{n}", 445) for n in range(1, 41)])
    assert net.connect(r.wan, r.OUT4, 8022, src=GOOD4)[0] == "ok"
    assert net.connect(r.wan, r.LAN6, 22, src=GOOD6)[0] == "ok"


def test_verdicts(tmp_path):
    """A single knock, vertical and horizontal scans, both families, and ports that are let in; at a
    router that drops and at one that rejects, both at the same time."""
    verdicts = {"drop": "dropped", "reject": "rejected"}
    with contextlib.ExitStack() as stack:
        sensors = {}
        for wan_in in verdicts:
            (tmp_path / wan_in).mkdir()
            r = stack.enter_context(net.Router(wan_in=wan_in, dnat={8022: 22}))
            stack.enter_context(net.Server(r.lan, 22))
            raw = stack.enter_context(wire.Raw(r.wan, "eth0"))
            sensors[wan_in] = stack.enter_context(Sensor(r.rtr, tmp_path / wan_in, **WINDOW))
            all_knocks(raw, r)

        def told(s, src):
            return sum(a["count"] for a in s.reports(type="attempt", src_ip=src))

        wants = [*((src, n) for src, (n, _, _) in SCANS.items()), (GOOD4, 1), (GOOD6, 1)]
        for s in sensors.values():
            for src, n in wants:
                ng.wait_for(lambda s=s, src=src, n=n: f"{n} attempts of {src}, told are {told(s, src)}\n{s.log()}",
                            lambda s=s, src=src, n=n: told(s, src) >= n, every_s=0.1, deadline_s=60)
        found = {wan_in: s.stop() for wan_in, s in sensors.items()}
    for wan_in, verdict in verdicts.items():
        check(found[wan_in], verdict)


def check(found, verdict):
    attempts = [a for a in found if a["type"] == "attempt"]
    for src, (n, kind, ports) in SCANS.items():
        mine = [a for a in attempts if a["src_ip"] == src]
        assert sum(a["count"] for a in mine) == n, mine
        assert {a["verdict"] for a in mine} == {verdict}, mine
        assert {a["dir"] for a in mine} == {"inbound"} and {a["iif"] for a in mine} == {"wan0"}, mine
        assert all(a["ts"] <= a["last_ts"] for a in mine)
        told = {p for a in mine for p in a["dst_ports"]}
        assert told <= ports and len(told) >= min(len(ports), 64), mine
        if len(mine) == 1:  # it all fell into one window: the usual case
            a = mine[0]
            assert a["kind"] == kind, a
            assert a["dst_ips_n"] == 1 or src == WIDE4 and abs(a["dst_ips_n"] - 40) <= 8, a  # an estimate
            if src == TALL4:  # an estimate beyond what a report lists
                assert len(a["dst_ports"]) == 64 and abs(a["dst_ports_n"] - 150) <= 15, a
    for src in (GOOD4, GOOD6):
        mine = [a for a in attempts if a["src_ip"] == src]
        assert [(a["verdict"], a["count"]) for a in mine] == [("accepted", 1)], mine
    conns = [c for c in found if c["type"] == "conn"]
    assert sorted(c["src_ip"] for c in conns) == sorted((GOOD4, GOOD6)), "what was dropped is no connection"
    print(f"{verdict}: {sum(a['count'] for a in attempts)} knocks in {len(attempts)} reports")


def test_many_sources_are_bounded(tmp_path):
    """3,000 sources at once, more than the table holds: every knock is in some report all the same."""
    with net.Router() as r, wire.Raw(r.wan, "eth0") as raw, Sensor(r.rtr, tmp_path, attempt_limit=100000) as s:
        for n in range(3000):
            knock(raw, r, f"192.0.{100 + (n >> 8)}.{n & 255}", [(r.OUT4, 22)])
        ng.wait_for(lambda: f"3000 knocks, there are {s.counters()}", lambda: s.counters()["attempt_logged"] >= 3000)
        # Not all at its end: a megabyte at once finds no room in the pipe, should the writer not get a processor.
        ng.wait_for(lambda: f"2000 reports\n{s.log()}", lambda: s.text().count('"type":"attempt"') >= 2000)
        found = s.stop()
    attempts = [a for a in found if a["type"] == "attempt"]
    counters = next(p for p in found[-1]["plugins"] if p["name"] == "attempts")["counters"]
    print(f"3000 sources: {len(attempts)} reports, {counters}")
    assert sum(a["count"] for a in attempts) == counters["syns"] == 3000
    assert len({a["src_ip"] for a in attempts}) == 3000
