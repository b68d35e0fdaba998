# SPDX-License-Identifier: GPL-2.0-or-later
"""The page "Map" as a person uses it, on the data of `net-gazer-collector demo --seed 7`."""
from browser_rig import Sensor, picture


def countries(browser):
    return browser.js("() => [...document.querySelectorAll('.panel.countries tbody tr')].map((tr) => [...tr.children].map((td) => td.textContent.trim()))")


def spaced(n):
    return f"{n:,}"


def test_map(demo):
    collector, browser = demo
    browser.do("size", width=1280, height=800)
    browser.open("/#p=map&w=7d")
    browser.wait("the countries", lambda: countries(browser))
    api = collector.get("/api/map?window_s=604800")
    order = sorted(api["countries"], key=lambda c: -c["conns"])
    rows = countries(browser)
    assert len(rows) == min(15, len(order))
    for row, c in zip(rows, order):
        assert row[0].startswith(c["cc"]) and row[1] == spaced(c["conns"]) and row[4] == spaced(c["attempts"]), (row, c)
    # Each country once, as a shape or, where it is too small, as a dot; the tone is that of its step.
    marks = browser.js("() => [...document.querySelectorAll('g.countries > *')].map((e) => [e.getAttribute('aria-label'), e.classList[0]])")
    assert len(marks) == len(order)
    step = {label.split(":")[0]: tone for label, tone in marks}
    assert step["United States"] > min(step.values())
    dots = browser.js("() => document.querySelectorAll('.dots-at circle').length")
    assert dots == len(api["places"]) > 0
    assert browser.js("() => document.querySelectorAll('.world .arcs path').length") == min(200, len(api["arcs"])) > 0
    assert browser.js("() => document.querySelectorAll('.home').length") == len({(a["from"]["lat"], a["from"]["lon"]) for a in api["arcs"]})
    # What is drawn lies where it belongs: the dot of a city inside the shape of its country.
    inside = browser.js("""() => { const svg = document.querySelector('.world > svg'), us = document.querySelector('g.countries [aria-label^="United States"]');
        return [...document.querySelectorAll('.dots-at circle')].filter((c) => { const p = svg.createSVGPoint(); p.x = c.cx.baseVal.value; p.y = c.cy.baseVal.value; return us.isPointInFill(p); }).length; }""")
    assert 0 < inside <= sum(p["cc"] == "US" for p in api["places"]) and inside >= sum(p["cc"] == "US" for p in api["places"]) - 2

    # Another colour: another order in the table, the same country chosen by keyboard.
    browser.js("() => [...document.querySelectorAll('.panel.map .segments button')].find((b) => b.textContent === 'Median RTT').click()")
    slow = max((c for c in api["countries"] if "rtt_p50_us" in c), key=lambda c: c["rtt_p50_us"])
    browser.wait("the slowest first", lambda: countries(browser)[0][0].startswith(slow["cc"]))
    browser.js("() => document.querySelector('g.countries [tabindex=\"0\"]').focus()")
    first = browser.text(".panel.map .readout")
    assert first.startswith("United States: "), first
    browser.do("press", key="ArrowRight")
    second = browser.text(".panel.map .readout")
    assert second != first and second.startswith(browser.js("() => document.activeElement.getAttribute('aria-label')"))
    browser.do("press", key="Enter")
    chosen = browser.wait("what is chosen", lambda: browser.text(".chosen b"))
    assert second.startswith(chosen + ":")
    assert browser.js("() => location.hash").startswith("#p=map&w=7d&by=rtt&cc=")
    assert browser.js("() => document.querySelector('g.countries .on').getAttribute('aria-pressed')") == "true"
    browser.do("reload")
    browser.wait("the same by its address", lambda: browser.text(".chosen b") == chosen)
    # Its destinations are its own, and all of them.
    cc = browser.js("() => new URLSearchParams(location.hash.slice(1)).get('cc')")
    browser.js("() => [...document.querySelectorAll('.chosen a')].find((e) => e.textContent === 'its destinations').click()")
    conns = next(c["conns"] for c in api["countries"] if c["cc"] == cc)
    browser.wait("its destinations", lambda: set(browser.texts(".dests.by-host .place .cc")) == {cc})
    of_it = collector.get(f"/api/destinations?window_s=604800&by=host&cc={cc}&limit=1000")
    assert sum(r["conns"] for r in of_it["destinations"]) == conns
    browser.js("() => history.back()")
    browser.wait("the map", lambda: browser.text(".chosen b") == chosen)
    browser.js("() => document.querySelector('g.countries [tabindex=\"0\"]').focus()")
    browser.do("press", key="Escape")
    browser.wait("all countries", lambda: browser.text(".chosen") is None)

    browser.js("() => { location.hash = 'p=map&w=7d'; document.activeElement.blur(); }")
    for suffix, scheme, width, height in (("", "light", 1280, 800), ("-dark", "dark", 1280, 800), ("-phone", "light", 390, 844)):
        browser.do("scheme", scheme=scheme)
        browser.do("size", width=width, height=height)
        browser.wait("a layout", lambda: browser.js("() => document.documentElement.scrollWidth <= innerWidth && !location.hash.includes('by')") and countries(browser))
        browser.do("away")
        picture(browser, "map" + suffix)
        assert browser.do("axe") == [], f"accessibility of map{suffix}"


def test_map_without_geography(page):
    """Nothing is known: the page says what to do."""
    collector, browser = page
    sensor = Sensor(collector)
    sensor.conn(rtt_us=1000)
    sensor.post()
    # Another page asks the same: each gets its own answer.
    browser.open("/#p=sensors")
    browser.wait("that nothing is known", lambda: "None is known." in (browser.text(".collector") or ""))
    browser.js("() => { location.hash = '#p=map'; }")
    browser.wait("what to do", lambda: "net-gazer-collector geo import" in (browser.text(".start pre") or ""))
    assert browser.do("axe") == []
