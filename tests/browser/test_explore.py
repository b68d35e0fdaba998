# SPDX-License-Identifier: GPL-2.0-or-later
"""The page "Explore" as a person uses it, on the data of `net-gazer-collector demo --seed 7`."""
import csv
import io
import json
import shlex
import subprocess
import urllib.parse

from browser_rig import Sensor, payloads, picture

TYPE = """(text) => { const e = document.querySelector('#explore-q'); e.focus(); e.value = text; e.setSelectionRange(text.length, text.length);
    e.dispatchEvent(new Event('input', { bubbles: true })); }"""


def offered(browser):
    return browser.texts('.combo [role="option"] code')


def field(browser):
    return browser.js("() => document.querySelector('#explore-q').value")


def rows(browser):
    return browser.js("() => [...document.querySelectorAll('.found tbody tr')].map((tr) => [...tr.children].map((td) => td.textContent))")


def heads(browser):
    return browser.texts(".found thead th")


def hash_of(browser):
    return dict(urllib.parse.parse_qsl(browser.js("() => location.hash.slice(1)")))


def ask(browser, text):
    browser.js(TYPE, text)
    browser.do("press", key="Escape")
    browser.do("press", key="Enter")


def test_explore(demo):
    collector, browser = demo
    browser.refused_ok = "/api/explore?"
    browser.do("size", width=1280, height=800)
    browser.open("/#p=explore&w=24h")
    browser.wait("rows", lambda: rows(browser))
    api = collector.get("/api/explore?window_s=86400&limit=100")
    assert heads(browser) == [c.replace("rtt_us", "rtt ms") for c in api["cols"]]
    assert [r[4] for r in rows(browser)] == [r[4] or "–" for r in api["rows"]]
    assert browser.texts(".found .exact") == [f"{r[0][:23].replace('T', ' ')} UTC" for r in api["rows"]]
    assert browser.do("axe") == []

    # Completion by keyboard alone: a field, an operator, a word; a list; and.
    browser.js(TYPE, "st")
    browser.wait("fields", lambda: "state" in offered(browser))
    browser.do("press", key="ArrowDown")
    assert browser.js("() => document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).textContent").startswith(offered(browser)[0])
    browser.do("press", key="Tab")
    browser.wait("the field is in", lambda: field(browser) == "state ")
    browser.wait("its operators", lambda: offered(browser) == ["=", "!=", "in", "not in"])
    browser.do("type", text="in")
    browser.do("press", key="Escape")
    assert browser.js("() => document.querySelector('#explore-list').hidden") is True
    browser.do("type", text=" (re")
    browser.wait("the words of the field", lambda: offered(browser)[:1] == ["refused"])
    browser.do("press", key="ArrowDown")
    browser.do("press", key="Enter")
    browser.wait("a word in a list", lambda: field(browser) == "state in (refused")
    browser.do("type", text=", timeout) a")
    browser.wait("and", lambda: offered(browser) == ["and"])
    browser.do("press", key="Tab")
    assert field(browser) == "state in (refused, timeout) and "
    browser.do("type", text="port = 443")
    browser.do("press", key="Escape")
    browser.do("press", key="Enter")
    browser.wait("what it finds", lambda: rows(browser) and all(r[6] in ("refused", "timeout") and r[5] == "443" for r in rows(browser)))
    assert hash_of(browser) == {"p": "explore", "w": "24h", "q": "state in (refused, timeout) and port = 443"}
    browser.do("reload")
    browser.wait("the same by its address", lambda: field(browser).endswith("443") and rows(browser) and rows(browser)[0][5] == "443")

    # Wrong: said where.
    ask(browser, "port = 443 and rtt > fast")
    browser.wait("what is wrong", lambda: browser.text("#explore-wrong"))
    said = collector.request("GET", "/api/explore?q=" + urllib.parse.quote("port = 443 and rtt > fast"))
    assert said[0] == 400 and json.loads(said[1])["error"] in browser.text("#explore-wrong")
    assert browser.text("#explore-wrong pre mark") == "f"
    assert browser.js("() => document.querySelector('#explore-q').getAttribute('aria-invalid')") == "true"
    assert browser.do("axe") == []

    # Sorting, columns, more.
    ask(browser, "type = conn and has rtt")
    browser.wait("rows", lambda: len(rows(browser)) == 100)
    browser.js("() => [...document.querySelectorAll('.found thead button')].find((b) => b.textContent.startsWith('rtt')).click()")
    rtt = heads(browser).index("rtt ms")
    browser.wait("slowest first", lambda: (lambda v: v == sorted(v, reverse=True))([float(r[rtt].replace(",", "")) for r in rows(browser)]))
    assert browser.js("() => document.querySelector('.found th[aria-sort]').getAttribute('aria-sort')") == "descending"
    browser.do("click", selector="button.more")
    browser.wait("more of them", lambda: len(rows(browser)) == 200)
    browser.do("click", selector=".columns summary")
    browser.js("() => [...document.querySelectorAll('.columns label')].find((l) => l.textContent.trim() === 'oif').querySelector('input').click()")
    browser.wait("the column", lambda: "oif" in heads(browser) and rows(browser) and rows(browser)[0][heads(browser).index("oif")] == "wan")
    assert hash_of(browser)["cols"].endswith(",oif") and hash_of(browser)["sort"] == "-rtt_us"
    browser.do("click", selector=".columns summary")

    # Downloads and the line for a shell give the same rows.
    links = browser.js("() => [...document.querySelectorAll('.downloads a')].map((a) => a.getAttribute('href'))")
    table = list(csv.reader(io.StringIO(collector.request("GET", "/" + links[0])[1].decode())))
    lines = [json.loads(x) for x in collector.request("GET", "/" + links[1])[1].splitlines()]
    # Both stop at a time limit: alike as far as the shorter one goes.
    n = min(len(table) - 1, len(lines))
    at = table[0].index("dst_ip")
    assert n >= 200 and table[0][-1] == "oif" and [r[at] for r in table[1:n + 1]] == [x["dst_ip"] for x in lines[:n]]
    browser.js("() => { navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }; }")
    browser.do("click", selector=".curl")
    line = browser.wait("the line", lambda: browser.text(".copied") == "Copied." and browser.js("() => window.copied"))
    done = subprocess.run(shlex.split(line), capture_output=True, check=True, timeout=30)
    assert [json.loads(x) for x in done.stdout.splitlines()[:200]] == lines[:200]

    # Nothing found; an example; pictures.
    ask(browser, "dst = 203.0.113.255")
    browser.wait("nothing", lambda: "No report matches" in (browser.text(".explore .empty") or ""))
    browser.do("press", key="Escape")
    browser.js("() => [...document.querySelectorAll('.examples button')].find((b) => b.textContent === 'Slow').click()")
    browser.wait("slow ones", lambda: field(browser) == "rtt > 80ms" and rows(browser))
    browser.js("() => history.back()")
    browser.wait("the question before", lambda: field(browser) == "dst = 203.0.113.255" and "No report matches" in (browser.text(".explore .empty") or ""))
    pictures(browser, "explore", "#p=explore&w=24h&q=rtt+%3E+80ms+and+not+port+%3D+443", "rtt > 80ms and not port = 443 and s")


