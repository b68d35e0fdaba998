# SPDX-License-Identifier: GPL-2.0-or-later
"""200 strings that somebody hostile would send, in every field that takes text, of every type of report: what comes out is what
went in, through each way out.  And those who hold connections and send bombs, while an honest sensor goes on."""
import csv
import io
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import zlib

import pytest

import collector_rig as rig
from lib import ng
from lib.collector import Collector

sys.path.insert(0, str(ng.TOP / "tests/browser"))
from browser_rig import payloads # noqa: E402


def reports(words):
    """One of each type for each word, in all its fields."""
    made, seq = [], 0
    for i, w in enumerate(words):
        boot, dst = f"{i + 1:08x}", f"198.51.{i >> 8}.{i & 255}"
        for one in (rig.conn(1, boot=boot, host=w, dst_name=w, iif=w[:15], oif=w[:15], x_any={w: [w, {"a": w}]}),
                    rig.other("attempt", 2, boot=boot, rule=w[:127], iif=w[:15], host=w),
                    rig.other("trace", 3, boot=boot, sensor=f"s{i}", dst_ip=dst, dst_name=w, reached=True,
                              hops=[{"ttl": 1, "ip": "192.0.2.1", "name": w, "rtt_us": [1000]}, {"ttl": 2, "ip": dst, "name": w, "rtt_us": [2000]}]),
                    rig.other("stat", 4, boot=boot, version=w, plugins=[{"name": w, "version": w}], groups=[{"group": 5, "class": w[:16]}]),
                    rig.other("plugin", 5, boot=boot, plugin_version=w, x_any=w),
                    rig.other("rollup", 6, boot=boot, key=w[:64]),
                    rig.other("quality", 7, boot=boot, host=w)):
            made.append(one)
            seq += 1
    return made


