# SPDX-License-Identifier: GPL-2.0-or-later
"""The page "Paths" as a person sees it: traces posted as a sensor would post them."""
import json
import random

from browser_rig import LEDGER, Sensor, payloads, picture

# Behind two hops of the provider, one of them silent to half of the traces' neighbours: (name, AS's routers, leaves).
PROVIDER = ["100.64.0.1", "62.115.44.1"]
CITIES = {"62.115.140.18": ("ae1.fra.example.net", 9000), "80.239.128.5": ("ams-b7.example.net", 14000),
          "195.12.255.9": (None, 21000), "213.248.66.1": ("nyk-b3.example.net", 86000)}
SERVICES = [("142.250.74.110", "mail.example.com", "62.115.140.18", ["72.14.213.20", None], 443), ("142.250.74.14", None, "62.115.140.18", ["72.14.213.20", None], 443),
            ("151.101.1.140", "cdn.example.org", "62.115.140.18", ["185.199.110.1"], 443), ("151.101.65.140", None, "62.115.140.18", ["185.199.110.1"], 443),
            ("104.16.132.229", None, "80.239.128.5", ["172.68.1.1"], 443), ("104.16.44.99", "chat.example.com", "80.239.128.5", ["172.68.1.1"], 443),
            ("52.97.183.162", "office.example.com", "80.239.128.5", ["104.44.30.2", "104.44.7.6", None], 443), ("52.97.200.18", None, "80.239.128.5", ["104.44.30.2", "104.44.7.9"], 443),
            ("17.57.146.20", "push.example.com", "195.12.255.9", ["17.0.2.4"], 5223), ("17.57.146.23", None, "195.12.255.9", ["17.0.2.4"], 5223),
            ("140.82.121.4", "git.example.com", "62.115.140.18", [None, "140.82.112.1"], 22), ("91.189.91.83", "archive.example.net", "213.248.66.1", ["91.189.88.1", None], 80),
            ("45.57.12.144", "video.example.com", "195.12.255.9", ["45.57.90.1"], 443), ("198.51.100.25", "old.example.net", "213.248.66.1", ["203.0.113.66"], 993),
            ("208.80.154.224", "wiki.example.org", "213.248.66.1", ["208.80.153.220", "208.80.154.10"], 443), ("9.9.9.9", "dns.example.net", "80.239.128.5", [], 853)]


def path_hash(hops):
    return f"{hash(tuple(h.get('ip') for h in hops if 'ip' in h)) % 2**64:016x}"


def hops_to(dst, city, routers, dice, reached=True, cached=0):
    """A path of the seeded internet: the provider, a city, routers (None: silent), the destination."""
    base = CITIES[city][1]
    hops, us = [], 300
    for i, ip in enumerate([*PROVIDER, city, *routers, *([dst] if reached else [None, None])]):
        hop = {"ttl": i + 1}
        if i >= 2:
            us = base + (i - 2) * 1700 + dice.randrange(600)
        elif i == 1:
            us = 2900 + dice.randrange(500)
        else:
            us = 700 + dice.randrange(200)
        if i < cached and ip:
            hop |= {"ip": ip, "cached": True}
        elif ip:
            hop |= {"ip": ip, "rtt_us": [us], "sent": 1, "icmp": "11/0"}
        else:
            hop |= {"sent": 2}
        if ip in CITIES and CITIES[ip][0]:
            hop["name"] = CITIES[ip][0]
        if ip == "104.44.7.6":
            hop["mpls"] = [{"label": 24015, "tc": 0, "s": 1, "ttl": 1}]
        if reached and ip == dst:
            hop.pop("icmp", None)
        hops.append(hop)
    return hops


def trace(sensor, dst, hops, age_s=60.0, port=443, name=None, reached=True, old=None, **more):
    fields = {"dst_ip": dst, "dst_port": port, "method": "tcp-syn", "trigger": "conn", "reached": reached, "dur_us": 120000,
              "path_hash": path_hash(hops), "hops": hops} | more
    if name:
        fields["dst_name"] = name
    if old:
        fields["prev_path_hash"] = path_hash(old)
    return sensor.add("trace", age_s, **fields)


