# SPDX-License-Identifier: GPL-2.0-or-later
"""The collector's page as a person sees it: the real collector, Debian's chromium, reports posted as a
sensor would post them."""
import collections
import gzip
import json
import math
import random
import re
import time

import pytest

from browser_rig import BOOT, LEDGER, Browser, Sensor, payloads, ts
from lib import ng
from lib.collector import Collector

# ---- reports ----

PLACES = [("142.250.74.110", 443, 18000), ("2a00:1450:4001:82b::200e", 443, 17500), ("151.101.1.140", 443, 9200),
          ("52.97.183.162", 443, 31000), ("17.57.146.20", 5223, 24000), ("104.16.132.229", 443, 8100),
          ("185.199.108.153", 443, 11000), ("140.82.121.4", 22, 22000), ("9.9.9.9", 853, 7400),
          ("192.168.1.10", 445, 310), ("192.168.1.20", 631, 820), ("2606:4700::6810:84e5", 443, 8400),
          ("198.51.100.25", 993, 46000), ("45.57.12.144", 443, 13000), ("91.189.91.83", 80, 88000)]
HOSTS = {"192.168.1.23": "annas-laptop", "192.168.1.31": None, "192.168.1.44": "tv-livingroom", "192.168.1.57": None}


def an_evening(sensor):
    """Fifty minutes of a small network, busy in waves; returns the conn reports, oldest first."""
    dice = random.Random(7)
    made = []
    for i in range(600):
        ip, port, base = dice.choice(PLACES)
        src = "fd00:db8:1::23" if ":" in ip else dice.choice(list(HOSTS))
        rtt = round(base * (0.85 + dice.random() * 0.4 + (dice.random() * 6 if dice.random() < 0.06 else 0)))
        fields = {"src_ip": src, "dst_ip": ip, "dst_port": port, "dir": "internal" if ip.startswith("192.") else "outbound",
                  "iif": "br-lan", "oif": "wan", "hook": "forward", "group": 5, "ttl_src": 64, "ttl_dst": 52, "mss": 1460,
                  "sack_ok": True, "wscale": 7}
        if HOSTS.get(src):
            fields["host"] = HOSTS[src]
        luck = dice.random()
        if luck < 0.02:
            fields |= {"state": "timeout", "history": "SSS", "syn_retrans": 2}
        elif luck < 0.05 or (ip == "192.168.1.20" and luck < 0.4):
            fields |= {"state": "refused", "history": "Sr"}
        elif luck < 0.07:
            fields |= {"state": "unreachable", "history": "S", "icmp": "3/1"}
        elif luck < 0.09:
            fields |= {"syn_retrans": 1, "rtt_ambiguous_us": rtt, "setup_us": rtt + 1004000, "history": "SShA"}
        else:
            fields |= {"rtt_us": rtt, "history": "ShA", "rtt_src_us": 400 + round(dice.random() * 900)}
            if luck < 0.4:
                fields |= {"state": "answered", "history": "Sh"}
                del fields["rtt_src_us"]
        made.append(sensor.conn(age_s=2995 - i * 4.98 + 50 * math.sin(i / 25), **fields))
    for src, count, ports, verdict, kind in (("203.0.113.77", 731, [22, 23, 80, 443, 8080, 3389], "dropped", "vertical_scan"),
                                             ("198.51.100.201", 64, [23, 2323], "dropped", "horizontal_scan"),
                                             ("2001:db8:bad::17", 9, [443], "accepted", "single"),
                                             ("192.0.2.145", 5, [22], "rejected", "single")):
        sensor.add("attempt", 40, last_ts=ts(5), dir="inbound", src_ip=src, dst_ip="198.51.100.10", proto="tcp", count=count,
                   dst_ports=ports, verdict=verdict, kind=kind)
    sensor.stat(**LEDGER, seq_first=1)
    sensor.post()
    return made


def spaced(n):
    return f"{n:,}"


def ms_text(us):
    v = us / 1000
    return f"{v:.2f}" if v < 9.995 else f"{v:.1f}" if v < 99.95 else spaced(round(v))


def tile(browser, name):
    return browser.text(f".tile.t-{name} .big")


def show(browser, name):
    browser.js("(name) => [...document.querySelectorAll('nav a')].find((a) => a.textContent === name).click()", name)
    browser.wait(f"the page {name}", lambda: browser.text("nav a[aria-current]") == name and browser.text("main > *"))


# ---- the tests ----

