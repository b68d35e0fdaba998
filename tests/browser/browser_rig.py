# SPDX-License-Identifier: GPL-2.0-or-later
"""A browser to drive, reports as a sensor would post them, strings that somebody hostile would send."""
import contextlib
import datetime
import json
import os
import shutil
import subprocess
import threading

from lib import ng, report

HERE = ng.TOP / "tests/browser"
BOOT = "9f1c2ab0"


class Browser:
    """driver.mjs, one page; what it must never see is asserted at the end."""

    def __init__(self, modules, folder, origin, may_fail=False, gl=False):
        self.origin, self.may_fail, self.folder = origin, may_fail, folder
        self.refused_ok = ""  # part of an address: what is asked there may be wrong, which chromium always logs
        # Not in `folder`: chromium's socket has to fit into 107 characters.
        self.temp = ng.temp_dir("b")
        self.argv = ["node", str(HERE / "driver.mjs"), str(modules), str(self.temp / "profile"), *(["gl"] if gl else [])]

    def __enter__(self):
        self.err = open(self.folder / "browser.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.err, text=True,
                                        env={**os.environ, "TMPDIR": str(self.temp)})
        try:
            assert self.answer(180) == {"ready": True}
        except BaseException:
            self.process.kill()
            self.close()
            raise
        return self

    def close(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.err.close()
        shutil.rmtree(self.temp, ignore_errors=True)

    def answer(self, deadline_s=120):
        lines = []
        reader = threading.Thread(target=lambda: lines.append(self.process.stdout.readline()), daemon=True)
        reader.start()
        reader.join(deadline_s)
        self.err.seek(0)
        assert lines and lines[0], f"no answer from the browser: {self.err.read()[-4000:]}"
        return json.loads(lines[0])

    def do(self, op, **rest):
        self.process.stdin.write(json.dumps({"op": op, **rest}) + "\n")
        self.process.stdin.flush()
        answer = self.answer()
        assert "error" not in answer, f"{op} {rest}: {answer['error']}"
        return answer.get("value")

    def js(self, code, arg=None):
        return self.do("eval", code=code, arg=arg)

    def texts(self, selector):
        return self.js("(s) => [...document.querySelectorAll(s)].map((e) => e.textContent)", selector)

    def text(self, selector):
        return self.js("(s) => document.querySelector(s)?.textContent ?? null", selector)

    def wait(self, what, check, **options):
        return ng.wait_for(lambda: f"{what}\n--- the page\n{self.js('() => document.body.innerText')[:6000]}", check,
                           every_s=0.1, **options)

    def open(self, path="/"):
        said = self.do("goto", url=self.origin + path)
        assert said["status"] == 200
        return said["headers"]

    def check(self):
        """No dialog, no violation of the page's policy, no error, no request to anybody else."""
        seen = self.do("seen")
        assert seen["dialogs"] == [], seen["dialogs"]
        assert seen["violations"] == [], seen["violations"]
        assert all(u.startswith((self.origin + "/", "data:")) for u in seen["requests"]), seen["requests"]
        if not self.may_fail:
            errors = [e for e in seen["errors"] if not (self.refused_ok and "status of 400" in e and self.refused_ok in e)]
            assert errors == [], errors
        return seen

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.check()
        finally:
            self.close()


def ts(age_s=0.0):
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=age_s)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Sensor:
    """Numbers the reports, checks them against the schema and posts them."""

    def __init__(self, collector, name="router"):
        self.collector, self.name, self.seq, self.ready, self.boot = collector, name, 0, [], BOOT

    def add(self, type_, age_s, /, **fields):
        self.seq += 1
        r = {"v": 1, "type": type_, "ts": ts(age_s), "sensor": self.name, "boot": self.boot, "seq": self.seq, **fields}
        line = json.dumps(r, ensure_ascii=True, separators=(",", ":"))
        assert report.errors(line) == []
        self.ready.append(line)
        return r

    def conn(self, age_s=1.0, **fields):
        r = {"dir": "outbound", "src_ip": "192.168.1.23", "src_port": 40000 + self.seq % 20000, "dst_ip": "203.0.113.10",
             "dst_port": 443, "proto": "tcp", "state": "established", "syn_retrans": 0, **fields}
        if "rtt_us" in r:
            r.setdefault("setup_us", r["rtt_us"])
        return self.add("conn", age_s, **r)

    def stat(self, age_s=0.0, **fields):
        return self.add("stat", age_s, window_us=10000000, **fields)

    def post(self):
        first = self.seq - len(self.ready) + 1
        for i in range(0, len(self.ready), 100):
            some = self.ready[i:i + 100]
            key = f"{self.name}/{self.boot}/{first + i}-{first + i + len(some) - 1}"
            status, said = self.collector.request("POST", "/v1/reports", "".join(line + "\n" for line in some),
                                                  {"Content-Type": "application/x-ndjson", "Idempotency-Key": key})
            assert status in (200, 202), (status, said)
            assert not json.loads(said or b"{}").get("rejected"), said
        self.ready = []


LEDGER = {"version": "0.1.0", "seen": 20012, "logged": 20000, "sampled_out": 12, "received": 19998, "gap": 2, "tail": 0,
          "parsed": 19996, "truncated": 1, "malformed": 1, "unsupported": 0, "in_hand": 0, "flows_live": 38,
          "flows_max": 16384, "flows_evicted": 0, "reports": 900, "reports_dropped": 0, "cpu_us": 1843000, "rss_kib": 5312,
          "sandbox": {"no_caps": True, "no_new_privs": True, "seccomp": True, "landlock": False},
          "groups": [{"group": 5, "class": "handshake", "seen": 19012, "logged": 19000, "received": 18998, "gap": 2},
                     {"group": 6, "class": "output", "seen": 1000, "logged": 1000, "received": 1000, "gap": 0}],
          "plugins": [{"name": "handshake", "version": "1.0", "state": "ok", "calls": 19996, "cpu_us": 9100, "max_us": 84,
                       "counters": {"open": 38, "ended": 9421}},
                      {"name": "attempts", "version": "1.0", "state": "degraded", "calls": 560, "cpu_us": 410, "max_us": 31},
                      {"name": "demo", "version": "1.0", "state": "disabled", "calls": 5, "cpu_us": 10, "max_us": 6}]}


