# SPDX-License-Identifier: GPL-2.0-or-later
"""The shell of the page, Now, Destinations, Inbound and Sensors on the data set of `net-gazer-collector demo --seed 7`."""
import datetime
import json
import re
import time

from browser_rig import awake, picture
from lib import ng
from test_page import ms_text, show, spaced, tile

LOOKS = (("", "light", 1280, 860), ("-dark", "dark", 1280, 860), ("-phone", "light", 390, 844))


def go(browser, hash_):
    """To an address of the page, as a link from elsewhere would."""
    if browser.js("() => location.protocol") != "http:":
        browser.open("/" + hash_)
    else:
        browser.js("(h) => { location.hash = h; }", hash_)


def pictures(browser, name):
    """In both colours and on a phone: nothing is cut off at the side, and axe finds nothing."""
    browser.do("away")
    browser.js("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    for suffix, scheme, width, height in LOOKS:
        browser.do("scheme", scheme=scheme)
        browser.do("size", width=width, height=height)
        browser.wait(f"a layout for {width}", lambda w=width, s=scheme: browser.js(
            "([w, s]) => innerWidth === w && document.documentElement.scrollWidth <= w && document.documentElement.dataset.theme === s", [w, s]))
        picture(browser, name + suffix)
        # All rules once; then what another colour or another layout can change.
        rules = {"only": "color-contrast"} if suffix == "-dark" else {"but": "color-contrast"} if suffix == "-phone" else {}
        assert browser.do("axe", **rules) == [], f"accessibility of {name}{suffix}"
        small = browser.js("""() => [...document.querySelectorAll('main *, .toolbar *')].filter((e) => e.childNodes.length && !e.closest('svg')
            && parseFloat(getComputedStyle(e).fontSize) < 10.9).map((e) => e.className + getComputedStyle(e).fontSize)""")
        assert small == []
    browser.do("scheme", scheme="light")
    browser.do("size", width=1280, height=800)


def unix_s(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def iso(s):
    return datetime.datetime.fromtimestamp(s, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def asked(browser, what):
    return sum(what in u for u in browser.do("seen")["requests"])


def inked(browser, selector):
    """How much of a chart is painted: a share of its pixels."""
    return browser.js("""(s) => { const c = document.querySelector(s); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n / (d.length / 4); }""", selector)


def test_now(demo):
    """The first page, and only what it needs."""
    collector, browser = demo
    browser.open("/#w=24h")
    browser.wait("rows", lambda: len(browser.texts(".conns td.dst")) == 200)
    browser.wait("a summary", lambda: tile(browser, "conns") == spaced(collector.get("/api/summary?window_s=86400")["conns"]))
    assert not [u for u in browser.do("seen")["requests"] if re.search(r"/(destinations|inbound|sensors|paths|map|explore)\.js", u)]
    awake(collector)
    browser.wait("sensors", lambda: len(browser.texts(".strip-of .good")) == 3)
    assert browser.js("() => document.title") == "Now: net-gazer"
    changes_said(collector, browser, "window_s=86400")
    pictures(browser, "now")


def change_said(browser, name):
    """(by how much, what it was before) of a tile: the arrow, its number and the words to hear say the same."""
    shape, text, words = browser.js("""(id) => { const e = document.querySelector(`.tile.${id} .change`), d = e.querySelector('path').getAttribute('d');
        return [d.startsWith('M6 10') ? 1 : d.startsWith('M6 2v') ? -1 : 0, e.querySelector('[aria-hidden=true]:not(svg)').textContent, e.querySelector('.vh').textContent]; }""", f"t-{name}")
    found = re.fullmatch(r"(?:([\d.]+) (%|percentage points) (more|less|longer|shorter)|about the same): (.+) in the (?:24 hours|hour) before", words)
    assert found, words
    if not found[1]:
        assert (shape, text) == (0, "even")
        return 0, found[4]
    assert text == f"{found[1]} {'%' if found[2] == '%' else 'pt'}"
    assert shape == (1 if found[3] in ("more", "longer") else -1)
    return shape * float(found[1]), found[4]


def changes_said(collector, browser, ask):
    """Each tile says how its number differs from that of the window before."""
    failed = lambda n: (n["refused"] + n["timeout"] + n["other"]) / n["conns"]
    length = lambda n: unix_s(n["until_ts"]) - unix_s(n["from_ts"])
    wrong = []

    def right():
        now = collector.get(f"/api/summary?{ask}")
        before = now["before"]
        wrong[:] = []
        for name, key in (("conns", "conns"), ("attempts", "attempts"), ("p50", "rtt_p50_us"), ("p95", "rtt_p95_us")):
            by, was = change_said(browser, name)
            # That of before may be longer by a part of an hour: counts are compared as if it were not.
            longer = length(before) / length(now) if name in ("conns", "attempts") else 1
            expected = (now[key] / before[key] * longer - 1) * 100
            # Below 5 percent it is called even; of an hour that still runs up to a minute is missing.
            if not (abs(by - expected) < 3 or (by == 0 and abs(expected) < 7)) or (name in ("conns", "attempts") and was != spaced(before[key])):
                wrong.append((name, by, was, expected, before[key]))
        by, was = change_said(browser, "failed")
        if abs(by - (failed(now) - failed(before)) * 100) > 0.11 or abs(float(was.split(" ")[0]) - failed(before) * 100) > 0.06:
            wrong.append(("failed", by, was, failed(now), failed(before)))
        return not wrong
    ng.wait_for(lambda: wrong, right, every_s=0.1)


def test_window_and_sensor(demo):
    """The window goes back and forth, the sensor is chosen once for all pages, and the address says so."""
    collector, browser = demo
    go(browser, "#w=1h")
    browser.wait("an hour", lambda: tile(browser, "conns") == spaced(collector.get("/api/summary?window_s=3600")["conns"]))
    browser.do("click", selector=".earlier")
    browser.wait("the hour before", lambda: "u=" in browser.js("() => location.hash"))
    until = browser.js("() => new URLSearchParams(location.hash.slice(1)).get('u')")
    before = collector.get(f"/api/summary?window_s=3600&until={until}")["conns"]
    browser.wait("its numbers", lambda: tile(browser, "conns") == spaced(before))
    assert browser.text(".toolbar .until").startswith("until ")
    assert browser.text(".live .note") == "last 200, of now"
    browser.do("click", selector=".later")
    browser.wait("now again", lambda: browser.text(".toolbar .until") is None and "u=" not in browser.js("() => location.hash"))

    # Of two days ago hours are kept: the page says which, its rate is theirs, and the step back is to the hour before.
    old_s = time.time() // 3600 * 3600 - 2 * 86400
    go(browser, f"#w=5m&u={iso(old_s - 1800)}")
    hour = collector.get(f"/api/summary?window_s=300&until={iso(old_s - 1800)}")
    assert (unix_s(hour["from_ts"]), unix_s(hour["until_ts"])) == (old_s - 3600, old_s)
    browser.wait("the hour", lambda: tile(browser, "conns") == spaced(hour["conns"]))
    assert re.search(r"is from \d+ \w+ \d\d:00 to \d+ \w+ \d\d:00\.$", browser.text(".covers"))
    rate, per = re.fullmatch(r"([\d.]+) an? (minute|hour)", browser.text(".t-conns .sub")).groups()
    assert abs(float(rate) * (60 if per == "minute" else 1) - hour["conns"]) <= (30 if hour["conns"] >= 600 else 3)
    assert browser.text(".t-conns .change .vh").endswith(f": {spaced(hour['before']['conns'])} in the hour before")
    assert re.match(r"last hour until \d+ \w+ \d\d:00$", browser.text(".panel.chart .note"))
    browser.do("click", selector=".earlier")
    browser.wait("the hour before", lambda: browser.js("() => new URLSearchParams(location.hash.slice(1)).get('u')") == iso(old_s - 3600))
    browser.wait("its numbers", lambda: tile(browser, "conns") == spaced(hour["before"]["conns"]))
    # Where minutes are kept, all pages count what was asked for, and nothing else is said.
    go(browser, f"#w=5m&u={iso(time.time() // 60 * 60 - 3600)}")
    browser.wait("no such line", lambda: browser.text(".covers") is None and (browser.text(".panel.chart .note") or "").startswith("last 5 minutes until "))
    go(browser, "#w=1h")
    browser.wait("an hour again", lambda: browser.text(".panel.chart .note") == "last hour")

    browser.js("""() => { const e = document.querySelector('.toolbar select'); e.value = 'home'; e.dispatchEvent(new Event('change', { bubbles: true })); }""")
    browser.wait("one sensor", lambda: tile(browser, "conns") == spaced(collector.get("/api/summary?window_s=3600&sensor=home")["conns"]))
    assert browser.js("() => location.hash") == "#w=1h&s=home"
    browser.wait("its coverage alone", lambda: re.fullmatch("1 of 1 silent|1 sensor reporting", browser.text(".t-coverage .sub")))
    changes_said(collector, browser, "window_s=3600&sensor=home")
    show(browser, "Inbound")
    browser.wait("its attempts", lambda: asked(browser, "/api/inbound?window_s=3600&sensor=home"))
    assert browser.js("() => location.hash") == "#p=inbound&w=1h&s=home"
    browser.js("() => history.back()")
    browser.wait("the page before", lambda: browser.text("nav a[aria-current]") == "Now")
    # A name that a link brings and that nobody has: said, and left again.
    go(browser, "#w=1h&s=nobody")
    browser.wait("nothing of it", lambda: tile(browser, "conns") == "0")
    assert browser.js("() => document.querySelector('.toolbar select').value") == "nobody"


def dest_rows(browser):
    return browser.js("""() => [...document.querySelectorAll('.dests tbody tr')].map((tr) => [tr.querySelector('.dst .go')?.textContent, tr.querySelector('.conns span span').textContent,
        tr.querySelector('.p50').textContent, tr.querySelector('.p95').textContent])""")


def test_destinations(demo):
    collector, browser = demo
    go(browser, "#p=destinations&w=24h")

    def shown(rows, name):
        return [[name(r), spaced(r["conns"]), *(ms_text(r[k]) if k in r else "–" for k in ("rtt_p50_us", "rtt_p95_us"))] for r in rows[:50]]

    def port_name(r):
        return None if r is None else f"{r['dst_name']}{r['dst_ip']}" if "dst_name" in r else r["dst_ip"]

    def api(by):
        return collector.get(f"/api/destinations?window_s=86400&limit=200{by}")["destinations"]

    def same(by, key):
        rows = dest_rows(browser)
        expected = shown(sorted(api(by), key=lambda r: (-key(r), -r["conns"])), port_name)
        # Names carry the port and its service behind them; equal ones may be in any order.
        return len(rows) == len(expected) == 50 and [r[1] for r in rows] == [e[1] for e in expected] \
            and sorted(r[1:] for r in rows[:20]) == sorted(e[1:] for e in expected[:20]) and all(a[0].startswith(b[0]) for a, b in zip(rows[:3], expected[:3], strict=True))
    browser.wait("the busiest", lambda: same("", lambda r: r["conns"]))
    browser.js("() => [...document.querySelectorAll('.dests th button')].find((b) => b.textContent === 'p95 ms').click()")
    browser.wait("the slowest", lambda: same("", lambda r: r.get("rtt_p95_us", -1)))
    assert browser.js("() => location.hash") == "#p=destinations&w=24h&sort=p95"
    assert browser.js("() => document.querySelector('.dests th[aria-sort=descending]').textContent") == "p95 ms"
    browser.do("reload")
    browser.wait("the slowest, still", lambda: same("", lambda r: r.get("rtt_p95_us", -1)))
    browser.do("click", selector="button[data-by=host]")
    browser.wait("by host", lambda: asked(browser, "by=host") and same("&by=host", lambda r: r.get("rtt_p95_us", -1)))
    go(browser, "#p=destinations&w=24h")
    browser.wait("by port again", lambda: same("", lambda r: r["conns"]))
    pictures(browser, "destinations")

    # Filter: here, at once.
    browser.js("""(text) => { const e = document.querySelector('main input'); e.value = text; e.dispatchEvent(new Event('input', { bubbles: true })); }""", ":22 -198.18.0.4")
    browser.wait("port 22", lambda: dest_rows(browser) and all(":22ssh" in r[0] for r in dest_rows(browser)))
    browser.js("""(text) => { const e = document.querySelector('main input'); e.value = text; e.dispatchEvent(new Event('input', { bubbles: true })); }""", "<i>none</i>")
    browser.wait("no match", lambda: "No destination matches <i>none</i>" in (browser.text(".destinations .empty") or ""))
    browser.do("click", selector=".destinations .empty button")
    browser.wait("all", lambda: len(dest_rows(browser)) == 50)
    # By network and country, each a way to its hosts.
    for by, name in (("as", "as_org"), ("cc", "cc")):
        browser.do("click", selector=f"button[data-by={by}]")
        browser.wait(f"by {by}", lambda b=by, n=name: browser.texts(f".dests.by-{b} .go :is(.name, .cc)")[:3] == [r[n] for r in api(f"&by={b}") if r.get(n)][:3])
    browser.js("() => document.querySelector('.dests tbody .go').click()")
    browser.wait("its hosts", lambda: browser.texts(".dests.by-host td.dst"))
    assert len(set(browser.texts(".dests .place .cc"))) == 1
    # What a row says is what the list behind it adds up to, of the least too; the choice is taken back where it stands.
    for by, key in (("as", "asn"), ("cc", "cc")):
        for least in [r for r in api(f"&by={by}") if r[key] and r["hosts_n"] <= 50][-2:]:
            go(browser, f"#p=destinations&w=24h&by={by}")
            browser.wait(f"by {by}", lambda b=by: browser.texts(f".dests.by-{b} td.dst"))
            browser.js("() => document.querySelector('.destinations .more')?.click()")
            name = f"AS{least['asn']}" if by == "as" else least["cc"]
            browser.wait("the row", lambda n=name: browser.js("""(n) => { const e = [...document.querySelectorAll('.dests tbody tr')].find((r) => [...r.querySelectorAll('.second, .cc')].some((x) => x.textContent === n));
                e?.querySelector('.go').click(); return !!e; }""", n))
            browser.wait("its hosts alone", lambda r=least: len(found := browser.texts(".dests.by-host td.conns")) == r["hosts_n"]
                         and sum(int(n.replace(",", "")) for n in found) == r["conns"])
            assert browser.js("(k) => new URLSearchParams(location.hash.slice(1)).get(k)", key) == str(least[key])
            browser.do("click", selector=f".chosen .any-{key}")
            browser.wait("all hosts", lambda: len(browser.texts(".dests.by-host td.dst")) == 50 and browser.text(".chosen") is None)
    go(browser, "#p=destinations&w=24h&by=host&cc=-")
    nowhere = lambda: sum(r["conns"] for r in api("&by=cc") if not r["cc"])
    browser.wait("of no country", lambda: "no country is known" in (browser.text(".chosen") or "") and asked(browser, "by=host&limit=200&cc=")
                 and sum(int(n.replace(",", "")) for n in browser.texts(".dests.by-host td.conns")) == nowhere())


def test_destination(demo):
    """All about one: what the API says, as smoke, bars, lists and a table."""
    collector, browser = demo
    go(browser, "#p=destinations&w=24h")
    browser.wait("the list", lambda: dest_rows(browser))
    browser.js("() => document.querySelector('.dests tbody .go').click()")
    browser.wait("one of them", lambda: browser.texts(".tile") and browser.js("() => document.querySelectorAll('.smoke canvas').length") == 2)
    place = browser.js("() => Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")
    ask = lambda: collector.get(f"/api/destination?window_s=86400&dst={place['dst']}&port={place['port']}")
    totals = ask()["totals"]
    assert totals["conns"] > 500
    browser.wait("its numbers", lambda: tile(browser, "conns") == spaced(ask()["totals"]["conns"]))
    for id_, key in (("p50", "rtt_p50_us"), ("p95", "rtt_p95_us"), ("lan50", "src_rtt_p50_us"), ("lan95", "src_rtt_p95_us")):
        value, unit = re.fullmatch(r"([\d.,]+)(µs|ms|s)", tile(browser, id_)).groups()
        assert abs(float(value) * {"µs": 1, "ms": 1000, "s": 1e6}[unit] / totals[key] - 1) < 0.05, id_
    ends = browser.js("() => [...document.querySelectorAll('.ends .outcomes li')].map((li) => [li.querySelector('.mark').textContent, li.querySelector('b').textContent])")
    words = ("established", "answered", "refused", "timeout", "unreachable", "aborted", "orphan")
    assert len(ends) > 2 and {k: n for k, n in ends} == {k: spaced(totals[k]) for k in words if totals[k]}
    # Each outcome is in the stack, in the colour of its list, and in the table step by step.
    painted = browser.js("""() => { const c = document.querySelector('.ends canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, seen = {};
        for (let i = 0; i < d.length; i += 4) if (d[i + 3] === 255) seen[`rgb(${d[i]}, ${d[i + 1]}, ${d[i + 2]})`] = (seen[`rgb(${d[i]}, ${d[i + 1]}, ${d[i + 2]})`] ?? 0) + 1;
        return [...document.querySelectorAll('.ends .swatch')].map((e) => seen[getComputedStyle(e.querySelector('rect')).fill] ?? 0); }""")
    assert len(painted) == len(ends) and all(n > 10 for n in painted), (ends, painted)
    browser.do("click", selector=".ends .actions button")
    heads = [h.lower() for h in browser.wait("the outcomes as a table", lambda: browser.texts(".ends .twin thead th"))]
    assert heads[2:] == [k for k, _ in ends]
    rows = browser.js("() => [...document.querySelectorAll('.ends .twin tbody tr')].map((tr) => [...tr.querySelectorAll('td')].map((td) => Number(td.textContent.replaceAll(',', ''))))")
    assert all(sum(r[1:]) == r[0] for r in rows) and [spaced(sum(r[i + 1] for r in rows)) for i in range(len(ends))] == [n for _, n in ends]
    browser.do("click", selector=".ends .actions button")
    assert 0.02 < inked(browser, ".smoke canvas") < 0.9
    # Smoke of the two halves: where their histograms lie, no other place is painted.
    browser.do("click", selector=".smoke .actions button")
    twin = browser.wait("the table", lambda: browser.js("() => [...document.querySelectorAll('.twin tbody tr')].map((tr) => [...tr.querySelectorAll('td')].map((td) => Number(td.textContent.replaceAll(',', ''))))"))
    assert abs(sum(r[0] for r in twin) / totals["conns"] - 1) < 0.02
    assert abs(sum(r[2] for r in twin) / sum(n for p in ask()["series"] for _, n in p["hist"]) - 1) < 0.02
    browser.do("click", selector=".smoke .actions button")
    browser.wait("who saw it", lambda: browser.texts(".by-sensor td bdi") == [s["sensor"] for s in ask()["sensors"]])
    counted = "() => [...document.querySelectorAll('.dst-sources td.num:nth-child(2)')].map((e) => Number(e.textContent))"
    browser.wait("from whom", lambda: browser.js(counted) == [s["conns"] for s in ask()["sources"][:10]], deadline_s=90)
    assert browser.js("() => [...document.querySelectorAll('.dest .go')].map((a) => a.hash)")[0].startswith(f"#p=paths&w=24h&dst={place['dst'].replace(':', '%3A')}")
    pictures(browser, "destination")
    browser.js("() => history.back()")
    browser.wait("the list again", lambda: dest_rows(browser))
    # Over seven days sources are those of the newest handshakes, and how many those are, unless this machine was fast enough for
    # all; ports are of all.
    most = collector.get("/api/destinations?window_s=604800&by=host&limit=1")["destinations"][0]["dst_ip"]
    week = collector.get(f"/api/destination?window_s=604800&dst={most}")
    assert week["ports_n"] == len(week["ports"])
    go(browser, f"#p=destinations&w=7d&dst={most}")
    some = rf"in the newest [\d,]+ of {spaced(week['totals']['conns'])} handshakes|the busiest {len(week['sources'])} of [\d,]+"
    browser.wait("how many", lambda: browser.texts(".dst-sources td") and (
        re.fullmatch(some, browser.text(".dst-sources .note") or "") or (browser.text(".dst-sources .note") is None and len(week["sources"]) < 100)))
    assert browser.text(".dst-ports .note") is None
    # None at all, and no address.
    go(browser, "#p=destinations&w=24h&dst=203.0.113.250")
    browser.wait("nothing of it", lambda: "No handshake with it" in (browser.text(".dest .empty") or ""))
    go(browser, "#p=destinations&w=24h&dst=%3Cscript%3E")
    browser.wait("the list instead", lambda: dest_rows(browser))


def test_inbound(demo):
    collector, browser = demo
    go(browser, "#p=inbound&w=24h")
    numbers = lambda: collector.get("/api/inbound?window_s=86400")

    def sums():
        series = numbers()["series"]
        return [sum(p.get(k, 0) for p in series for k in names) for names in (("dropped", "rejected"), ("unknown",), ("accepted",))]
    browser.wait("the numbers", lambda: tile(browser, "knocks") == spaced(sum(sums())))
    assert tile(browser, "let") == spaced(sums()[2]) != "0"
    browser.wait("the chart", lambda: browser.js("() => !!document.querySelector('.chart canvas')"))
    assert inked(browser, ".chart canvas") > 0.1
    # Open to the world: exactly what was accepted.
    ports = numbers()["ports"]
    let_in = sorted((p for p in ports if p["verdicts"].get("accepted")), key=lambda p: -p["verdicts"]["accepted"])
    assert let_in and sorted(browser.texts(".open-ports .port-name b")) == sorted(str(p["port"]) for p in let_in[:len(browser.texts(".open-ports li"))])
    # Ports: the table has all, the strips the sum of each cell; one chosen leaves its sources.
    browser.do("click", selector=".knocked > button.more")
    browser.wait("all ports", lambda: len(browser.texts(".ports-of tbody tr")) == len(ports))
    assert browser.texts(".ports-of tbody .port-name b") == [str(p["port"]) for p in ports]
    cells = browser.texts(".strip title")
    assert len(cells) == 127 and sum(int(re.search(r": ([\d,]+) SYNs", c)[1].replace(",", "")) for c in cells) == sum(p["count"] for p in ports)
    attempts = collector.get("/api/attempts?window_s=86400&limit=200")["attempts"]
    # The kinds are those of all sources.
    kinds = lambda: dict(re.fullmatch(r"(.+?)\s*([\d,]+) sources?", " ".join(t.split())).groups() for t in browser.texts(".kinds .outcomes li"))
    browser.wait("all kinds", lambda: sorted(kinds().values()) == sorted(spaced(n) for n in numbers()["kinds"].values()))
    assert sum(numbers()["kinds"].values()) == numbers()["sources_n"] > 0
    # Of the busiest port: its sources' SYNs there, which add up to the port's.
    port = ports[0]["port"]
    browser.js("(p) => [...document.querySelectorAll('.ports-of button')].find((b) => b.querySelector('b').textContent === p).click()", str(port))
    there = lambda: collector.get(f"/api/attempts?window_s=86400&limit=200&port={port}")
    shown = lambda: browser.js("""() => [...document.querySelectorAll('.knockers tbody tr')].map((r) => ['.addr', '.bars > span:last-child'].map((s) => r.querySelector(s).textContent))""")
    browser.wait("who knocked there", lambda: shown() == [[x["src_ip"], spaced(x["count"])] for x in there()["attempts"]][:25])
    assert there()["told_count"] == next(p["count"] for p in numbers()["ports"] if p["port"] == port) == there()["port_count"]
    assert browser.js("() => location.hash") == f"#p=inbound&w=24h&port={port}"
    browser.do("click", selector=".sources header button")
    browser.js("""(text) => { const e = document.querySelector('main input'); e.value = text; e.dispatchEvent(new Event('input', { bubbles: true })); }""", "accepted")
    browser.wait("those let in", lambda: browser.texts(".knockers .addr") == [x["src_ip"] for x in attempts if "accepted" in x["verdicts"]][:25])
    # The chart's twin says the same.
    browser.do("click", selector=".chart .actions button")
    twin = browser.wait("the table", lambda: browser.js("() => [...document.querySelectorAll('.twin tbody tr')].map((tr) => [...tr.querySelectorAll('td')].map((td) => Number(td.textContent.replaceAll(',', ''))))"))
    assert [sum(r[i] for r in twin) for i in range(3)] == sums()
    browser.do("click", selector=".chart .actions button")
    go(browser, "#p=inbound&w=24h")
    browser.wait("all of it", lambda: len(browser.texts(".knockers tbody tr")) == 25 and browser.js("() => !!document.querySelector('.chart canvas')"))
    pictures(browser, "inbound")


def test_sensors(demo):
    collector, browser = demo
    awake(collector)
    go(browser, "#p=sensors")
    runs = collector.get("/api/sensors")["sensors"]
    browser.wait("each of them", lambda: browser.texts(".health tbody th") == sorted(s["sensor"] for s in runs))
    browser.wait("all well", lambda: browser.texts(".health [data-of=State]") == ["reporting"] * 3)
    assert browser.texts(".health [data-of=Clock]") == ["in step"] * 3
    assert browser.texts(".health [data-of=Missing]") == ["0"] * 3
    browser.wait("ledgers that add up", lambda: browser.texts(".sum .even") == ["adds up"] * 12)
    storage = collector.get("/api/storage")
    assert browser.texts(".plugins .pname") == ["handshake", "attempts", "traceroute"] * 3
    browser.wait("what is kept", lambda: f"{spaced(storage['rows'])} reports" in (browser.text(".collector .storage") or ""))
    assert "GNU GPL" in browser.text(".collector")
    pictures(browser, "sensors")
    # One that lost packets and reports, and whose clock jumped.
    s = next(s for s in runs if s["sensor"] == "office")
    told = {k: v for k, v in s["stat"].items() if k != "plugins"}
    collector.request("POST", "/v1/reports", json.dumps({**told, "seq": s["seq_max"] + 5, "gap": 3, "clock_steps": 2, "spool_bytes": 4096}) + "\n",
                      {"Content-Type": "application/x-ndjson"})
    browser.wait("its state", lambda: browser.js("""() => { const tr = [...document.querySelectorAll('.health tbody tr')].find((r) => r.textContent.startsWith('office'));
        return [tr.querySelector('[data-of=Missing]').textContent, tr.querySelector('[data-of=Gaps]').textContent, tr.querySelector('[data-of=Clock]').textContent,
        tr.querySelector('[data-of=Spool]').textContent]; }""") == ["4", "3", "2 steps", "4 KiB"])
    assert browser.text(".ledger").count("PluginsThe sensor did not say.") == 1


def test_narrow(demo):
    """On the narrowest of phones no page is wider than the screen, and no choice and no figure is cut."""
    collector, browser = demo
    awake(collector)
    browser.do("size", width=360, height=780)
    for page in ("now", "destinations", "destinations&by=as", "paths", "map", "inbound", "explore", "sensors"):
        go(browser, f"#w=24h&p={page}")
        browser.wait(f"the page {page}", lambda p=page: browser.js("(p) => document.querySelector('main').classList.contains(p) && document.querySelectorAll('main .panel').length > 0", page.split("&")[0]))
        browser.wait(f"its layout: {page}", lambda: browser.js("""() => document.documentElement.scrollWidth <= innerWidth && document.querySelectorAll('main table tbody tr').length > 0
            && [...document.querySelectorAll('.segments button, .covered, td:has(> .covered), .countries .wide, .places .scroll, .knocked .wide, .targets .wide')].every((e) => e.scrollWidth <= e.clientWidth)"""))
    browser.do("size", width=1280, height=800)


def test_focus_in_sight(demo):
    """Going back through a page by keyboard, what has the focus is never below the header, nor below a table's head."""
    _, browser = demo
    for page in ("now", "destinations"):
        go(browser, f"#w=24h&p={page}")
        browser.wait(f"rows of {page}", lambda: len(browser.texts("main tbody tr")) > 20)
        browser.js("() => { [...document.querySelectorAll('main button, main a')].filter((e) => e.offsetParent).pop().focus(); }")
        for _ in range(40):
            browser.do("press", key="Shift+Tab")
            seen = browser.js("""() => { const e = document.activeElement, r = e.getBoundingClientRect(), head = e.closest('tbody') && e.closest('.scroll')?.querySelector('thead th');
                const under = Math.max(e.closest('header.top') ? 0 : document.querySelector('header.top').getBoundingClientRect().bottom, head?.getBoundingClientRect().bottom ?? 0);
                return [e.textContent.slice(0, 40), r.height > innerHeight / 2 || (r.bottom > under + 4 && r.top < innerHeight)]; }""")
            assert seen[1], seen


def test_theme(demo):
    """Light, dark, or as the system says; it stays."""
    _, browser = demo
    look = lambda: browser.js("() => [document.querySelector('.theme').textContent, document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor]")
    go(browser, "#w=1h")
    browser.wait("a page", lambda: browser.texts(".tile"))
    light = look()
    assert light[:2] == ["Colours: auto", "light"]
    browser.do("scheme", scheme="dark")
    browser.wait("dark", lambda: look()[1] == "dark" and look()[2] != light[2])
    browser.do("click", selector=".theme")
    browser.wait("light, whatever the system", lambda: look() == ["Colours: light", "light", light[2]])
    browser.do("reload")
    browser.wait("light, still", lambda: look() == ["Colours: light", "light", light[2]])
    browser.do("click", selector=".theme")
    browser.do("scheme", scheme="light")
    browser.wait("dark, whatever the system", lambda: look()[:2] == ["Colours: dark", "dark"])
    browser.do("click", selector=".theme")
    browser.wait("as the system", lambda: look() == light)


def test_costs(demo):
    """One stream; while nothing changes, few questions; a hidden tab asks for nothing and closes the stream."""
    collector, browser = demo
    go(browser, "#w=24h")
    browser.wait("the stream", lambda: browser.js("() => document.querySelector('.link').dataset.link") == "live")
    browser.wait("one line to the collector", lambda: collector.get("/health")["streams"] == 1)
    browser.wait("a summary", lambda: tile(browser, "conns") != "–")
    browser.js("() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true }); document.dispatchEvent(new Event('visibilitychange')); }")
    browser.wait("no stream", lambda: collector.get("/health")["streams"] == 0)
    before = len(browser.do("seen")["requests"])
    # The sensors' list alone is asked for each 10 s otherwise.
    ng.wait_for(lambda: "time", lambda t=time.monotonic(): time.monotonic() > t + 11, every_s=0.5)
    assert browser.do("seen")["requests"][before:] == []
    browser.js("() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); }")
    browser.wait("the stream again", lambda: collector.get("/health")["streams"] == 1 and len(browser.do("seen")["requests"]) > before)
