# SPDX-License-Identifier: GPL-2.0-or-later
"""/api/explore and /api/destination: what they find beside a naive look at the reports that were sent, in pages, in other
formats, in files with and without lists of blocks; what is wrong with a filter."""
import collections
import csv
import fnmatch
import io
import ipaddress
import json
import pathlib
import random
import sqlite3
import subprocess
import urllib.parse

import pytest
from collector_rig import conn, micros, now_us, other, request, stored

from lib import ng
from lib.collector import Collector

SENSORS = ("branch-1", "branch-2", "home")
HOSTILE = ('=1+1', '"quoted", and\r\nlines', "<script>x</script>", "caf\u00e9 \u2014 \U0001f600", "a\\b\"c", "'; DROP TABLE conn --", "\u202eevil", "%s%n")


def ask(c, path, **params):
    status, body, _ = request(c, "GET", f"/api/{path}?{urllib.parse.urlencode(params, quote_via=urllib.parse.quote)}")
    return status, json.loads(body)


def find(c, q="", **params):
    status, answer = ask(c, "explore", q=q, **{"cols": "id", "limit": 1000} | params)
    assert status == 200, (q, answer)
    assert answer["partial"] is False
    return answer


def ids(c, q="", **params):
    return [row[0] for row in find(c, q, **params)["rows"]]


def make_reports(rng, start):
    """Reports as they are posted, in the order of their ids from 1 on."""
    made, seqs = [], collections.Counter()
    ips = ["192.0.2.7", "192.0.2.200", "198.51.100.3", "2001:db8:1::9", "2001:db8:2::1"]
    for i in range(700):
        sensor = rng.choice(SENSORS)
        seqs[sensor] += 1
        common = {"seq": seqs[sensor], "sensor": sensor, "ts_us": start + i * 100000}
        kind = rng.random()
        if kind < 0.75:
            r = conn(**common, src_ip=f"10.0.0.{rng.randrange(6)}", dst_ip=rng.choice(ips), dst_port=rng.choice((22, 80, 443)),
                     state=rng.choice(("established", "answered", "refused", "timeout", "unreachable", "aborted", "orphan")))
            if r["state"] in ("established", "answered"):
                r |= {"rtt_us": rng.randrange(200000), "rtt_src_us": rng.randrange(9000)}
            if rng.random() < 0.5:
                r["host"] = rng.choice(("tv", "Laptop", *HOSTILE))
        elif kind < 0.9:
            r = other("attempt", **common, src_ip=f"203.0.113.{rng.randrange(4)}", count=rng.randrange(1, 50),
                      dst_ports=rng.sample(range(20, 30), 3), verdict=rng.choice(("dropped", "accepted")))
        else:
            r = other("trace", **common, dst_ip=rng.choice(ips), reached=rng.random() < 0.5, method="udp",
                      hops=[{"ttl": 1}, {"ttl": 2, "ip": f"198.51.100.{rng.randrange(5)}", "sent": 1, "rtt_us": [5]}])
        made.append(r)
    return made


@pytest.fixture(scope="module", name="world")
def running(tmp_path_factory):
    reports = make_reports(random.Random(7), now_us() - 200000000)
    with Collector(tmp_path_factory.mktemp("explore")) as c:
        stored(c, reports)
        yield c, reports


# ---- a filter, as text and as a question to a report ----

def in_net(net):
    net = ipaddress.ip_network(net)
    return lambda v: ipaddress.ip_address(v) in net


