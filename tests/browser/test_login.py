# SPDX-License-Identifier: GPL-2.0-or-later
"""Logging in and out, and what only somebody who may can do: enrol a sensor, revoke it."""
import json
import re
import subprocess

from browser_rig import Browser, Sensor
from lib import ng
from lib.collector import Collector
from test_page import show

TOKEN = "a-token-of-the-tests-0123456789"
PASSWORD = "seven clever otters <b>"


class Closed(Collector):
    """One that answers nobody without a token."""

    def request(self, method, path, body=None, headers=None):
        return super().request(method, path, body, {"Authorization": f"Bearer {TOKEN}", **(headers or {})})


def fill(browser, **fields):
    browser.js("""(fields) => { for (const [name, text] of Object.entries(fields)) { const e = document.querySelector(`form [name=${name}]`); e.value = text;
        e.dispatchEvent(new Event('input', { bubbles: true })); } }""", fields)


def test_login(modules, tmp_path):
    """Nothing of the network is on the page before; after it all is; and after the logout nothing is left."""
    database = tmp_path / "collector/net-gazer.db"
    database.parent.mkdir()
    subprocess.run([ng.program("net-gazer-collector"), "user", "add", "anna", "--database", database], input=f"{PASSWORD}\n{PASSWORD}\n",
                   text=True, check=True, capture_output=True, timeout=60)
    (tmp_path / "tokens").write_text(TOKEN + "\n", encoding="utf-8")
    (tmp_path / "tokens").chmod(0o600)
    with Closed(tmp_path, arguments=["--login", "always", "--token-file", str(tmp_path / "tokens")]) as collector, \
            Browser(modules, tmp_path, f"http://127.0.0.1:{collector.port}", may_fail=True) as browser:
        sensor = Sensor(collector)
        sensor.conn(rtt_us=1000, host="annas-laptop")
        sensor.stat(seq_first=1)
        sensor.post()
        browser.open("/#p=destinations&w=1h")
        browser.wait("the form", lambda: browser.text("main.login h2") == "Log in")
        assert browser.js("() => document.activeElement.name") == "user"
        assert browser.do("axe") == []
        assert browser.text("nav") is None and "203.0.113.10" not in browser.js("() => document.body.innerText")
        assert not [u for u in browser.do("seen")["requests"] if "/api/" in u and "/api/session" not in u]
        fill(browser, user="anna", password="wrong")
        browser.do("press", key="Enter")
        browser.wait("the refusal", lambda: browser.text(".login .said") == "The name or the password is wrong.")
        fill(browser, password=PASSWORD)
        browser.js("() => document.querySelector('form [name=password]').focus()")
        browser.do("press", key="Enter")
        # The page that the address named.
        browser.wait("the page", lambda: "203.0.113.10" in (browser.text(".dests .addr") or ""))
        assert browser.text(".logout") == "Log out anna"
        browser.wait("the stream", lambda: browser.js("() => document.querySelector('.link').dataset.link") == "live")
        browser.do("reload")
        browser.wait("still", lambda: "203.0.113.10" in (browser.text(".dests .addr") or ""))
        assert browser.js("() => document.cookie") == ""
        browser.do("click", selector=".logout")
        browser.wait("the form again", lambda: browser.text("main.login h2") == "Log in")
        assert "203.0.113.10" not in browser.js("() => document.body.innerText")
        seen = browser.do("seen")
        assert [e for e in seen["errors"] if "401" not in e] == []
        assert PASSWORD not in "".join(seen["requests"])


def test_enrol(page):
    """A code for a router, that works once; the sensor in the list; revoked after a second thought."""
    collector, browser = page
    browser.open("/#p=sensors")
    browser.wait("the form", lambda: browser.js("() => !!document.querySelector('form.enrol')"))
    assert "No sensor has reported yet" in browser.text(".health .empty")
    fill(browser, sensor="no good name")
    browser.do("click", selector="form.enrol button")
    assert browser.js("() => document.querySelector('form.enrol [name=sensor]').validity.patternMismatch")
    fill(browser, sensor="branch-2")
    browser.do("click", selector="form.enrol button")
    line = browser.wait("the line", lambda: browser.text(".made .line code"))
    assert browser.text(".made bdi") == "branch-2"
    code = re.fullmatch(rf"net-gazer enroll http://127\.0\.0\.1:{collector.port} (\S+) --write", line)[1]
    status, said = collector.request("POST", "/v1/enroll", json.dumps({"code": code}), {"Content-Type": "application/json"})
    assert status == 200 and json.loads(said)["sensor"] == "branch-2"
    browser.wait("it in the list", lambda: browser.texts(".enrolled tbody th") == ["branch-2"], deadline_s=60)
    assert browser.texts(".enrolled tbody td")[0] == "may report"
    assert browser.do("axe") == []
    browser.do("click", selector=".enrolled td button")
    browser.wait("the question", lambda: browser.texts(".enrolled .sure button") == ["Revoke branch-2", "Keep"])
    browser.js("() => [...document.querySelectorAll('.sure button')][1].click()")
    browser.wait("kept", lambda: browser.texts(".enrolled td button") == ["Revoke"])
    browser.do("click", selector=".enrolled td button")
    browser.wait("the question again", lambda: browser.texts(".enrolled .sure button"))
    browser.do("click", selector=".sure .danger")
    browser.wait("revoked", lambda: (browser.texts(".enrolled tbody td") or [""])[0].startswith("revoked "))
    show(browser, "Now")
    browser.wait("what to start", lambda: browser.text(".start pre"))