def test_bundle():
    """Few small files, nothing inline, nothing from elsewhere."""
    dist = ng.BUILD / "ui/dist"
    files = {p.name: p.read_bytes() for p in dist.iterdir() if p.name != ".stamp" and p.suffix != ".gz"}
    first = {"index.html", "app.js", "app.css", "icon.svg"}
    lazy = set(re.findall(r"import\('\./(\w+\.js)'\)", (ng.TOP / "src/collector/ui/pages.js").read_text(encoding="utf-8")))
    assert set(files) == first | lazy
    assert sum(len(gzip.compress(files[name])) for name in first) <= 80 * 1024
    assert sum(len(gzip.compress(files[name])) for name in {*first, *(lazy & {"map.js"})}) <= 120 * 1024
    packed = {p.name[:-3]: gzip.decompress(p.read_bytes()) for p in dist.glob("*.gz")}
    assert packed == {name: data for name, data in files.items() if name != "icon.svg"}
    for name, data in files.items():
        elsewhere = set(re.findall(rb"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s\"'`)]*", data))
        assert all(u.startswith(b"http://www.w3.org/") for u in elsewhere), (name, elsewhere)
    assert not re.search(rb"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", files["index.html"])
    sources = "".join(p.read_text(encoding="utf-8") for p in (ng.TOP / "src/collector/ui").glob("*.js"))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", sources)


def test_empty_then_first_sensor(page):
    """An empty collector says what to start; the first report turns the page without a reload."""
    collector, browser = page
    policy = browser.open()["content-security-policy"]
    for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
                 "require-trusted-types-for 'script'"):
        assert part in policy
    assert "unsafe" not in policy
    browser.wait("the hint", lambda: browser.text(".start pre"))
    assert browser.text(".start pre") == f"net-gazer --collector-url http://127.0.0.1:{collector.port}"
    browser.js("() => { window.same_page = true; }")
    sensor = Sensor(collector, "first")
    sensor.stat(**{**LEDGER, "seen": 0, "logged": 0, "sampled_out": 0, "received": 0, "gap": 0, "parsed": 0,
                   "truncated": 0, "malformed": 0}, seq_first=1)
    sensor.post()
    browser.wait("the sensor", lambda: "first" in browser.texts(".strip-of bdi"))
    browser.wait("why there is no row", lambda: "its rules have matched no packet" in (browser.text(".live .empty") or ""))
    assert "No handshake failed" in browser.text(".failures .empty")
    assert "Nobody knocked" in browser.text(".attempts .empty")
    browser.wait("the stream", lambda: browser.js("() => document.querySelector('.link').dataset.link") == "live")
    asked = lambda: sum("/api/conns" in u for u in browser.do("seen")["requests"])
    before = browser.wait("the list asked for", asked)
    sensor.conn(rtt_us=1234)
    sensor.post()
    browser.wait("the first row", lambda: browser.texts(".conns td.dst .addr") == ["203.0.113.10"])
    assert asked() == before, "the row came by a question, not by the stream"
    assert browser.js("() => window.same_page") is True