def an_internet(sensor):
    """Every service traced twice; the way to one changed, one is no longer reached."""
    dice = random.Random(7)
    for again in range(2):
        for i, (dst, name, city, routers, port) in enumerate(SERVICES):
            dead = dst == "198.51.100.25"
            hops = hops_to(dst, city, routers, dice, not dead, cached=(i % 3) if again else 0)
            trace(sensor, dst, hops, 3000 - 1400 * again - i * 7, port, name, not dead)
    old = hops_to("52.97.183.162", "80.239.128.5", SERVICES[6][3], dice)
    new = hops_to("52.97.183.162", "195.12.255.9", SERVICES[6][3], dice)
    trace(sensor, "52.97.183.162", new, 300, 443, "office.example.com", old=old, trigger="slow")
    sensor.stat(**LEDGER, seq_first=1)
    sensor.post()
    return old, new


def targets(browser):
    return browser.texts(".rows.paths td.dst .host bdi:first-child")


def lit(browser, kind):
    return browser.js("(k) => document.querySelectorAll(`.pg ${k}:not(.off)`).length", kind)


def test_paths(page):
    collector, browser = page
    browser.open("/#p=paths")
    sensor = Sensor(collector)
    sensor.conn(rtt_us=1000)
    sensor.stat(**LEDGER, seq_first=1)
    sensor.post()
    # Nothing traced: what to do about it; then the first trace turns the page without a reload.
    browser.wait("how to turn it on", lambda: browser.text(".start pre") == 'plugins = {"handshake", "attempts", "traceroute"}')
    assert browser.do("axe") == []
    browser.js("() => { window.same_page = true; }")
    old, new = an_internet(sensor)
    browser.wait("the graph", lambda: browser.texts(".pg .nd"))
    assert browser.js("() => window.same_page") is True

    # As many hops and links as the latest paths have; a link over silent hops is another kind.
    graph = collector.get("/api/graph?limit=200")
    browser.wait("all of it", lambda: len(browser.texts(".pg .nd")) == len(graph["nodes"]))
    assert len(browser.texts(".pg .lk")) == len(graph["links"])
    assert browser.js("() => document.querySelectorAll('.pg .lk.gap').length") == sum("gap" in x for x in graph["links"]) > 0
    assert sorted(browser.texts(".pg text.dst")) == sorted(
        ("◆ " if dst == "52.97.183.162" else "") + (name or dst) for dst, name, *_ in SERVICES)
    assert browser.js("() => document.querySelectorAll('.pg .no').length") == 1
    widths = browser.js("() => [...document.querySelectorAll('.pg .lk')].map((e) => Number(e.getAttribute('stroke-width')))")
    assert max(widths) > 2 * min(widths)
    # x is the TTL: every hop of one column, and columns in order.
    xs = browser.js("""() => [...document.querySelectorAll('.pg .nd')].map((e) => [Number(/hop (\\d+):/.exec(e.getAttribute('aria-label'))?.[1] ?? 0),
        e.transform.baseVal[0].matrix.e])""")
    column = dict(xs)
    assert all(x == column[ttl] for ttl, x in xs) and [column[t] for t in sorted(column)] == sorted(column.values())

    # The table, the latest first; the changed one says so.
    assert targets(browser)[0] == "office.example.com"
    assert browser.texts(".rows.paths tbody tr:first-child .warn")[0].startswith("changed ")
    browser.do("click", selector=".targets > button.more")
    browser.wait("all destinations", lambda: len(targets(browser)) == len(SERVICES))
    rows = browser.js("() => [...document.querySelectorAll('.rows.paths tbody tr')].map((tr) => [...tr.children].map((td) => td.textContent))")
    by_dst = {p["dst_ip"]: p for p in collector.get("/api/paths")["paths"]}
    for row, p in zip(rows, by_dst.values(), strict=True):
        assert row[1] == ("yes" if p["reached"] else "no") and row[2:4] == [str(p["hops_n"]), str(p["silent_n"])], (row, p)
        assert row[4] == ("–" if "rtt_us" not in p else f"{p['rtt_us'] / 1000:.2f}" if p["rtt_us"] < 9995 else f"{p['rtt_us'] / 1000:.1f}")
        assert row[5] == str(p["traces"])

    # One destination: both paths beside each other, what differs is marked.
    browser.js("() => document.querySelector('.rows.paths button.row').click()")
    browser.wait("its hops", lambda: browser.texts(".hops tbody tr"))
    assert browser.js("() => location.hash") == "#p=paths&dst=52.97.183.162"
    shown = browser.js("""() => [...document.querySelectorAll('.hops tbody tr')].map((tr) => ({ ttl: Number(tr.children[0].textContent),
        now: tr.querySelector('td.hop').textContent, before: tr.querySelector('td.before').textContent, differs: tr.classList.contains('differs') }))""")
    for row, a, b in zip(shown, new, old, strict=True):
        assert row["ttl"] == a["ttl"] and row["differs"] == (a.get("ip") != b.get("ip")), row
        assert a.get("ip", "no answer") in row["now"] and (b["ip"] in row["before"] if row["differs"] else row["before"] == "the same"), row
    assert sum(r["differs"] for r in shown) == 1
    assert browser.texts(".hops .chip") == ["MPLS 24015"]
    assert lit(browser, ".lk") == len([h for h in new if "ip" in h])
    assert lit(browser, ".nd") == len([h for h in new if "ip" in h]) + 1

    # A hop: everything through it, and nothing else.
    browser.do("click", selector=".route header button")
    browser.wait("no details", lambda: browser.text(".route") is None)
    browser.js("""() => document.querySelector('.pg .nd[aria-label*="195.12.255.9"]').dispatchEvent(new MouseEvent('click', { bubbles: true }))""")
    through = sorted(p["dst_ip"] for p in graph["paths"] if any(graph["nodes"][n].get("ip") == "195.12.255.9" for n in p["nodes"]))
    browser.wait("those through it", lambda: len(targets(browser)) == len(through))
    assert lit(browser, ".to") == len(through) == 4
    assert browser.js("() => location.hash") == "#p=paths&hop=195.12.255.9"
    browser.do("reload")
    browser.wait("the same view by its address", lambda: lit(browser, ".to") == len(through))
    browser.do("click", selector=".targets header button")
    browser.wait("all again", lambda: lit(browser, ".to") == len(SERVICES))
    # The browser's Back takes back a choice, and not the page; what is typed into the filter is no choice.
    browser.js("() => history.back()")
    browser.wait("the hop again", lambda: lit(browser, ".to") == len(through))
    browser.js("() => history.back()")
    browser.wait("none chosen", lambda: browser.js("() => location.hash") == "#p=paths" and lit(browser, ".to") == len(SERVICES))
    been = browser.js("() => history.length")

    # Filter.
    for words, n in (("changed", 1), ("unreached", 1), ("-reached", 0), ("93.184", 0), ("example.org", 2), ("195.12.255.9 -changed", 3)):
        browser.js("""(text) => { const e = document.querySelector('main input'); e.value = text;
            e.dispatchEvent(new Event('input', { bubbles: true })); }""", words)
        browser.wait(f"paths for {words}", lambda n=n: len(browser.texts(".pg .to")) == n)
    browser.js("""() => { const e = document.querySelector('main input'); e.value = 'no <i>such</i>'; e.dispatchEvent(new Event('input', { bubbles: true })); }""")
    browser.wait("no match", lambda: "No path matches no <i>such</i>" in (browser.text(".graph .empty") or ""))
    browser.do("click", selector=".graph .empty button")
    browser.wait("all paths", lambda: len(browser.texts(".pg .to")) == len(SERVICES))
    assert browser.js("() => history.length") == been

    # Keyboard: one stop in the graph, arrows along a path, Enter and Escape.
    browser.js("() => document.querySelector('.pg .nd[tabindex=\"0\"]').focus()")
    said = []
    for _ in range(3):
        browser.do("press", key="ArrowRight")
        said.append(browser.js("() => document.activeElement.getAttribute('aria-label')"))
    assert said[0].startswith("100.64.0.1, hop 1: median") and said[1].startswith("62.115.44.1, hop 2") and ", hop 3:" in said[2], said
    assert browser.text(".pathgraph .readout") == said[2]
    browser.do("press", key="ArrowDown")
    below = browser.js("() => document.activeElement.getAttribute('aria-label')")
    assert ", hop 3:" in below and below != said[2]
    browser.do("press", key="Enter")
    browser.wait("what goes through it", lambda: 0 < lit(browser, ".to") < len(SERVICES))
    assert browser.js("() => document.activeElement.getAttribute('aria-pressed')") == "true"
    browser.do("press", key="Escape")
    browser.wait("all of it again", lambda: lit(browser, ".to") == len(SERVICES))

    # The links as a table.
    browser.js("() => document.querySelector('.graph details summary').click()")
    links = browser.wait("the table", lambda: browser.js("() => [...document.querySelectorAll('.rows.links tbody tr')].map((tr) => [...tr.children].map((td) => td.textContent))"))
    assert len(links) == len(graph["links"])
    assert sum(int(r[3]) for r in links) == sum(x.get("gap", 0) for x in graph["links"])
    assert [int(r[5]) for r in links] == sorted((x["traces"] for x in graph["links"]), reverse=True)
    browser.js("() => document.querySelector('.graph details summary').click()")

    # A trace that comes in is on the page without a question by hand, and the rest of the view stays.
    browser.js("() => { window.same_page = true; }")
    browser.wait("the stream", lambda: browser.js("() => document.querySelector('.link').dataset.link") == "live")
    trace(sensor, "203.0.113.200", hops_to("203.0.113.200", "80.239.128.5", ["198.51.100.77"], random.Random(1)), 0, name="new.example.net")
    sensor.post()
    browser.wait("the new one", lambda: "new.example.net" in targets(browser))
    assert browser.js("() => window.same_page") is True

    # Pictures; accessible in both colours and on a phone.
    browser.do("away")
    browser.js("() => document.activeElement.blur()")
    for name, scheme, width, height, chosen in (("paths-few", "light", 1280, 800, ""), ("paths-hop-dark", "dark", 1280, 800, "&hop=195.12.255.9"),
                                                ("paths-route", "light", 1280, 1000, "&dst=52.97.183.162"), ("paths-route-phone", "light", 390, 844, "&dst=52.97.183.162")):
        browser.js("(hash) => { location.hash = hash; }", "p=paths" + chosen)
        browser.do("scheme", scheme=scheme)
        browser.do("size", width=width, height=height)
        browser.wait(f"a layout for {width}", lambda c=chosen: browser.js("() => document.documentElement.scrollWidth <= innerWidth")
                     and ("dst" not in c or browser.texts(".hops tbody tr")) and (not c or lit(browser, ".to") < len(SERVICES)))
        picture(browser, name)
        assert browser.do("axe") == [], f"accessibility of {name}"

    # Of one sensor: the page says which, counts its destinations, and lets go of it.
    other = Sensor(collector, "office")
    trace(other, "203.0.113.201", hops_to("203.0.113.201", "80.239.128.5", [], random.Random(2)), 1)
    other.stat(**LEDGER, seq_first=1)
    other.post()
    browser.js("() => { location.hash = '#p=paths&s=office'; }")
    browser.wait("one", lambda: browser.text(".graph .note") == "to 1 of 1 destinations" and browser.js("() => document.querySelector('.toolbar select')?.value") == "office")
    browser.js("() => { const e = document.querySelector('.toolbar select'); e.value = ''; e.dispatchEvent(new Event('change', { bubbles: true })); }")
    browser.wait("all sensors", lambda n=len(SERVICES) + 2: browser.text(".graph .note") == f"to {n} of {n} destinations")

    # Back to the other page, which was not asked for meanwhile.
    asked = [u for u in browser.do("seen")["requests"] if "/api/destinations" in u]
    assert asked == []
    browser.js("() => [...document.querySelectorAll('nav a')].find((a) => a.textContent === 'Now').click()")
    browser.wait("the rows", lambda: browser.texts(".conns td.dst"))
    assert browser.js("() => document.querySelector('nav a[aria-current]').textContent") == "Now"


