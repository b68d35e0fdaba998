# SPDX-License-Identifier: GPL-2.0-or-later
"""What the store answers beside test_collector_api.py's numbers: by system and country, of one sensor, of another time; many who
ask the same."""
import sqlite3

import pytest

import collector_rig as rig
from lib.collector import Collector

HOUR_US = 3600 * 1000000


@pytest.fixture(name="c", scope="module")
def collector(tmp_path_factory):
    with Collector(tmp_path_factory.mktemp("store")) as c:
        now = rig.now_us()
        for n, (sensor, back_h) in enumerate((("r1", 0), ("r2", 0), ("r1", 5), ("r2", 50))):
            rig.stored(c, [rig.conn(n * 100 + i, sensor=sensor, ts_us=now - back_h * HOUR_US - i, dst_ip=f"192.0.2.{1 + i % 3}",
                                    state="refused" if i % 4 == 0 else "established", rtt_us=1000 + i, rtt_src_us=50) for i in range(12)])
            rig.stored(c, [rig.other("attempt", n * 100 + 50 + i, sensor=sensor, ts_us=now - back_h * HOUR_US, count=10, src_ip=f"203.0.113.{i}",
                                     dst_port=22, verdict="dropped") for i in range(3)])
        db = sqlite3.connect(c.data / "net-gazer.db", timeout=10)
        for ip, cc, asn, org in (("192.0.2.1", "DE", 64500, "One"), ("192.0.2.2", "NL", 64500, "One"), ("203.0.113.0", "FR", 64501, "Two"),
                                 ("203.0.113.1", "FR", None, None)):
            # What the lookup of addresses, if there is one, has found by itself makes no difference here.
            db.execute("INSERT OR REPLACE INTO addr (ip, cc, asn, as_org, looked_us) VALUES (?, ?, ?, ?, ?)", (ip, cc, asn, org, now))
        db.commit()
        db.close()
        yield c


def test_by_system_and_country(c):
    rows = c.get("/api/destinations?by=as&window_s=3600")["destinations"]
    assert [(r["asn"], r.get("as_org"), r["conns"], r["hosts_n"], r["sensors_n"]) for r in rows] == [(64500, "One", 16, 2, 2), (0, None, 8, 1, 2)]
    rows = c.get("/api/destinations?by=cc&window_s=3600")["destinations"]
    assert sorted((r["cc"], r["conns"], r["hosts_n"]) for r in rows) == [("", 8, 1), ("DE", 8, 1), ("NL", 8, 1)]
    assert all(1000 <= r["rtt_p50_us"] < 1012 and r["src_rtt_p50_us"] == 50 and "dst_ip" not in r for r in rows)
    row, = c.get("/api/destinations?by=as&window_s=604800&limit=1")["destinations"]
    assert (row["conns"], row["failed"]) == (32, 8)
    named = {r["dst_ip"]: r.get("dst_cc") for r in c.get("/api/destinations?by=host")["destinations"]}
    assert named == {"192.0.2.1": "DE", "192.0.2.2": "NL", "192.0.2.3": None}


def test_of_one_system_and_country(c):
    """What a system's or a country's row says is what its list of hosts, of ports, of the other kind adds up to."""
    def ask(more):
        answer = c.get(f"/api/destinations?window_s=604800&{more}")
        return answer["destinations"], answer.get("more_n", 0), answer.get("more_conns", 0)
    for by, key in (("as", "asn"), ("cc", "cc")):
        for row in ask(f"by={by}")[0]:
            of = f"{key}={row[key]}"
            hosts = ask(f"by=host&{of}")[0]
            assert len(hosts) == row["hosts_n"] and all(h.get(f"dst_{key}", type(row[key])()) == row[key] for h in hosts)
            for other in ("host", "port", "as", "cc"):
                assert [sum(r[k] for r in ask(f"by={other}&{of}")[0]) for k in ("conns", "failed")] == [row["conns"], row["failed"]]
    assert [h["dst_ip"] for h in ask("by=host&asn=64500&cc=NL")[0]] == ["192.0.2.2"]
    assert ask("by=host&asn=64501") == ask("by=as&cc=FR") == ([], 0, 0)
    assert ask("by=host&limit=1")[1:] == (2, 32) and ask("by=cc&asn=64500&limit=1")[1:] == (1, 16) and ask("by=host&asn=64500&limit=1")[1:] == (1, 16)


def test_inbound_from_where(c):
    answer = c.get("/api/inbound?window_s=3600")
    assert answer["ccs"] == [{"cc": "FR", "count": 40, "src_n": 2}]
    assert answer["asns"] == [{"asn": 64501, "as_org": "Two", "count": 20, "src_n": 1}]
    assert answer["ports"] == [{"port": 22, "count": 60, "src_n": 3, "verdicts": {"dropped": 60}}]
    assert c.get("/api/attempts?window_s=3600")["attempts"][0]["src_cc"] == "FR"


@pytest.mark.parametrize("what,number", [("destinations", lambda a: sum(d["conns"] for d in a["destinations"])),
                                         ("failures", lambda a: sum(f["count"] for f in a["failures"])),
                                         ("attempts", lambda a: sum(s["count"] for s in a["attempts"])),
                                         ("inbound", lambda a: sum(p["count"] for p in a["ports"])), ("summary", lambda a: a["conns"])])
def test_of_one_sensor_and_time(c, what, number):
    """The whole is the sum of the sensors, and of the time before and after."""
    whole = {"failures": 3, "attempts": 30, "inbound": 30}.get(what, 12)

    def ask(more):
        return number(c.get(f"/api/{what}?{more}"))
    assert ask("window_s=604800") == 4 * whole
    assert [ask(f"window_s=604800&sensor={s}") for s in ("r1", "r2", "nobody")] == [2 * whole, 2 * whole, 0]
    assert ask("window_s=3600") == 2 * whole and ask("window_s=3600&sensor=r1") == whole
    two_h_ago, day_ago = (rig.stamp(rig.now_us() - h * HOUR_US)[:19] + "Z" for h in (2, 24))
    assert ask(f"window_s=43200&until={two_h_ago}") == whole and ask(f"window_s=43200&until={two_h_ago}&sensor=r2") == 0
    assert ask(f"window_s=518400&until={day_ago}") == whole and ask(f"window_s=31622400&until={two_h_ago}") == 2 * whole


def test_asked_again(c):
    """What a report changes is there at once, whoever asked a moment before."""
    before = c.get("/api/summary?window_s=3600")["conns"]
    for n in range(5):
        rig.stored(c, [rig.conn(5000 + n)])
        assert [c.get("/api/summary?window_s=3600")["conns"] for _ in range(3)] == 3 * [before + n + 1]
        assert {r["seq"] for r in c.get("/api/conns?limit=10")["conns"]} >= {5000 + n}