def seed(folder):
    """The data set of `net-gazer-collector demo --seed 7`, for a collector that starts in `folder`."""
    (folder / "collector").mkdir()
    subprocess.run([ng.program("net-gazer-collector"), "demo", "--database", folder / "collector/net-gazer.db", "--seed", "7"],
                   check=True, capture_output=True, timeout=120)


def awake(collector):
    """One more ledger of each sensor of the data set, as if it still ran."""
    for s in collector.get("/api/sensors")["sensors"]:
        sensor = Sensor(collector, s["sensor"])
        known = {k: v for k, v in s["stat"].items() if k not in ("v", "type", "ts", "sensor", "boot", "seq", "window_us")}
        sensor.seq, sensor.boot = s["seq_max"], s["boot"]
        sensor.stat(**known)
        sensor.post()


def picture(browser, name, full=False):
    """$O/screenshots/NAME.png; with IMAGES set to a folder, there too: `make images` makes the manual's so."""
    shots = ng.BUILD / "screenshots"
    shots.mkdir(exist_ok=True)
    browser.do("shot", file=str(shots / f"{name}.png"), full=full)
    assert (shots / f"{name}.png").stat().st_size > 20000
    if os.environ.get("IMAGES") and (ng.TOP / os.environ["IMAGES"] / f"{name}.png").exists():
        shutil.copy(shots / f"{name}.png", ng.TOP / os.environ["IMAGES"] / f"{name}.png")


def payloads():
    """200 different strings that somebody hostile would call a host, a plugin or a counter."""
    call = "alert(1),window.pwned=1"
    bases = [
        f"<script>{call}</script>", f"</script><script>{call}</script>", f"<img src=x onerror={call}>", f"<svg onload={call}>",
        f"<svg><script>{call}</script></svg>", f"\"><img src=x onerror={call}>", f"'><img src=x onerror={call}>",
        f"' onmouseover='{call}", f"\" onfocus=\"{call}\" autofocus=\"", f"javascript:{call}", f"data:text/html,<script>{call}</script>",
        f"<iframe srcdoc='<script>{call}</script>'>", "<iframe src=javascript:alert(1)>", f"<body onload={call}>",
        f"<details open ontoggle={call}>", f"<input autofocus onfocus={call}>", f"<video><source onerror={call}>",
        "<math><mtext></p><img src=x onerror=alert(1)>", f"<a href=javascript:{call}>x</a>", "<base href=//evil.example/>",
        "<link rel=stylesheet href=//evil.example/x.css>", "<style>@import '//evil.example'</style>", "<meta http-equiv=refresh content=0;url=//evil.example>",
        "<form action=//evil.example><input type=submit>", f"<template><img src=x onerror={call}></template>",
        f"<noscript><p title=\"</noscript><img src=x onerror={call}>\">", f"<!--><img src=x onerror={call}>-->",
        f"<![CDATA[<img src=x onerror={call}>]]>", f"<textarea></textarea><img src=x onerror={call}>", f"</title><script>{call}</script>",
        "${alert(1)}", "{{constructor.constructor('alert(1)')()}}", "#{alert(1)}", "<%= alert(1) %>", "`-alert(1)-`", "\\x3cscript\\x3ealert(1)",
        "\\u003cscript\\u003ealert(1)", "&lt;script&gt;alert(1)", "&#60;script&#62;", "&amp;&quot;&#39;", "%3Cscript%3Ealert(1)",
        "\"", "'", "`", "\\", "\\\\", "\"\"\"", "'\"`\\", "</", "<", ">", "&", "<>", "]]>", "--", "-->", "/*", "*/", "//",
        "__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "null", "undefined", "NaN", "true", "0", "-1", "[object Object]",
        "'; DROP TABLE report; --", "\"; DELETE FROM report; --", "'}) DETACH DELETE n //", "$(reboot)", "`reboot`", "| reboot", "%s%s%n", "../../etc/passwd",
        "\x00", "a\x00b", "\x01\x02\x03", "\x07bell", "\x08back", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x7f", "\x9b31m", "line\nbreak", "line\r\nbreak",
        "tab\tstop", "\x0b\x0c", " lead", "trail ", "  ", "a  b", "\u00a0", "\u202eevil\u202c", "\u202eexe.gpj", "\u2066iso\u2069", "\u2067rli", "\u200frtl", "\u200b",
        "\ufeffbom", "\u2028", "\u2029", "\u0301combining", "Z" + "\u0341" * 60, "\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d\u0628\u0627",
        "\U0001f4a9", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\ufffd", "\uffff", "\U0010ffff", "\ue000", "\u0430pple.com", "xn--pple-43d.com", "\uff1cscript\uff1e",
        "x" * 253, "<b>" * 84, "\u202e" * 200, "\U0001f4a9" * 120, "a." * 126, "\x01" * 100,
    ]
    found = list(dict.fromkeys(bases))
    n = 0
    while len(found) < 200:
        found.append(f"{bases[n % 41]} {n}")
        n += 1
    assert len(set(found)) == 200 and all(1 <= len(p) <= 253 for p in found)
    return found