def test_hostile_paths(page):
    """Names of hops and destinations, sensors' answers that are odd, an address in a link that is none."""
    collector, browser = page
    hostile = payloads()
    sensor = Sensor(collector, "h")
    for i, p in enumerate(hostile):
        dst = f"198.51.{100 + i // 250}.{i % 250}"
        trace(sensor, dst, [{"ttl": 1, "ip": "10.0.0.1", "rtt_us": [300]}, {"ttl": 2, "ip": f"10.1.0.{i}", "name": p, "rtt_us": [0], "sent": 1},
                            {"ttl": 3, "ip": dst, "rtt_us": [4294967295], "icmp": "255/255", "nat": True}], 60 - i * 0.1, name=p)
    # No hop, all silent, one router twice, one at the greatest distance only, answers out of order.
    odd = [("192.0.2.1", [], False), ("192.0.2.2", [{"ttl": t, "sent": 2} for t in range(1, 31)], False),
           ("192.0.2.3", [{"ttl": 1, "ip": "10.0.0.1"}, {"ttl": 2, "ip": "10.0.0.1"}, {"ttl": 3, "ip": "192.0.2.3"}], True),
           ("192.0.2.4", [{"ttl": 64, "ip": "192.0.2.4", "rtt_us": [5]}], True),
           ("192.0.2.5", [{"ttl": 3, "ip": "10.0.0.3"}, {"ttl": 1, "ip": "10.0.0.1"}, {"ttl": 5, "ip": "192.0.2.5"}], True)]
    for dst, hops, reached in odd:
        trace(sensor, dst, hops, 200, reached=reached)
    sensor.post()
    browser.open("/#p=paths&draw=svg&n=200")
    browser.wait("that there are more", lambda: "to 200 of 205 destinations" in (browser.text(".graph .note") or ""))
    browser.wait("the graph", lambda: len(browser.texts(".pg .to")) == 200)
    browser.do("click", selector=".targets > button.more")
    browser.wait("all destinations", lambda: len(targets(browser)) == 200)
    assert targets(browser) == hostile[::-1]
    browser.js("() => document.querySelector('.graph details summary').click()")
    names = browser.wait("the table", lambda: browser.js("() => [...document.querySelectorAll('.rows.links td:nth-child(3) .name')].map((e) => e.textContent)"))
    assert sorted(names) == sorted(hostile)
    labels = browser.js("() => [...document.querySelectorAll('.pg .nd')].map((e) => e.getAttribute('aria-label'))")
    assert all(any(text.startswith(f"{p}, 10.1.0.{i}, hop 2") for text in labels) for i, p in enumerate(hostile))
    # Each one's details.
    for i in (0, 3, 77, 150, 199):
        browser.js("(dst) => { location.hash = new URLSearchParams({ p: 'paths', dst }).toString(); }", f"198.51.100.{i}")
        browser.wait(f"details of {i}", lambda i=i: browser.text(".hops .name") == hostile[i] and browser.text(".route h2 bdi") == hostile[i])
        assert browser.texts(".hops .chip") == ["NAT", "ICMP 255/255"]
    for dst, hops, _ in odd:
        browser.js("(dst) => { location.hash = new URLSearchParams({ p: 'paths', dst }).toString(); }", dst)
        browser.wait(f"details of {dst}", lambda d=dst, n=len(hops): browser.text(".route h2") == f"To {d}" and browser.texts(".route article")
                     and len(browser.texts(".hops tbody tr")) == n)
    # Traced again, the odd ones are the latest and drawn.
    for dst, hops, reached in odd:
        trace(sensor, dst, hops, 0, reached=reached)
    sensor.post()
    browser.js("() => { location.hash = 'p=paths&draw=svg&n=200&path=192.0.2'; }")
    browser.wait("the odd ones", lambda: sorted(browser.texts(".pg text.dst")) == [dst for dst, *_ in odd])
    assert lit(browser, ".no") == 2
    # Strings of a link that a stranger sent.
    for p in hostile[:20]:
        browser.js("(text) => { location.hash = new URLSearchParams({ p: 'paths', path: text, hop: text }).toString(); }", p)
        browser.wait("the filter of the link", lambda p=p: browser.js("() => document.querySelector('main input')?.value") == one_line(p))
    browser.js("(text) => { location.hash = new URLSearchParams({ p: 'paths', dst: text }).toString(); }", hostile[0])
    browser.wait("a page without it", lambda: browser.text(".route") is None and browser.text(".link") == "Live")
    assert browser.js("() => window.pwned") is None
    assert browser.js("() => document.querySelectorAll('#app script, #app iframe, #app link, #app style, #app form, #app foreignObject, #app image').length") == 0