def values_of(r, field):
    """What a report has of a field: several of some."""
    if field == "port" and r["type"] == "attempt":
        return r["dst_ports"]
    if field == "hop":
        return [h["ip"] for h in r.get("hops", ()) if "ip" in h]
    if field == "failed":
        return [r["state"] not in ("established", "answered")] if "state" in r else []
    name = {"port": "dst_port", "dst": "dst_ip", "src": "src_ip", "rtt": "rtt_us", "rtt.src": "rtt_src_us"}.get(field, field)
    return [r[name]] if name in r else []


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def random_test(rng):
    kind = rng.randrange(9)
    if kind == 0:
        field, net = rng.choice((("dst", rng.choice(("192.0.2.7", "192.0.2.0/24", "2001:db8::/32", "2001:db8:2::1"))),
                                 ("src", rng.choice(("10.0.0.0/30", "10.0.0.5", "203.0.113.2"))), ("hop", rng.choice(("198.51.100.3", "198.51.100.0/31")))))
        return f"{field} = {net}", lambda r: any(map(in_net(net), values_of(r, field)))
    if kind == 1:
        op, us = rng.choice("<>"), rng.randrange(200000)
        field = rng.choice(("rtt", "rtt.src"))
        return f"{field} {op} {us}us", lambda r: any(v < us if op == "<" else v > us for v in values_of(r, field))
    if kind == 2:
        words = rng.sample(("established", "refused", "timeout", "orphan"), 2)
        return f"state in ({', '.join(words)})", lambda r: r.get("state") in words
    if kind == 3:
        port = rng.choice((22, 80, 443, 25, 29))
        if rng.random() < 0.5:
            return f"port = {port}", lambda r: port in values_of(r, "port")
        return f"port != {port}", lambda r: bool(values_of(r, "port")) and port not in values_of(r, "port")
    if kind == 4:
        pattern = rng.choice(("branch*", "*E", "?ome", "*-1"))
        return f"sensor ~ {pattern}", lambda r: fnmatch.fnmatchcase(r["sensor"].lower(), pattern.lower())
    if kind == 5:
        text = rng.choice(HOSTILE + ("tv", "Laptop"))
        return f"host = {quoted(text)}", lambda r: r.get("host") == text
    if kind == 6:
        types = rng.sample(("conn", "attempt", "trace"), 2)
        return f"type in ({','.join(types)})", lambda r: r["type"] in types
    if kind == 7:
        field = rng.choice(("failed", "reached"))
        return field, lambda r: True in values_of(r, field)
    field = rng.choice(("host", "rtt", "verdict", "src"))
    return f"has {field}", lambda r: bool(values_of(r, field))


def random_filter(rng, depth=0):
    if depth == 4 or rng.random() < 0.3:
        return random_test(rng)
    kind = rng.randrange(3)
    a, fa = random_filter(rng, depth + 1)
    if kind == 0:
        return f"not ({a})", lambda r: not fa(r)
    b, fb = random_filter(rng, depth + 1)
    if kind == 1:
        return f"({a}) and ({b})", lambda r: fa(r) and fb(r)
    return f"({a}) or ({b})", lambda r: fa(r) or fb(r)


def test_finds_what_a_naive_look_finds(world):
    c, reports = world
    seed = random.randrange(1 << 30)
    rng, some = random.Random(seed), 0
    for _ in range(150):
        text, holds = random_filter(rng)
        wanted = [i + 1 for i, r in enumerate(reports) if holds(r)][::-1]
        assert ids(c, text) == wanted, f"seed {seed}: {text}"
        some += 0 < len(wanted) < len(reports)
    assert some > 50


def test_pages(world):
    c, reports = world
    for q, wanted in (("", len(reports)), ("port = 22", None)):
        whole, pages, before = ids(c, q), [], {}
        while True:
            answer = find(c, q, limit=37, **before)
            pages += [row[0] for row in answer["rows"]]
            if "next" not in answer:
                break
            assert len(answer["rows"]) == 37
            before = {"before": answer["next"]}
        assert pages == whole and len(whole) == (wanted or len(whole))