def pictures(browser, name, address, typed):
    """In both colours and on a phone; accessible in each."""
    browser.js("(hash) => { location.hash = hash; }", address)
    browser.wait("rows", lambda: rows(browser) and hash_of(browser)["q"] in field(browser))
    for suffix, scheme, width, height in (("", "light", 1280, 800), ("-dark", "dark", 1280, 800), ("-phone", "light", 390, 844)):
        browser.do("scheme", scheme=scheme)
        browser.do("size", width=width, height=height)
        browser.js(TYPE, typed)
        browser.wait("completion", lambda: offered(browser))
        browser.wait("a layout", lambda: browser.js("() => document.documentElement.scrollWidth <= innerWidth"))
        browser.do("away")
        picture(browser, name + suffix)
        assert browser.do("axe") == [], f"accessibility of {name}{suffix}"
    browser.do("scheme", scheme="light")
    browser.do("size", width=1280, height=800)


def test_first_reports(page):
    """Where nothing was found, what comes is shown without being asked for; where rows are, they stay."""
    collector, browser = page
    sensor = Sensor(collector)
    sensor.conn(state="refused")
    sensor.post()
    browser.open("/#p=explore&q=state%20%3D%20timeout")
    browser.wait("nothing", lambda: "No report matches" in (browser.text(".explore .empty") or ""))
    sensor.conn(state="timeout")
    sensor.post()
    browser.wait("the first row", lambda: len(rows(browser)) == 1)


def test_hostile_explore(page):
    """Names and rules that somebody hostile chose, and what he would write into a link."""
    collector, browser = page
    hostile = payloads()
    sensor = Sensor(collector, "h")
    for i, p in enumerate(hostile):
        sensor.conn(60 - i * 0.1, host=p, dst_ip=f"198.51.100.{i}", rtt_us=1000)
    sensor.post()
    browser.refused_ok = "/api/explore?"
    browser.open("/#p=explore&w=24h&cols=dst_ip,host")
    browser.wait("rows", lambda: len(rows(browser)) == 100)
    browser.do("click", selector="button.more")
    browser.wait("all of them", lambda: len(rows(browser)) == 200)
    assert {r[0]: r[1] for r in rows(browser)} == {f"198.51.100.{i}": p for i, p in enumerate(hostile)}
    for p in hostile[:40]:
        browser.js("(text) => { location.hash = new URLSearchParams({ p: 'explore', q: text, cols: text, sort: text }).toString(); }", p)
        browser.wait("the filter of the link", lambda p=p: field(browser) == p.replace("\r", "").replace("\n", ""))
    assert browser.js("() => window.pwned") is None
    assert browser.js("() => document.querySelectorAll('#app script, #app iframe, #app link, #app style, #app form, #app foreignObject, #app image').length") == 0