def one_line(text):
    """What a field of one line makes of it."""
    return text.replace("\r", "").replace("\n", "")


def test_seeded_paths(demo):
    """The data set of the manual's pictures: three sensors, hundreds of destinations; lanes of systems."""
    collector, browser = demo
    browser.do("size", width=1280, height=1000)
    browser.open("/#p=paths&span=7d")
    browser.wait("the graph", lambda: browser.texts(".pg .nd"))
    browser.wait("the marks", lambda: browser.js("() => document.querySelectorAll('.timeline .marks .turned').length") > 10)
    for suffix, scheme, width, height in (("", "light", 1280, 1000), ("-dark", "dark", 1280, 1000), ("-phone", "light", 390, 844)):
        browser.do("scheme", scheme=scheme)
        browser.do("size", width=width, height=height)
        browser.wait("a layout", lambda: browser.js("() => document.documentElement.scrollWidth <= innerWidth"))
        browser.do("away")
        picture(browser, "paths" + suffix)
        assert browser.do("axe") == [], f"accessibility of paths{suffix}"
    browser.do("scheme", scheme="light")
    browser.do("size", width=1280, height=1000)
    # Lanes: each hop of a system lies in its lane, and no lane in another.
    systems = {f"AS{x['asn']}" for x in collector.get("/api/graph?limit=50&window_s=604800")["nodes"] if "asn" in x}
    browser.do("click", selector="button.lanes")
    browser.wait("the lanes", lambda: browser.texts(".pg .lane"))
    shown = {text.split(" ")[0] for text in browser.texts(".pg .lane text")} - {"Private", "AS"}
    assert shown == systems and len(systems) > 5
    boxes = browser.js("""() => [...document.querySelectorAll('.pg .nd:not(.self)')].map((e) => [/AS(\\d+)/.exec(e.getAttribute('aria-label'))?.[1] ?? '', e.transform.baseVal[0].matrix.f])""")
    spans = {}
    for asn, y in boxes:
        if asn:
            low, high = spans.get(asn, (y, y))
            spans[asn] = (min(low, y), max(high, y))
    ordered = sorted(spans.values())
    assert all(a[1] < b[0] for a, b in zip(ordered, ordered[1:])), spans
    assert browser.do("axe") == []