def test_window_and_sensor(world):
    c, reports = world
    stamp = reports[400]["ts"]
    until = -(-micros(stamp) // 60000000) * 60000000  # whole minutes, as all windows
    wanted = [i + 1 for i, r in enumerate(reports) if until - 60000000 <= micros(r.get("last_ts", r["ts"]) if r["type"] == "attempt" else r["ts"]) < until]
    assert ids(c, until=stamp, window_s=60) == wanted[::-1]
    assert ids(c, sensor="home") == [i + 1 for i, r in enumerate(reports) if r["sensor"] == "home"][::-1]
    assert ids(c, "type = trace", sensor="nobody") == []


def test_rows_and_formats(world):
    c, reports = world
    cols = ["id", "sensor", "src_ip", "dst_port", "host", "rtt_us", "failed", "dst_ports", "hop"]
    rows = find(c, cols=",".join(cols))["rows"]
    for row in rows:
        r, got = reports[row[0] - 1], dict(zip(cols, row))
        for name in ("sensor", "src_ip", "dst_port", "host", "rtt_us", "dst_ports"):
            assert got[name] == r.get(name), (name, r)
        assert got["failed"] == (values_of(r, "failed") or [None])[0]
        assert got["hop"] == (values_of(r, "hop") if r["type"] == "trace" else None)
    q = urllib.parse.urlencode({"q": "has host", "cols": "id,host,rtt_us", "format": "csv"})
    status, body, headers = request(c, "GET", f"/api/explore?{q.replace('+', '%20')}")
    assert status == 200 and headers["Content-Type"].startswith("text/csv") and "attachment" in headers["Content-Disposition"]
    assert "Net-Gazer-Next" not in headers
    table = list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))
    assert table[0] == ["id", "host", "rtt_us"] and len(table) == 1 + sum("host" in r for r in reports)
    for i, host, rtt in table[1:]:
        assert host == reports[int(i) - 1]["host"] and rtt == str(reports[int(i) - 1].get("rtt_us", ""))
    assert {t for _, t, _ in table[1:]} >= set(HOSTILE)
    status, body, headers = request(c, "GET", "/api/explore?format=ndjson&limit=5&cols=id,host")
    lines = [json.loads(line) for line in body.splitlines()]
    assert [x["id"] for x in lines] == [700, 699, 698, 697, 696] and headers["Net-Gazer-Next"] == "696"
    assert all(x.get("host") == reports[x["id"] - 1].get("host") for x in lines)