def test_now(page):
    """What was posted is what the page says: rows, numbers, lists, ledger; and a new row comes by itself."""
    collector, browser = page
    sensor = Sensor(collector)
    conns = an_evening(sensor)
    # An hour: a slow machine has ten minutes before the first rows leave the window.
    browser.open("/#w=1h")
    browser.wait("200 rows", lambda: len(browser.texts(".conns td.dst")) == 200)
    browser.wait("the numbers", lambda: (tile(browser, "p95") or "–") != "–" and tile(browser, "attempts") != "–")

    # Rows: newest first, each as posted.
    rows = browser.js("""() => [...document.querySelectorAll('.conns tbody tr')].map((tr) => ({
        src: tr.querySelector('td.src .name, td.src .addr').textContent, dst: tr.querySelector('td.dst .addr').textContent,
        port: tr.querySelector('td.dst .port').textContent, state: tr.querySelector('td.state').textContent,
        shape: !!tr.querySelector('td.state svg *'), rtt: tr.querySelector('td.rtt').textContent,
        setup: tr.querySelector('td.setup').textContent, again: tr.querySelector('td.rtx').textContent,
        when: tr.querySelector('time').getAttribute('datetime'), exact: tr.querySelector('time').title}))""")
    for row, r in zip(rows, reversed(conns[-200:]), strict=True):
        rtt = ms_text(r["rtt_us"]) if "rtt_us" in r else f"~{ms_text(r['rtt_ambiguous_us'])}" if "rtt_ambiguous_us" in r else "–"
        assert row == {"src": r.get("host") or r["src_ip"], "dst": r["dst_ip"], "port": f":{r['dst_port']}", "state": r["state"],
                       "shape": True, "rtt": rtt, "setup": ms_text(r["setup_us"]) if "setup_us" in r else "–",
                       "again": str(r["syn_retrans"]), "when": r["ts"], "exact": row["exact"]}
        assert row["exact"].startswith(r["ts"].replace("T", " ").rstrip("Z"))

    # Tiles.  The collector keeps RTTs in a histogram with four steps a doubling: 19 % at most.
    rtts = sorted(r["rtt_us"] for r in conns if "rtt_us" in r)
    failed = sum(r["state"] not in ("established", "answered") for r in conns)
    assert tile(browser, "conns") == "600"
    assert tile(browser, "failed") == f"{failed / 6:.1f}%"
    for name, true_us in (("p50", rtts[len(rtts) // 2]), ("p95", rtts[len(rtts) * 95 // 100])):
        value, unit = re.fullmatch(r"([\d.]+)(µs|ms|s)", tile(browser, name)).groups()
        assert float(value) * {"µs": 1, "ms": 1000, "s": 1e6}[unit] == pytest.approx(true_us, rel=0.25), name
    assert tile(browser, "attempts") == "809"
    assert tile(browser, "coverage") == "99.92%"

    # Destinations, as the API has them, busiest first; then by p95.
    dests = collector.get("/api/destinations?window_s=3600&limit=50")["destinations"]
    by_place = collections.Counter((r["dst_ip"], r["dst_port"]) for r in conns)
    assert {(d["dst_ip"], d["dst_port"]): d["conns"] for d in dests} == by_place
    read = """() => [...document.querySelectorAll('.dests tbody tr')].map((tr) => [tr.querySelector('.addr').textContent,
        tr.querySelector('.conns span').textContent, tr.querySelector('.p50').textContent, tr.querySelector('.p95').textContent])"""
    as_shown = lambda d: [d["dst_ip"], spaced(d["conns"]), *(ms_text(d[k]) if k in d else "–" for k in ("rtt_p50_us", "rtt_p95_us"))]
    expected = {d["dst_ip"]: as_shown(d) for d in dests}
    shown = browser.js(read)
    assert len(shown) == 10 and all(expected[row[0]] == row for row in shown), (shown, expected)
    assert [int(row[1]) for row in shown] == sorted(by_place.values(), reverse=True)[:10]
    for d in dests:
        true = sorted(r["rtt_us"] for r in conns if r["dst_ip"] == d["dst_ip"] and "rtt_us" in r)
        assert true[0] == d["rtt_min_us"] and true[-1] == d["rtt_max_us"]
        assert d["rtt_p50_us"] == pytest.approx(true[len(true) // 2], rel=0.25)
    browser.js("() => [...document.querySelectorAll('.dests th button')].find((b) => b.textContent === 'p95 ms').click()")
    by_p95 = sorted((d["rtt_p95_us"] for d in dests), reverse=True)[:10]
    browser.wait("the order by p95", lambda: [row[3] for row in browser.js(read)] == [ms_text(us) for us in by_p95])
    browser.js("() => document.querySelector('.destinations > button').click()")
    browser.wait("all destinations", lambda: len(browser.js(read)) == len(dests))

    # Failures, inbound attempts.
    bad = collections.Counter((r["dst_ip"], r["state"]) for r in conns if r["state"] in ("refused", "timeout", "unreachable"))
    browser.js("() => document.querySelector('.failures > button')?.click()")
    failing = """() => [...document.querySelectorAll('.fails tbody tr')].map((tr) => [tr.querySelector('.addr').textContent,
        tr.querySelector('.mark').textContent, Number(tr.querySelector('.num').textContent)])"""
    browser.wait("the failures", lambda: {(ip, state): n for ip, state, n in browser.js(failing)} == bad)
    tries = browser.js("""() => [...document.querySelectorAll('.tries tbody tr')].map((tr) => [tr.querySelector('.addr').textContent,
        tr.querySelector('.num').textContent, tr.querySelector('.mark').textContent, tr.querySelector('.kind').textContent])""")
    assert tries == [["203.0.113.77", "731", "dropped", "port scan"], ["198.51.100.201", "64", "dropped", "sweep"],
                     ["2001:db8:bad::17", "9", "accepted", "single tries"], ["192.0.2.145", "5", "rejected", "single tries"]]
    assert browser.texts(".tries tr:first-child .chip")[:2] == ["22ssh", "23telnet"]

    # The ledger, on its own page: the sensor's numbers, and sums that come out.
    show(browser, "Sensors")
    browser.wait("the ledger", lambda: browser.texts(".sum"))
    figures = dict(browser.js("""() => [...document.querySelectorAll('.sensor .figure')].map((f) =>
        [[...f.classList].find((c) => c.startsWith('f-')).slice(2), f.querySelector('b').textContent])"""))
    for name in ("seen", "logged", "sampled_out", "received", "gap", "tail", "parsed", "truncated", "malformed", "unsupported",
                 "in_hand", "reports", "reports_dropped", "flows_evicted"):
        assert figures[name] == spaced(LEDGER[name]), name
    assert figures["stored"] == figures["numbered"] == spaced(sensor.seq) and figures["missing"] == "0"
    assert figures["flows_live"] == "38 of 16,384" and figures["rss_kib"] == "5.2 MiB"
    assert browser.texts(".sum .even") == ["adds up"] * 4
    assert browser.texts(".posture .yes") == ["on", "on", "on", "off"]
    assert browser.texts(".plugins .pname") == ["handshake", "attempts", "demo"]
    assert browser.texts(".plugins .mark") == ["ok", "degraded", "disabled"]
    assert browser.texts(".counter") == ["open 38", "ended 9,421"]
    assert browser.text(".sensor .cover b") == "99.92 %"
    # One that does not come out is said so.
    sensor.stat(**{**LEDGER, "received": 19990}, seq_first=1)
    sensor.post()
    browser.wait("the sum that is off", lambda: browser.texts(".sum .even") == ["adds up", "off by 8", "off by 8", "adds up"])
    sensor.stat(**LEDGER, seq_first=1)
    sensor.post()
    browser.wait("the sum that is right", lambda: browser.texts(".sum .even") == ["adds up"] * 4)
    show(browser, "Now")
    browser.wait("the numbers again", lambda: tile(browser, "conns") == "600")

    # The chart's twin has the same handshakes.
    browser.do("click", selector=".chart .actions button")
    browser.wait("the table", lambda: browser.texts(".twin tbody tr"))
    twin = browser.js("() => [...document.querySelectorAll('.twin tbody tr')].map((tr) => [...tr.children].slice(1, 3).map((td) => Number(td.textContent)))")
    assert (sum(r[0] for r in twin), sum(r[1] for r in twin)) == (600, failed)
    browser.do("click", selector=".chart .actions button")
    browser.wait("two charts", lambda: browser.js("() => document.querySelectorAll('.plot canvas').length") == 2)

    # Live, without a reload; the numbers follow.
    browser.js("() => { window.same_page = true; scrollTo(0, 0); }")
    browser.do("away")
    browser.wait("the stream", lambda: browser.js("() => document.querySelector('.link').dataset.link") == "live")
    sensor.conn(age_s=0.1, dst_ip="198.51.100.99", dst_port=8443, rtt_us=4321, host="late-comer")
    sensor.post()
    browser.wait("the new row on top", lambda: browser.text(".conns tbody tr td.dst .addr") == "198.51.100.99")
    assert browser.text(".conns tbody tr td.src .name") == "late-comer"
    assert browser.text(".conns tbody tr td.rtt") == "4.32"
    assert len(browser.texts(".conns td.dst")) == 200
    browser.wait("the count", lambda: tile(browser, "conns") == "601")
    assert browser.js("() => window.same_page") is True
    # Room for everything on a wall screen.  Pictures of all pages: test_pages.py.
    browser.do("scheme", scheme="dark")
    browser.do("size", width=2560, height=1440)
    browser.wait("a layout for it", lambda: browser.js("() => document.documentElement.scrollWidth <= innerWidth && document.querySelectorAll('.plot canvas').length === 2"))


def test_filter_window_pause(page):
    """The filter and the window are in the address; a pause holds everything and says what waits.  Digits of
    a measurement, a time or a boot match nothing, nor does the name of an interface: the filter looks at what a
    row says."""
    collector, browser = page
    sensor = Sensor(collector)
    for port in (22, 443, 4443):
        for state in ("established", "refused"):
            sensor.conn(dst_port=port, state=state, host=f"pc-{port}", iif="br-lan", oif="wan")
    sensor.conn(age_s=1800, dst_ip="198.51.100.7", rtt_us=5000)
    sensor.stat(**LEDGER)
    sensor.post()
    browser.open()
    browser.wait("7 rows", lambda: len(browser.texts(".conns td.dst")) == 7)
    for words, ports in (("REFUSED", [4443, 443, 22]), ("refused :443", [443]), ("refused -:443", [4443, 22]), ("pc-22 est", [22]),
                         ("5000", []), (ts()[:8], []), (BOOT, []), ("outbound -203.0.113.10", [443]), ("https", [443] * 3), ("ssh", [22, 22]),
                         ("-lan -wan -conn", [443, 4443, 4443, 443, 443, 22, 22]), ("out -https -ssh", [4443, 4443]), ("192.168.1.23:4", [])):
        browser.js("""(text) => { const e = document.querySelector('.live input'); e.value = text;
            e.dispatchEvent(new Event('input', { bubbles: true })); }""", words)
        browser.wait(f"rows for {words}", lambda p=ports: browser.texts(".conns td.dst .port") == [f":{n}" for n in p])
    browser.js("""() => { const e = document.querySelector('.live input'); e.value = 'no such <b>thing</b>';
        e.dispatchEvent(new Event('input', { bubbles: true })); }""")
    browser.wait("no match", lambda: "No handshake matches no such <b>thing</b>" in (browser.text(".live .empty") or ""))
    browser.do("click", selector=".live .empty button")
    browser.wait("all rows", lambda: len(browser.texts(".conns td.dst")) == 7)

    browser.wait("six in five minutes", lambda: tile(browser, "conns") == "6")
    browser.do("click", selector="button[data-window='1h']")
    browser.wait("seven in an hour", lambda: tile(browser, "conns") == "7")
    assert browser.js("() => location.hash") == "#w=1h"
    browser.do("reload")
    browser.wait("the hour, still", lambda: tile(browser, "conns") == "7")
    assert browser.js("() => document.querySelector('button[data-window=\"1h\"]').getAttribute('aria-pressed')") == "true"

    browser.wait("the stream", lambda: browser.js("() => document.querySelector('.link').dataset.link") == "live")
    browser.do("click", selector=".pause")
    browser.do("away")
    sensor.conn(dst_ip="192.0.2.55", rtt_us=100)
    sensor.post()
    browser.wait("what waits", lambda: browser.text(".pause") == "Go on (1 new)")
    assert len(browser.texts(".conns td.dst")) == 7 and tile(browser, "conns") == "7"
    assert browser.text(".link") == "Paused" and "Paused at" in browser.text(".banner")
    browser.do("click", selector=".pause")
    browser.wait("the row", lambda: browser.text(".conns td.dst .addr") == "192.0.2.55")
    browser.wait("the count", lambda: tile(browser, "conns") == "8")

    # A row left open holds the list; one that another address does not show holds nothing.
    browser.js("() => document.querySelector('button.row').click()")
    browser.wait("its details", lambda: browser.texts(".detail dt"))
    browser.js("() => { location.hash = '#w=1h&q=nothing'; }")
    browser.wait("no match", lambda: browser.text(".live .empty"))
    sensor.conn(dst_ip="192.0.2.56", rtt_us=100)
    sensor.post()
    browser.wait("the count of all", lambda: tile(browser, "conns") == "9")
    browser.js("() => { location.hash = '#w=1h'; }")
    browser.wait("the row of meanwhile", lambda: browser.text(".conns td.dst .addr") == "192.0.2.56")


def test_left_open(page):
    """A page on a wall screen: rows that were replaced are gone from its memory too."""
    collector, browser = page
    sensor = Sensor(collector)
    sensor.stat(**LEDGER)

    def another_200(ip):
        for i in range(200):
            sensor.conn(dst_ip=ip, host=f"pc-{i % 9}", **({"state": "timeout"} if i % 9 == 0 else {"rtt_us": 1000 + i}))
        sensor.post()
        # The tab is looked at again, which fetches them all: the stream alone brings 50 a second.
        browser.js("() => document.dispatchEvent(new Event('visibilitychange'))")
        browser.wait(f"the rows of {ip}", lambda: browser.texts(".conns td.dst .addr") == [ip] * 200)

    browser.open("/#w=24h")
    for i in range(6):
        another_200(f"198.51.100.{i}")
    early = browser.do("nodes")
    for i in range(6, 18):
        another_200(f"198.51.100.{i}")
    late = browser.do("nodes")
    assert late < early * 1.2, (early, late)


def test_alarms(modules, tmp_path):
    """What is not well with the collector is a line on every page that can be put away, and told in full on Sensors."""
    lines = lambda: browser.js("() => [...document.querySelectorAll('.alarms [data-alarm]')].map((e) => e.dataset.alarm)")
    told = lambda what: browser.text(f".needs [data-alarm={what}]")
    (tmp_path / "collector").mkdir()
    (tmp_path / "collector/net-gazer.db").write_bytes(b"no database, whatever it was " * 500)
    few = ("--max-bytes", str(1 << 20), "--max-body", str(4 << 20), "--max-rows", "1000", "--graph-url", "redis://127.0.0.1:1")
    with Collector(tmp_path, arguments=few) as collector, Browser(modules, tmp_path, f"http://127.0.0.1:{collector.port}") as browser:
        sensor = Sensor(collector)
        for _ in range(1050):
            sensor.conn(rtt_us=1000)
        sensor.post()
        ng.wait_for("room being made", lambda: collector.get("/health")["removed"]["reports"] >= 50)
        storage, health = collector.get("/api/storage"), collector.get("/health")
        assert {k: storage[k] for k in ("damaged", "removed")} == {k: health[k] for k in ("damaged", "removed")}
        assert health["status"] == "ok" and health["removed"]["first_ts"] <= health["removed"]["last_ts"]
        # Too much for the file, so nothing of it is stored.
        one = Sensor(collector, "other").conn(host="h" * 250)
        much = "".join(json.dumps({**one, "seq": seq}) + "\n" for seq in range(1, 6001))
        assert collector.request("POST", "/v1/reports", much, {"Content-Type": "application/x-ndjson"})[0] == 507
        browser.open("/#p=inbound")
        browser.wait("the worst first", lambda: lines() == ["refused", "damaged", "full", "graph"])
        text = browser.text(".alarms [data-alarm=full]")
        assert re.search(r"since \d+ [A-Z][a-z]+ \d\d:\d\d, (\d+) reports made room for newer ones", text), text
        assert browser.do("axe") == []
        # By keyboard, for all pages and after a reload, but only this one.
        browser.js("() => document.querySelector('.alarms [data-alarm=damaged] button').focus()")
        browser.do("press", key="Enter")
        browser.wait("one less", lambda: lines() == ["refused", "full", "graph"])
        browser.do("reload")
        browser.wait("still away", lambda: lines() == ["refused", "full", "graph"])
        browser.do("click", selector=".alarms [data-alarm=full] a")
        browser.wait("all of it", lambda: told("full") and "max-rows (now 1,000)" in told("full"))
        assert lines() == [], "no line beside the full account"
        assert f"{collector.get('/health')['removed']['reports']:,} of the oldest reports" in told("full")
        assert "1 damaged file of the database was set aside" in told("damaged") and "1 batch of reports was refused" in told("refused")
        assert "graph-url" in told("graph") and "Copy of the graph in FalkorDB: away" in browser.text(".storage")
        assert browser.do("axe") == []
        # The sensor's next batch is stored.
        sensor.conn(rtt_us=1000)
        sensor.post()
        assert collector.get("/health")["status"] == "ok" and "since_ts" not in collector.get("/health")
        browser.do("reload")
        browser.wait("that it is over", lambda: told("full") and told("refused") is None)


def test_lost_collector(modules, tmp_path):
    """A collector that goes away is named, what is shown is marked as old, and it is found again."""
    with Collector(tmp_path) as collector, Browser(modules, tmp_path, f"http://127.0.0.1:{collector.port}", may_fail=True) as browser:
        sensor = Sensor(collector)
        sensor.conn(rtt_us=1000)
        sensor.stat(**LEDGER)
        sensor.post()
        browser.open()
        browser.wait("the row", lambda: len(browser.texts(".conns td.dst")) == 1)
        browser.wait("the stream", lambda: browser.js("() => document.querySelector('.link').dataset.link") == "live")
        browser.js("() => { window.same_page = true; }")
        collector.stop()
        browser.wait("the loss", lambda: browser.js("() => document.querySelector('.link').dataset.link") == "lost")
        assert browser.text(".link") == "Collector lost"
        assert "The collector has not answered since" in browser.text(".banner")
        assert len(browser.texts(".conns td.dst")) == 1
        browser.wait("the mark of old data", lambda: browser.texts(".panel.stale .old"))
        assert browser.js("() => document.querySelector('.chart').classList.contains('stale')")
        collector.start()
        sensor.conn(dst_ip="192.0.2.77", rtt_us=2000)
        sensor.post()
        browser.wait("the collector again", lambda: browser.js("() => document.querySelector('.link').dataset.link") == "live",
                     deadline_s=90)
        browser.wait("the row that came meanwhile", lambda: browser.texts(".conns td.dst .addr") == ["192.0.2.77", "203.0.113.10"])
        browser.wait("no banner", lambda: browser.text(".banner") is None)
        browser.wait("no mark", lambda: not browser.texts(".panel.stale"))
        assert browser.js("() => window.same_page") is True
        errors = [e for e in browser.do("seen")["errors"] if "ERR_" not in e]
        assert errors == []


def test_keyboard(page):
    """Everything that a pointer can do: in order, visibly, and without a trap."""
    collector, browser = page
    sensor = Sensor(collector)
    for i in range(3):
        sensor.conn(age_s=3 - i, dst_port=440 + i, **({"rtt_us": 1000 + i} if i else {"state": "refused"}))
    sensor.stat(**LEDGER)
    sensor.post()
    browser.open()
    browser.wait("rows", lambda: len(browser.texts(".conns td.dst")) == 3)
    browser.wait("sensors", lambda: browser.texts(".strip-of li"))
    browser.wait("destinations", lambda: browser.texts(".dests td"))
    where = """() => { const e = document.activeElement; const s = getComputedStyle(e);
        return { tag: e.tagName, cls: e.className, text: (e.getAttribute('aria-label') ?? e.textContent).trim().slice(0, 60),
                 in: e.closest('section')?.className.trim() ?? e.closest('header')?.className ?? '',
                 visible: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 }; }"""

    def walk(order):
        browser.js("() => { document.activeElement.blur(); document.body.focus(); }")
        stops = []
        for _ in range(120):
            browser.do("press", key="Tab")
            at = browser.js(where)
            if at["tag"] == "BODY":
                break
            stops.append(at)
        else:
            raise AssertionError(f"the focus does not come out again: {stops}")
        assert all(s["visible"] for s in stops), [s for s in stops if not s["visible"]]
        names = [s["text"] for s in stops]
        at = -1
        for name in order:
            assert name in names[at + 1:], f"{name} is not reached behind {names[:at + 1]} in {names}"
            at = names.index(name, at + 1)
        return stops, names

    stops, names = walk(["Skip to live handshakes", "Now", "Sensors", "Colours: auto", "5 min", "1 h", "24 h", "7 d", "30 d", "Earlier by one window",
                         "Pause", "As a table", "Live handshakes, newest first", "Table of failures", "Table of top destinations", "Handshakes", "p95 ms"])
    assert sum(name.endswith(", details of this handshake") for name in names) == 3, names
    show(browser, "Sensors")
    browser.wait("ledger", lambda: browser.texts(".sum"))
    stops, names = walk(["Skip to the page", "Pause", "Table of sensors", "Make a code", "Table of plugins", "What do these numbers mean?", "metrics"])
    terms = [s["text"] for s in stops if s["cls"] == "term"]
    for word in ("seen", "sampled out", "logged", "received", "gap", "tail", "parsed", "malformed", "missing", "coverage"):
        assert any(t.startswith(word) for t in terms), (word, terms)

    # An explanation, the help; skip link, a row's details.
    shown = "() => getComputedStyle(document.querySelector('.f-gap .tip')).display !== 'none'"
    assert browser.js(shown) is False
    browser.js("() => document.querySelector('.f-gap .term').focus()")
    assert browser.js(shown) is True
    assert "could not deliver" in browser.js(
        "() => document.getElementById(document.activeElement.getAttribute('aria-describedby')).textContent")
    browser.do("press", key="Escape")
    assert browser.js(shown) is False
    browser.js("() => document.querySelector('.help summary').focus()")
    browser.do("press", key="Enter")
    assert browser.js("() => document.querySelector('.help').open && document.querySelectorAll('.help dd').length") >= 15
    show(browser, "Now")
    browser.wait("rows again", lambda: len(browser.texts(".conns td.dst")) == 3)
    browser.js("() => document.querySelector('.skip').focus()")
    browser.do("press", key="Enter")
    assert browser.js("() => document.activeElement.type") == "search"
    browser.do("type", text="442")
    browser.wait("the filter", lambda: browser.texts(".conns td.dst .port") == [":442"])
    for _ in range(4):
        browser.do("press", key="Backspace")
    browser.js("() => document.querySelector('button.row').focus()")
    browser.do("press", key="Enter")
    browser.wait("details", lambda: browser.texts(".detail dt"))
    assert browser.js("() => document.querySelector('button.row').getAttribute('aria-expanded')") == "true"
    browser.do("press", key="Enter")
    browser.wait("no details", lambda: not browser.texts(".detail dt"))
    # While the keyboard is in the list it stands still, and says so.
    browser.js("() => document.querySelector('button.row').focus()")
    sensor.conn(dst_port=9999, rtt_us=50)
    sensor.post()
    browser.wait("the held list", lambda: "1 new" in (browser.text(".waiting") or ""))
    assert ":9999" not in browser.texts(".conns td.dst .port")
    browser.js("() => document.activeElement.blur()")
    browser.wait("the row", lambda: browser.texts(".conns td.dst .port")[0] == ":9999")


# ---- hostile strings ----

def test_hostile_strings(page):
    """In every string that the schema leaves open; each is on the page as the text that it is."""
    collector, browser = page
    hostile = payloads()
    short = [p[:15] for p in hostile]
    sensor = Sensor(collector, "h")
    for i, p in enumerate(hostile):
        sensor.conn(age_s=100 - i * 0.1, host=p, dst_name=p, iif=short[i], oif=short[-1 - i], x_note=p, x_list=[p, {p: p}], rtt_us=1000 + i)
        sensor.add("attempt", 50, last_ts=ts(3), dir="inbound", src_ip=f"198.51.100.{i}", dst_ip="192.0.2.1", proto="tcp", count=200 - i,
                   dst_ports=[22], verdict="dropped", kind="single", rule=p[:127], host=p, dst_name=p, iif=short[i], oif=short[i])
        sensor.add("rollup", 50, window_us=60000000, by="dst_net", key=p[:64], conns=1, x_note=p)
    sensor.post()
    # A stat report holds a dozen of them; each sensor has one.
    entries = [{"name": p, "version": p, "state": "ok", "calls": 1, "cpu_us": 1, "max_us": 1, "counters": {p: i}, "x": p}
               for i, p in enumerate(hostile)]
    number, chunk = 0, []

    def flush():
        nonlocal number, chunk
        if chunk:
            s = Sensor(collector, f"s{number:02}")
            s.stat(**{**LEDGER, "version": chunk[0]["name"], "plugins": chunk,
                      "groups": [{"group": i, "class": e["name"][:16]} for i, e in enumerate(chunk[:16])]})
            s.post()
            number, chunk = number + 1, []

    for entry in entries:
        if chunk and len(json.dumps(chunk + [entry])) > 13000:
            flush()
        chunk.append(entry)
    flush()

    browser.open()
    newest_first = hostile[::-1]
    browser.wait("200 rows", lambda: len(browser.texts(".conns td.dst")) == 200)
    assert browser.texts(".conns td.src .name") == newest_first
    assert browser.texts(".conns td.dst .name") == newest_first
    titles = browser.js("() => [...document.querySelectorAll('.conns td.src .host')].map((e) => e.title)")
    assert titles == [f"{p} (192.168.1.23)" for p in newest_first]

    # Each row's details.
    details = browser.js("""async () => {
        const all = [];
        for (const b of document.querySelectorAll('button.row')) {
            b.click();
            await new Promise((done) => setTimeout(done, 0));
            const row = document.querySelector('tr.detail');
            all.push(Object.fromEntries([...row.querySelectorAll('dt')].map((dt) => [dt.textContent, dt.nextSibling.textContent])));
            b.click();
            await new Promise((done) => setTimeout(done, 0));
        }
        return all;
    }""")
    compact = {"ensure_ascii": False, "separators": (",", ":")}
    assert len(details) == 200
    for i, (p, fields) in enumerate(zip(hostile, details[::-1], strict=True)):
        assert (fields["host"], fields["dst_name"], fields["x_note"]) == (p, p, p)
        assert (fields["iif"], fields["oif"]) == (short[i], short[-1 - i])
        # \x7f and beyond stay themselves in both; JSON.stringify escapes nothing else that json does not.
        assert json.loads(fields["x_list"]) == [p, {p: p}]

    # The ledgers: plugins, their versions and counters, groups, the sensor's version.
    show(browser, "Sensors")
    browser.wait("all sensors", lambda: len(browser.texts(".sensor")) == number + 1)
    assert browser.texts(".plugins .pname") == hostile
    assert browser.texts(".plugins .version") == hostile
    assert browser.texts(".plugins .counter bdi") == hostile
    assert set(browser.texts(".groups td bdi")) <= {p[:16] for p in hostile}
    assert set(browser.texts(".about bdi")) <= set(hostile)
    assert set(browser.texts(".health td:last-child bdi")) <= {*hostile, "–"}
    show(browser, "Now")

    # Paths and plugins' own reports are shown as they come: in small groups, within the stream's budget.
    browser.wait("the stream", lambda: browser.js("() => document.querySelector('.link').dataset.link") == "live")
    for i in range(0, 200, 20):
        group = hostile[i:i + 20]
        for p in group:
            sensor.add("plugin", 0, plugin="demo", kind="hello", plugin_version=p, data={p: p, "list": [p]})
            sensor.add("trace", 0, dst_ip="192.0.2.9", dst_name=p, method="udp", reached=False, hops=[{"ttl": 1, "ip": "192.0.2.1", "name": p}])
        sensor.post()
        expected = [t for p in group[::-1] for t in
                    (f"did not reach {p} in 1 hops: {p}", json.dumps({p: p, "list": [p]}, **compact))]
        browser.wait(f"reports {i} to {i + 19}", lambda: same_says(browser.texts(".says bdi")[:40], expected))
        time.sleep(1)  # the stream's budget is by the second

    # Filters are strings from a stranger too: from a link that he sent.
    for p in hostile[:40]:
        browser.js("""(text) => { const e = document.querySelector('.live input'); e.value = text;
            e.dispatchEvent(new Event('input', { bubbles: true })); }""", p)
    browser.js("(text) => { location.hash = new URLSearchParams({ q: text }).toString(); }", hostile[0])
    browser.wait("the filter of the link", lambda: browser.js("() => document.querySelector('.live input').value") == hostile[0])
    assert browser.js("() => window.pwned") is None
    assert browser.js("() => document.querySelectorAll('#app script, #app iframe, #app link, #app style, #app [style*=evil], #app form').length") == 0
    assert browser.js("() => [...document.querySelectorAll('#app *')].filter((e) => [...e.attributes].some((a) => a.name.startsWith('on'))).length") == 0


def same_says(shown, expected):
    """JSON is compared as what it says: engines differ in what they escape."""
    return len(shown) == len(expected) and all(a == b or (a[:1] == b[:1] == "{" and json.loads(a) == json.loads(b))
                                               for a, b in zip(shown, expected))