def slide(browser, which, share):
    """Drags a slider to a share of its way."""
    browser.js("""([which, share]) => { const e = document.querySelector(`.timeline .${which} input`);
        e.value = String(Math.round(Number(e.min) + (Number(e.max) - Number(e.min)) * share)); e.dispatchEvent(new Event('input', { bubbles: true })); }""", [which, share])


def test_time(page):
    """The graph of another moment, two compared, a hop's own times; a change is marked and can be gone to."""
    collector, browser = page
    sensor = Sensor(collector)
    an_internet(sensor)
    # One that changes later, from one router of its own to another.
    dice = random.Random(7)
    was, is_now = (hops_to("203.0.113.50", "80.239.128.5", [ip], dice) for ip in ("203.0.113.1", "203.0.113.2"))
    trace(sensor, "203.0.113.50", was, 2000)
    trace(sensor, "203.0.113.50", is_now, 200, old=was, trigger="slow")
    sensor.post()
    browser.open("/#p=paths&span=1h")
    browser.wait("the graph", lambda: browser.texts(".pg .nd"))
    browser.wait("the marks", lambda: browser.js("() => document.querySelectorAll('.timeline .marks .turned').length") == 2)
    assert "2 path changes in the last 1 hour" in browser.text(".timeline .note")

    # Compare begins just before the change: one hop against another.
    browser.do("click", selector=".timeline .compare")
    browser.wait("what differs", lambda: browser.text(".compared") and "added" in browser.text(".compared"))
    shown = browser.js("() => [...document.querySelectorAll('.pg .nd')].map((e) => [e.getAttribute('aria-label'), e.querySelector('path')?.getAttribute('class') ?? ''])")
    assert {(label.split(",")[0], kind) for label, kind in shown if kind} == {("203.0.113.1", "gone"), ("203.0.113.2", "added")}
    assert all("only in the earlier picture" in label for label, kind in shown if kind == "gone")
    links = browser.js("() => ['added', 'gone'].map((k) => document.querySelectorAll(`.pg .lk.${k}`).length)")
    assert links == [2, 2]
    browser.js("() => document.querySelector('.graph details summary').click()")
    words = browser.wait("the table", lambda: browser.texts(".rows.links td:last-child"))
    assert [words.count("added"), words.count("gone")] == links and words[0] in ("added", "gone")
    browser.js("() => document.querySelector('.graph details summary').click()")
    assert "vs=" in browser.js("() => location.hash") and browser.do("axe") == []
    browser.do("reload")
    browser.wait("the same by its address", lambda: browser.js("() => document.querySelectorAll('.pg .lk.gone').length") == links[1])
    browser.do("click", selector=".timeline .compare")

    # Back in time by the button, then by the slider; before the first trace there is nothing.
    browser.do("click", selector=".timeline .step")
    browser.wait("the moment", lambda: "at=" in browser.js("() => location.hash") and browser.text(".timeline .at output") != "now")
    browser.wait("the graph then", lambda: len(browser.texts(".pg .to")) == len(SERVICES) + 1)
    browser.js("() => { window.same = document.querySelector('.timeline .at input'); }")
    slide(browser, "at", 0.01)
    browser.wait("nothing yet", lambda: "No path was known at that time" in (browser.text(".graph .empty") or ""))
    assert browser.js("() => window.same.isConnected") is True
    slide(browser, "at", 1)
    browser.wait("now", lambda: browser.text(".timeline .at output") == "now" and browser.texts(".pg .nd") and "at=" not in browser.js("() => location.hash"))

    # A hop: since when, who uses it, its links, its times.
    browser.js("() => { location.hash = 'p=paths&span=1h&hop=195.12.255.9'; }")
    browser.wait("the hop", lambda: browser.text(".panel.hop .users tbody"))
    api = collector.get("/api/hop?ip=195.12.255.9&window_s=3600")
    assert browser.texts(".panel.hop .users tbody .host bdi:first-child") == [d.get("dst_name", d["dst_ip"]) for d in api["destinations"]]
    assert browser.js("() => document.querySelectorAll('.panel.hop .dots circle').length") == len(api["rtt"]) > 2
    assert browser.js("() => [...document.querySelectorAll('.panel.hop .near')].map((t) => t.tBodies[0].rows.length)") == [len(api["links_in"]), len(api["links_out"])]
    assert browser.do("axe") == []

    # Loss in place of time.
    browser.js("() => [...document.querySelectorAll('.panel.graph .segments button')].find((b) => b.textContent === 'Loss').click()")
    browser.wait("its scale", lambda: "half and more" in (browser.text(".legend") or ""))
    assert browser.js("() => location.hash").endswith("&by=loss")


