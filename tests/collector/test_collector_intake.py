# SPDX-License-Identifier: GPL-2.0-or-later
"""POST /v1/reports: what is taken, what is refused and why, and that each report counts once."""
import gzip
import http.client
import json
import os
import random
import signal
import threading
import time

import pytest

import collector_rig as rig
from lib import ng
from lib.collector import Collector


@pytest.fixture
def collector(tmp_path):
    with Collector(tmp_path) as c:
        yield c


def rows(c):
    return c.get("/health")["rows"]


def test_once(collector):
    batch = [rig.conn(i) for i in range(1, 101)]
    status, answer, _ = rig.post(collector, batch, {"Idempotency-Key": "r1/00000001/1-100"})
    assert (status, answer) == (200, {"accepted": 100, "duplicate": 0, "rejected": [], "rejected_n": 0})
    status, answer, _ = rig.post(collector, batch, {"Idempotency-Key": "r1/00000001/1-100"})
    assert (status, answer) == (200, {"accepted": 0, "duplicate": 100, "rejected": [], "rejected_n": 0})
    # Halved differently, in another order, twice in one body: still once.
    more = [rig.conn(i) for i in (101, 50, 102, 101, 102, 100)]
    assert rig.post(collector, more)[1]["accepted"] == 2
    # Another boot, another sensor, is another report.
    assert rig.post(collector, [rig.conn(1, boot="00000002"), rig.conn(1, sensor="r2")])[1]["accepted"] == 2
    assert rows(collector) == 104
    summary = collector.get("/api/summary?window_s=300")
    assert summary["conns"] == summary["established"] == 104
    assert collector.get("/api/destinations?window_s=300")["destinations"][0]["conns"] == 104


def test_schema_files(collector):
    folder = ng.TOP / "docs/schema"
    good = (folder / "examples.ndjson").read_bytes()
    status, answer, _ = rig.post(collector, None, body=good)
    assert (status, answer["accepted"], answer["rejected"]) == (200, len(good.splitlines()), [])
    bad = (folder / "bad.ndjson").read_bytes()
    status, answer, _ = rig.post(collector, None, body=bad)
    assert (status, answer["accepted"], answer["rejected_n"]) == (200, 0, len(bad.splitlines()))
    assert [r["line"] for r in answer["rejected"]] == list(range(1, 7))
    for rejected, about in zip(answer["rejected"], ("v:", "ts:", "src_ip:", "src_port:", "surprise:", "hops is missing")):
        assert rejected["why"].startswith(about) and rejected["seq"] == 1


def test_rejects_leave_the_rest(collector):
    batch = [rig.conn(1), b"not json", rig.conn(2), rig.conn(3, dst_port=65536), b"", rig.conn(4), b"\xff\xfe", b'{"seq":77}']
    status, answer, _ = rig.post(collector, batch)
    assert status == 200 and answer["accepted"] == 3 and answer["rejected_n"] == 4
    assert [(r["line"], r.get("seq")) for r in answer["rejected"]] == [(2, None), (4, 3), (7, None), (8, 77)]
    assert "dst_port: 65536 is above 65535" == answer["rejected"][1]["why"]
    # More than are listed.
    status, answer, _ = rig.post(collector, [b'{"seq":%d,"\x1b[31m<script>\xc3\xa5":1}' % i for i in range(250)])
    assert status == 200 and answer["rejected_n"] == 250 and len(answer["rejected"]) == 100
    assert rows(collector) == 3
    # Whole again after a line that broke the parser in the middle of a string.
    assert rig.post(collector, [b'{"a":"', rig.conn(5), b"[[[[", rig.conn(6)])[1]["accepted"] == 2