def test_ndjson_can_be_imported(world, tmp_path):
    c, reports = world
    _, body, _ = request(c, "GET", "/api/explore?format=ndjson")
    done = subprocess.run([ng.program("net-gazer-collector"), "import", "-c", "/dev/null", "--database", tmp_path / "x.db", "-"], input=body, capture_output=True,
                          check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    days = [sqlite3.connect(p) for p in (tmp_path / "x.db.d").glob("*.db")]
    assert sum(d.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for d in days for t in ("conn", "attempt", "other")) == len(reports)


def test_wrong(world):
    c, _ = world
    for q, at, expected in (("rtt > 80", 8, "ms"), ("foo = 1", 0, "dst_ip"), ("state = x", 8, "refused"), ("dst = 192.0.2.7 and", 19, "rtt_us"), ("(failed", 7, ")")):
        status, answer = ask(c, "explore", q=q)
        assert (status, answer["in"], answer["at"]) == (400, "q", at), answer
        assert expected in answer["expected"] and answer["error"]
    status, answer = ask(c, "explore", cols="ts,nothing")
    assert (status, answer["in"], answer["at"]) == (400, "cols", 3) and "src_ip" in answer["expected"]
    for path in ("explore?q=%00", "explore?q=%ff", f"explore?q={'x' * 2100}", "explore?limit=0", "explore?format=xml", "explore?q=a&q=b", "destination", "destination?dst=x"):
        status, body, _ = request(c, "GET", f"/api/{path}")
        assert status == 400 and json.loads(body)["error"], path


def test_fields(world):
    c, reports = world
    spec = ask(c, "explore/fields")[1]
    assert {"state", "rtt_us", "dst_cc"} <= {f["name"] for f in spec["fields"]} <= set(spec["cols"])
    for f in spec["fields"]:
        for name in (f["name"], *f["also"]):
            assert set(ids(c, f"has {name}")) <= set(range(1, len(reports) + 1))
        if f.get("words"):
            both = ids(c, f"{f['name']} in ({', '.join(f['words'])})")
            assert both == ids(c, f"has {f['name']}"), "these are all that it can be"
    for i in range(0, len(spec["cols"]), 40):
        part = spec["cols"][i:i + 40]
        assert find(c, cols=",".join(part))["cols"] == part
    assert find(c, cols="")["cols"] == spec["default_cols"]


def percentile_bounds(values):
    return min(values), max(values)


def check_destination(answer, conns):
    t = answer["totals"]
    states = collections.Counter(r["state"] for r in conns)
    failed = len(conns) - states["established"] - states["answered"]
    assert (t["conns"], t["failed"]) == (len(conns), failed)
    for k in ("established", "answered", "refused", "timeout", "unreachable", "aborted", "orphan"):
        assert t[k] == sum(p[k] for p in answer["series"]) == states[k], k
    assert t["other"] == sum(p["other"] for p in answer["series"]) == states["unreachable"] + states["aborted"] + states["orphan"]
    for half, name, hist in (("rtt", "rtt_us", "hist"), ("src_rtt", "rtt_src_us", "src_hist")):
        values = [r[name] for r in conns if name in r]
        if values:
            assert (t[f"{half}_min_us"], t[f"{half}_max_us"]) == percentile_bounds(values)
        buckets = collections.Counter()
        for p in answer["series"]:
            for low, n in p[hist]:
                buckets[low] += n
        assert sum(buckets.values()) == len(values)
        lows = sorted(buckets)
        for low in lows:
            assert any(low <= v <= low * 1.26 + 1 for v in values), (low, "has a value in its bucket")
    assert sum(p["conns"] for p in answer["series"]) == len(conns) and sum(p["failed"] for p in answer["series"]) == failed
    assert {s["sensor"]: s["conns"] for s in answer["sensors"]} == collections.Counter(r["sensor"] for r in conns)
    assert {s["src_ip"]: s["conns"] for s in answer["sources"]} == collections.Counter(r["src_ip"] for r in conns)
    assert {p["dst_port"]: p["conns"] for p in answer["ports"]} == collections.Counter(r["dst_port"] for r in conns)
    assert (answer["sources_conns"], answer["sources_n"], answer["ports_n"]) == (len(conns), len(answer["sources"]), len(answer["ports"]))
    assert answer["partial"] is False


def test_destination(world):
    c, reports = world
    to = [r for r in reports if r["type"] == "conn" and r["dst_ip"] == "192.0.2.7"]
    for params, conns in (({}, to), ({"port": 443}, [r for r in to if r["dst_port"] == 443]), ({"sensor": "home"}, [r for r in to if r["sensor"] == "home"]),
                          ({"window_s": 86400}, to), ({"port": 9999}, [])):
        status, answer = ask(c, "destination", dst="192.0.2.7", **params)
        assert status == 200 and len(answer["series"]) <= 60
        check_destination(answer, conns)


def test_what_is_known_of_addresses(tmp_path):
    """Countries and systems: the collector's own table of addresses, of which this test writes two rows."""
    start, rare = now_us() - 100000000, (10, 9000)
    reports = [conn(i + 1, ts_us=start + i, dst_ip="198.51.100.77" if i in rare else "192.0.2.1", src_ip="10.0.0.1") for i in range(13000)]
    with Collector(tmp_path) as c:
        for i in range(0, len(reports), 2600):
            stored(c, reports[i:i + 2600])
        c.stop()
        with sqlite3.connect(tmp_path / "collector/net-gazer.db") as db:
            assert db.execute("DELETE FROM addr").rowcount >= 0
            db.executemany("INSERT INTO addr (ip, cc, asn, as_org, city, looked_us) VALUES (?, ?, ?, ?, ?, 1)",
                           (("198.51.100.77", "DE", 64500, "Example <b>", "K\u00f6ln"), ("192.0.2.1", "FR", 64501, "Other", None)))
        c.start()
        for q in ("dst_cc = DE", "dst.as = AS64500", "dst.as in (1, 64500)", 'dst.city = "K\u00f6ln"', 'dst.org ~ "*<b>"',
                  "not cc = FR", "cc != FR", "dst.as < 64501"):
            answer = find(c, q, cols="id,dst_cc,dst_asn,dst_as_org,dst_city")
            assert answer["rows"] == [[i + 1, "DE", 64500, "Example <b>", "K\u00f6ln"] for i in rare[::-1]], q
        assert find(c, "dst_cc = DE")["looked"] < 3 * 4096
        assert find(c, "dst_cc = XX")["looked"] < 4096, "nothing has it, but the last block is not full yet, and has no list"
        assert ids(c, "dst_cc = XX or dst_city = Paris") == [] and len(ids(c, "dst_cc = FR", limit=1000)) == 1000
        assert ask(c, "destination", dst="198.51.100.77")[1]["dst_as_org"] == "Example <b>"


def test_blocks(tmp_path):
    """Blocks that cannot have it are passed over, and what is found is the same without their lists."""
    start, rare = now_us() - 100000000, (5, 4500, 12999)
    reports = [conn(i + 1, ts_us=start + i, dst_ip="198.51.100.77" if i in rare else f"192.0.2.{i % 200}", rtt_us=5000 if i == 4500 else 100,
                    dst_port=8443 if i == 12999 else 443) for i in range(13000)]
    questions = ("dst = 198.51.100.77", "rtt > 4ms", "port = 8443", "src = 203.0.113.1", "dst in (198.51.100.77, 203.0.113.1) and not port = 443")
    wanted = {q: found for q, found in zip(questions, ([13000, 4501, 6], [4501], [13000], [], [13000]))}
    with Collector(tmp_path) as c:
        for i in range(0, len(reports), 2600):
            stored(c, reports[i:i + 2600])
        looked = {q: find(c, q)["looked"] for q in questions}
        assert {q: ids(c, q) for q in questions} == wanted
        assert looked["src = 203.0.113.1"] < 2 * 4096, looked
        assert looked["rtt > 4ms"] < 3 * 4096, looked
        with_lists = ask(c, "destination", dst="198.51.100.77")[1]
        check_destination(with_lists, [r for r in reports if r["dst_ip"] == "198.51.100.77"])
        c.stop()
        for path in (tmp_path / "collector/net-gazer.db.d").glob("*.db"):
            with sqlite3.connect(path) as db:
                db.execute("DROP TABLE block")
        # And the rollups forgot it, as they do what few spoke to.
        with sqlite3.connect(tmp_path / "collector/net-gazer.db") as db:
            assert db.execute("DELETE FROM rollup WHERE dst_ip = '198.51.100.77'").rowcount > 0
        c.start()
        assert {q: ids(c, q) for q in questions} == wanted
        assert find(c, "src = 203.0.113.1")["looked"] >= 13000
        answer = ask(c, "destination", dst="198.51.100.77")[1]
        check_destination(answer, [r for r in reports if r["dst_ip"] == "198.51.100.77"])
        strip = lambda a: {k: v for k, v in a.items() if k not in ("from_ts", "until_ts", "series")}
        assert strip(answer) == strip(with_lists)
        # A file of before is given its table with the next report.
        stored(c, [conn(20001, dst_ip="198.51.100.78")])
        assert ids(c, "dst = 198.51.100.78") == [13001]


def test_many_days(tmp_path):
    """Forty files, of which few are open at a time."""
    (tmp_path / "collector").mkdir()
    subprocess.run([ng.program("net-gazer-collector"), "demo", "-c", "/dev/null", "--database", tmp_path / "collector/net-gazer.db", "--conns", "8000",
                    "--span", "960", "--days", "60"], check=True, capture_output=True, timeout=60)
    assert len(list((tmp_path / "collector/net-gazer.db.d").glob("*.db"))) > 38
    with Collector(tmp_path, arguments=("--days", "60")) as c:
        found, before = 0, {}
        while True:
            status, answer = ask(c, "explore", q="state = established", cols="id", limit=1000, window_s=31622400, **before)
            assert status == 200
            found += len(answer["rows"])
            files = [p.resolve().name for p in pathlib.Path(f"/proc/{c.process.pid}/fd").iterdir()]
            assert sum(name.endswith(".db") for name in files) <= 8, files
            if "next" not in answer:
                break
            before = {"before": answer["next"]}
        days = [sqlite3.connect(p) for p in (tmp_path / "collector/net-gazer.db.d").glob("*.db")]
        assert found == sum(d.execute("SELECT count(*) FROM conn WHERE state = 0").fetchone()[0] for d in days) > 4000
        row = days[0].execute("SELECT dst_ip, count(*) FROM conn GROUP BY 1 ORDER BY 2 DESC").fetchone()
        status, answer = ask(c, "destination", dst=row[0], window_s=31622400)
        assert status == 200 and answer["totals"]["conns"] >= row[1]
        files = [p.resolve().name for p in pathlib.Path(f"/proc/{c.process.pid}/fd").iterdir()]
        assert sum(name.endswith(".db") for name in files) <= 8, files