def test_cypher(page):
    """A question to the graph: its answer as a table, its hops lit; a wrong one says where."""
    collector, browser = page
    browser.refused_ok = "/api/cypher"
    sensor = Sensor(collector)
    an_internet(sensor)
    browser.open("/#p=paths")
    browser.wait("the graph", lambda: browser.texts(".pg .nd"))
    ask = """(text) => { const e = document.querySelector('#cypher-q'); e.focus(); e.value = text; e.dispatchEvent(new Event('input', { bubbles: true })); }"""
    query = "MATCH (a:hop{ip:'195.12.255.9'})-[:next*1..5]->(b) RETURN a,b"
    browser.js(ask, query)
    browser.do("click", selector=".ask button")
    rows = browser.wait("the answer", lambda: browser.texts(".answer tbody tr"))
    status, said = collector.request("POST", "/api/cypher", json.dumps({"query": query, "params": {}}), {"Content-Type": "application/json"})
    said = json.loads(said)
    assert status == 200 and len(rows) == len(said["rows"]) > 3
    assert browser.texts(".answer th") == said["columns"] == ["a", "b"]
    reached = {r[1]["ip"] for r in said["rows"]} | {"195.12.255.9"}
    lit_labels = browser.js("() => [...document.querySelectorAll('.pg .nd:not(.off)')].map((e) => e.getAttribute('aria-label'))")
    assert {ip for ip in reached if any(ip in text for text in lit_labels)} == reached and 0 < len(lit_labels) < len(browser.texts(".pg .nd"))
    assert browser.do("axe") == []
    browser.do("reload")
    browser.wait("the same by its address", lambda: browser.texts(".answer tbody tr") == rows)
    browser.js(ask, "MATCH (a:hop) DELETE a")
    browser.do("click", selector=".ask button")
    browser.wait("what is wrong", lambda: browser.text("#cypher-wrong pre mark"))
    assert browser.js("() => document.querySelector('#cypher-q').getAttribute('aria-invalid')") == "true"
    assert lit(browser, ".nd") == len(browser.texts(".pg .nd"))


