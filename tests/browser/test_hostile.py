# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of networks, cities and hosts that somebody hostile chose, on the pages that show them: nothing executes, and they are text."""
import sqlite3

import pytest

from browser_rig import Browser, payloads, seed
from lib.collector import Collector
from test_pages import go


@pytest.fixture(scope="module", name="named")
def badly_named(modules, tmp_path_factory):
    """The seeded data set, each address with its own hostile network, city and name, as a hostile file or name server would have it."""
    folder = tmp_path_factory.mktemp("named")
    seed(folder)
    hostile = payloads()
    db = sqlite3.connect(folder / "collector/net-gazer.db")
    with db:
        for i, (ip,) in enumerate(db.execute("SELECT ip FROM addr ORDER BY ip").fetchall()):
            p = hostile[i % len(hostile)]
            db.execute("UPDATE addr SET asn = ?1, as_org = ?2, city = ?2, name = ?2 WHERE ip = ?3", (64496 + i % len(hostile), p, ip))
    db.close()
    with Collector(folder) as collector, Browser(modules, folder, f"http://127.0.0.1:{collector.port}") as browser:
        yield collector, browser


# A page, and how many of the 200 it shows at least.
@pytest.mark.parametrize("address, least", [
    ("#p=destinations&w=7d&by=as", 40), ("#p=destinations&w=7d&by=host", 40), ("#p=destinations&w=7d", 40), ("#p=inbound&w=7d", 10),
    ("#p=map&w=7d", 10), ("#p=paths", 10), ("#w=24h", 10)])
def test_places(named, address, least):
    _, browser = named
    hostile = set(payloads())
    go(browser, address)

    def shown():
        return hostile & set(browser.js("() => [...document.querySelectorAll('main bdi, main td, main th, main button, main a, main text, main title')].map((e) => e.textContent)"))

    browser.wait(f"names at {address}", lambda: len(shown()) >= least)
    assert browser.js("() => window.pwned") is None
    assert browser.js("() => document.querySelectorAll('#app script, #app iframe, #app img:not([src=\"icon.svg\"]), #app link, #app style, "
                      "#app foreignObject, #app image, #app video, #app base, #app meta').length") == 0