def key(r):
    return r["type"], r["boot"], r["seq"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    words = payloads()
    sent = {key(r): r for r in reports(words)}
    with Collector(tmp_path_factory.mktemp("hostile")) as c:
        for piece in range(0, len(sent), 700):
            rig.stored(c, list(sent.values())[piece:piece + 700])
        yield c, words, sent


def compare(rows, sent, kinds):
    rows = {key(r): {k: v for k, v in r.items() if k in sent[key(r)]} for r in rows}
    assert rows == {k: r for k, r in sent.items() if k[0] in kinds}


def exported(c, *argv):
    done = subprocess.run([ng.program("net-gazer-collector"), "export", "-c", "/dev/null", "--database", c.data / "net-gazer.db", *argv],
                          capture_output=True, check=True, timeout=60)
    return done.stdout


def test_json(hostile):
    c, words, sent = hostile
    compare(c.get("/api/conns?limit=1000")["conns"], sent, {"conn"})
    compare([json.loads(line) for line in exported(c).decode("utf-8").split("\n")[:-1]], sent, {k[0] for k in sent})
    status, body, headers = rig.request(c, "GET", "/api/explore?format=ndjson&limit=1000")
    assert status == 200 and headers["Content-Disposition"] == 'attachment; filename="net-gazer.ndjson"'
    compare([json.loads(line) for line in body.decode("utf-8").split("\n")[:-1]], sent, {"conn", "attempt", "trace"})
    answer = c.get("/api/explore?limit=1000&cols=type,boot,host,rule,dst_name,iif")
    for kind, boot, host, rule, dst_name, iif in answer["rows"]:
        one = next(r for k, r in sent.items() if k[:2] == (kind, boot))
        assert (host, rule, iif) == (one.get("host"), one.get("rule"), one.get("iif"))
        assert kind == "attempt" or dst_name == one["dst_name"]
    assert len(answer["rows"]) == 3 * len(words)


def test_csv(hostile):
    """RFC 4180: the text itself, formulas too (docs/API.md says why)."""
    c, _, sent = hostile

    def same(text, kinds, end=None):
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        for row in rows:
            one = sent[row.get("type", kinds[0]), row["boot"], int(row["seq"])]
            for name in ("host", "dst_name", "iif", "oif", "rule", "key"):
                assert name not in row or row[name] == (one.get(name, "").split(end)[0] if end else one.get(name, "")), (name, one)
        assert len(rows) == sum(k[0] in kinds for k in sent)
    body = rig.request(c, "GET", "/api/explore?format=csv&limit=1000&cols=type,boot,seq,host,dst_name,iif,rule")[1]
    same(body.decode("utf-8"), ("conn", "attempt", "trace"))
    for kind in ("conn", "attempt", "trace", "rollup"):
        same(exported(c, "--type", kind, "--format", "csv").decode("utf-8"), (kind,), end="\0") # as its manual says


def test_filter(hostile):
    """Each found again by its text, and nothing else with it; none of them is a filter."""
    c, words, sent = hostile
    for w in words[::7]:
        said = rig.request(c, "GET", "/api/explore?limit=10&q=" + urllib.parse.quote(w.encode("utf-8")))
        assert said[0] in (200, 400), (w, said)
    assert c.get("/health")["rows"] == len(sent)


def test_sensors_and_paths(hostile):
    c, words, sent = hostile
    found = {r["boot"]: r["stat"] for r in c.get("/api/sensors")["sensors"] if "stat" in r}
    for i, w in enumerate(words):
        stat = found[f"{i + 1:08x}"]
        assert (stat["version"], stat["plugins"], stat["groups"][0]["class"]) == (w, [{"name": w, "version": w}], w[:16])
        path = c.get(f"/api/paths?dst=198.51.{i >> 8}.{i & 255}")["sensors"][0]["latest"]
        assert [h["name"] for h in path["hops"]] == [w, w]
    assert {p["dst_name"] for p in c.get("/api/paths?limit=1000")["paths"]} == set(words)
    assert all(line.isprintable() for line in c.log().splitlines())


def test_raw_bytes(hostile):
    """What is no UTF-8, or no JSON, is refused by its line and said in ASCII."""
    c, _, sent = hostile
    good = rig.ndjson([rig.conn(99, boot="ffffffff", host="WORD")])
    bad = [b"\xc0\x80", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xed\xa0\x80", b"\xff\xfe", b"\xf4\x90\x80\x80", b"\x80", b"\x1b[2J", b"\x00", b"\\ud800", b"\\x41",
           b"\\u00", b"\x9b31m"]
    status, answer, _ = rig.post(c, [], body=b"".join(good.replace(b"WORD", b) for b in bad))
    assert (status, answer["accepted"], answer["rejected_n"]) == (200, 0, len(bad)), answer
    assert all(r["why"].isascii() and r["why"].isprintable() for r in answer["rejected"])
    assert c.get("/health")["rows"] == len(sent)


# ---- those who hold connections ----

def slow(port, source, n):
    """Connections with half a head, from an address."""
    held = []
    for _ in range(n):
        s = socket.socket()
        s.settimeout(10)
        s.bind((source, 0))
        try:
            s.connect(("127.0.0.1", port))
            s.sendall(b"POST /v1/reports HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX-Slow: " % port)
        except OSError:
            s.close()
            continue
        held.append(s)
    return held


def drip(held, stop):
    while not stop.is_set():
        for s in held:
            try:
                s.send(b"a")
            except OSError:
                pass
        stop.wait(0.5)


def bombs(c, stop, answers):
    """Zeros that unpack to 1 GiB."""
    packer, piece = zlib.compressobj(9, zlib.DEFLATED, 31), bytes(1 << 20)
    bomb = b"".join(packer.compress(piece) for _ in range(900)) + packer.flush()
    assert len(bomb) < 1 << 20
    while not stop.is_set():
        answers.append(rig.post(c, [], body=bomb, headers={"Content-Encoding": "gzip"})[0])
        stop.wait(0.1)


def test_an_honest_sensor_goes_on(tmp_path):
    """One that holds as many connections as it gets, four that together hold all, and bombs: every honest post is
    answered with 200 and stored, meanwhile."""
    with Collector(tmp_path) as c:
        took, seq, stop, answers = {}, iter(range(1, 1000000)), threading.Event(), []

        def honest(what, n):
            took[what] = []
            for _ in range(n):
                before = time.monotonic()
                rig.stored(c, [rig.conn(next(seq)) for _ in range(20)], packed=True)
                took[what].append(time.monotonic() - before)
        honest("quiet", 40)
        held = slow(c.port, "127.6.6.1", 300)
        threads = [threading.Thread(target=drip, args=(held, stop)), threading.Thread(target=bombs, args=(c, stop, answers))]
        for t in threads:
            t.start()
        try:
            honest("one address", 100)
            assert c.get("/health")["connections"] <= 256
            for i in range(4):
                held += slow(c.port, f"127.6.7.{i + 1}", 80)
            honest("five addresses", 100)
            ng.wait_for("some bombs", lambda: len(answers) >= 3)
        finally:
            stop.set()
            for t in threads:
                t.join()
            for s in held:
                s.close()
        assert set(answers) == {413}
        assert c.get("/api/summary?window_s=3600")["conns"] == 240 * 20
        for what, times in took.items():
            times.sort()
            print(f"{what}: p50 {times[len(times) // 2] * 1000:.1f} ms, p99 {times[len(times) * 99 // 100] * 1000:.1f} ms")
        assert c.process.poll() is None