# ---- ten thousand hops ----

TEN_THOUSAND = 10000
FRAMES = 8

REDRAW = """async (n) => {
    const c = document.querySelector('.pathgraph canvas'), times = [];
    const frame = () => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));
    c.focus();
    for (let i = 0; i < n; i++) {
        const t = performance.now();
        // All of it: nearer, there is less to draw.
        c.dispatchEvent(new KeyboardEvent('keydown', { key: '0', bubbles: true, cancelable: true }));
        await frame();
        c.getContext('webgl2')?.finish();
        times.push(performance.now() - t);
    }
    return times.sort((a, b) => a - b)[Math.floor(n / 2)];
}"""


def ten_thousand_hops(sensor):
    """A thousand destinations behind routers of their own: more than ten thousand hops."""
    dice = random.Random(7)
    for i in range(1000):
        city = f"198.51.100.{i % 40}"
        routers = [f"10.{k}.{i // 250}.{i % 250}" for k in range(1, 10)]
        hops = [{"ttl": t + 1, "ip": ip, "rtt_us": [500 + t * 1500 + dice.randrange(900)], "sent": 1}
                for t, ip in enumerate(["192.168.1.1", city, *routers, f"198.18.{i // 250}.{i % 250}"])]
        trace(sensor, hops[-1]["ip"], hops, 3000 - i)
    sensor.post()