def test_collector_fields_are_dropped(collector):
    line = rig.conn(1, rx_ts="2001-01-01T00:00:00.000000Z", tenant="evil", dst_cc="SE", dst_asn=1, dst_as_org="<b>", dst_lat=1.5,
                    geo_db="x", x_mine={"dst_cc": 1}, host="\u202e\U0001f600")
    before = rig.now_us()
    rig.stored(collector, [line, rig.other("trace", 2, hops=[{"ttl": 1, "asn": 1, "cc": "SE", "lat": 1, "name": "n"}])])
    row, = collector.get("/api/conns")["conns"]
    assert before - 2000000 <= rig.micros(row.pop("rx_ts")) <= rig.now_us()
    assert row.pop("id") == 1
    for gone in ("rx_ts", "tenant", "dst_cc", "dst_asn", "dst_as_org", "dst_lat", "geo_db"):
        del line[gone]
    assert row == line
    with rig.Stream(collector, last_id=1) as s:
        assert s.event()["data"]["hops"] == [{"ttl": 1, "name": "n"}]


def test_gzip(collector):
    rng = random.Random(5)
    batch = [rig.conn(i, src_ip=f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}") for i in range(2000)]
    rig.stored(collector, batch, packed=True)
    body = rig.ndjson([rig.conn(i) for i in range(2000, 2010)])
    pack = {"Content-Encoding": "gzip"}
    for what, packed, status in (
            ("bomb", gzip.compress(b" " * 50_000_000), 413),
            ("bomb by ratio", gzip.compress(b"\n" * 1_000_000), 413),
            ("not packed", body, 400),
            ("torn", gzip.compress(body)[:-9], 400),
            ("checksum", gzip.compress(body)[:-8] + b"\0\0\0\0" + gzip.compress(body)[-4:], 400),
            ("something behind it", gzip.compress(body) + b"x", 400),
            ("two of them", gzip.compress(body) * 2, 400),
            ("empty", b"", 400)):
        got, answer, _ = rig.post(collector, None, pack, packed)
        assert got == status and answer["error"], what
    assert rows(collector) == 2000
    assert rig.post(collector, None, {"Content-Encoding": "br"}, body)[0] == 415
    assert rig.post(collector, None, {"Content-Encoding": "identity"}, body)[0] == 200


def test_refused_bodies(collector):
    body = rig.ndjson([rig.conn(1)])
    for headers, status in (
            ({"Content-Type": "application/json"}, 415), ({"Content-Type": None}, 415), ({"Content-Type": "text/plain"}, 415),
            ({"Content-Type": "application/x-ndjsonx"}, 415), ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
            ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
            ({"Idempotency-Key": "x"}, 400), ({"Idempotency-Key": ""}, 400), ({"Idempotency-Key": "r1/0000001/1-2"}, 400),
            ({"Idempotency-Key": "r1/00000001/2-1"}, 400), ({"Idempotency-Key": "-r/00000001/1-2"}, 400),
            ({"Idempotency-Key": "r1/00000001/1-2 "}, 400), ({"Idempotency-Key": "r1/00000001/1-9007199254740992"}, 400),
            ({"Idempotency-Key": "r1/00000001/1-2/3"}, 400), ({"Idempotency-Key": "a" * 65 + "/00000001/1-2"}, 400),
            ({"Content-Type": "application/x-ndjson; charset=utf-8"}, 200), ({"Content-Type": "APPLICATION/X-NDJSON"}, 200),
            ({"Idempotency-Key": "r1/00000001/1-9007199254740991"}, 200)):
        assert rig.post(collector, None, headers, body)[0] == status, headers
    assert rows(collector) == 1
    limit = 1048576
    assert rig.post(collector, None, body=b"\n" * limit)[0] == 200
    # Told before the body is read; the connection ends then.
    said = rig.raw(collector, b"POST /v1/reports HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: application/x-ndjson\r\n"
                              b"Content-Length: %d\r\n\r\n" % (collector.port, limit + 1))
    assert said.startswith(b"HTTP/1.1 413 ") and b"Connection: close" in said
    # Chunked, so that nobody knows.
    chunk = b"8000\r\n" + b"\n" * 0x8000 + b"\r\n"
    head = (b"POST /v1/reports HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: application/x-ndjson\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" % collector.port)
    assert rig.raw(collector, head + chunk * 32 + b"0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert rig.raw(collector, head + chunk * 33 + b"0\r\n\r\n").startswith(b"HTTP/1.1 413 ")


# Ends the process at its first answer to a POST: the commit is on disk, the sensor knows nothing.
KILLER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
static void look(const char *p, size_t n)
{
	if (n > 12 && !memcmp(p, "HTTP/1.1 200", 12) && memmem(p, n, "application/json", 16) && getenv("NG_KILL"))
		raise(SIGKILL);
}
ssize_t send(int fd, const void *p, size_t n, int flags)
{
	static ssize_t (*real)(int, const void *, size_t, int);
	look(p, n);
	if (!real)
		real = (ssize_t (*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
	return real(fd, p, n, flags);
}
ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	static ssize_t (*real)(int, const struct msghdr *, int);
	look(m->msg_iov[0].iov_base, m->msg_iov[0].iov_len);
	if (!real)
		real = (ssize_t (*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg");
	return real(fd, m, flags);
}
ssize_t writev(int fd, const struct iovec *v, int n)
{
	static ssize_t (*real)(int, const struct iovec *, int);
	look(v->iov_base, v->iov_len);
	if (!real)
		real = (ssize_t (*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
	return real(fd, v, n);
}
"""


def test_killed_between_commit_and_answer(tmp_path, monkeypatch):
    source = tmp_path / "killer.c"
    source.write_text(KILLER, encoding="ascii")
    library = ng.compile_c(source, tmp_path / "killer.so", "-shared", "-fPIC", "-ldl")
    batch = [rig.conn(i) for i in range(1, 501)]
    collector = Collector(tmp_path)
    collector.data.mkdir()
    # No health check here: its answer would be the first.
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("NG_KILL", "1")
    monkeypatch.setattr(collector, "healthy", lambda: "listening on" in collector.log())
    collector.start()
    monkeypatch.undo()
    with pytest.raises(OSError):
        rig.post(collector, batch)
    assert collector.process.wait(ng.DEADLINE_S) == -signal.SIGKILL
    collector.err_path.unlink()
    with collector:
        assert rows(collector) == 500, "it was committed"
        status, answer, _ = rig.post(collector, batch)
        assert (status, answer["accepted"], answer["duplicate"]) == (200, 0, 500)
        assert collector.get("/api/summary?window_s=600")["conns"] == 500


def test_killed_at_any_time(tmp_path):
    """kill -9 again and again while batches come; each is resent until it is answered."""
    rng = random.Random(time.time_ns())
    batches = [[rig.conn(300 * b + i, dst_port=1 + b) for i in range(300)] for b in range(40)]
    collector = Collector(tmp_path)
    answered, stop = [], threading.Event()

    def send():
        for batch in batches:
            while not stop.is_set():
                try:
                    status, answer, _ = rig.post(collector, batch)
                    assert status == 200 and answer["accepted"] + answer["duplicate"] == 300
                    answered.append(answer)
                    break
                except (OSError, json.JSONDecodeError, http.client.HTTPException):
                    time.sleep(0.01)
    with collector:
        sender = threading.Thread(target=send)
        sender.start()
        try:
            for _ in range(6):
                time.sleep(rng.uniform(0.0, 0.12))
                os.kill(collector.process.pid, signal.SIGKILL)
                collector.process.wait()
                collector.start()
            sender.join(120)
            assert not sender.is_alive() and len(answered) == len(batches)
        finally:
            stop.set()
            sender.join()
        assert rows(collector) == 12000
        found = {d["dst_port"]: d["conns"] for d in collector.get("/api/destinations?window_s=3600&limit=1000")["destinations"]}
        assert found == {1 + b: 300 for b in range(40)}
        sensor, = collector.get("/api/sensors")["sensors"]
        assert sensor["stored"] == 12000 and sensor["types"] == {"conn": 12000}