def test_ten_thousand_hops(page):
    """Painted with WebGL, faster than on a plain canvas and than as elements of the document, in one run."""
    collector, browser = page
    sensor = Sensor(collector)
    ten_thousand_hops(sensor)
    graph = collector.get("/api/graph?limit=1000")
    assert len(graph["nodes"]) > TEN_THOUSAND and not graph["cut"]
    first, frame = {}, {}
    browser.open("/#p=paths&draw=svg&n=200&path=198.18.3.77")
    for way in ("gl", "2d", "svg"):
        browser.js("() => { location.hash = 'p=paths&draw=svg&n=200&path=198.18.3.77'; }")
        browser.wait("another view", lambda: browser.texts(".pg .nd"))
        first[way] = browser.js("""async (way) => {
            const t = performance.now();
            location.hash = `p=paths&n=1000${way === 'gl' ? '' : `&draw=${way}`}`;
            const done = () => way === 'svg' ? document.querySelectorAll('.pg .nd').length > 10000 : document.querySelector(`[data-draw="${way}"] .names .dst`);
            while (!done() && performance.now() - t < 60000)
                await new Promise((r) => requestAnimationFrame(r));
            await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));
            return performance.now() - t;
        }""", way)
        if way != "svg":
            assert browser.js("() => document.querySelector('.pathgraph').dataset.draw") == way
            frame[way] = browser.js(REDRAW, FRAMES)
    # Elements of the document: what it takes to show what goes through another hop.
    frame["svg"] = browser.js("""async () => {
        const t = performance.now();
        document.querySelector('.pg .nd[aria-label*="198.51.100.7,"]').dispatchEvent(new MouseEvent('click', { bubbles: true }));
        await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));
        return performance.now() - t;
    }""")
    print("ten thousand hops, ms: first", {k: round(v) for k, v in first.items()}, "a frame", {k: round(v) for k, v in frame.items()})
    assert frame["gl"] < frame["2d"] and frame["gl"] < frame["svg"] and first["gl"] < first["svg"]
