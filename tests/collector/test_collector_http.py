# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may speak to the collector and how: Host, Origin, tokens, methods, two hundred malformed requests, slow and
many clients, the headers of every answer."""
import base64
import contextlib
import http.client
import itertools
import os
import random
import socket
import time

import pytest

import collector_rig as rig
from lib import net, ng, prometheus
from lib.collector import Collector

CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
       "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'")


@pytest.fixture(scope="module")
def collector(tmp_path_factory):
    with Collector(tmp_path_factory.mktemp("http")) as c:
        rig.stored(c, [rig.conn(1)])
        yield c


def unharmed(c):
    """It still answers, and has stored nothing since."""
    assert c.process.poll() is None
    assert c.get("/health")["last_id"] == 1


GETS = ["/", "/index.html", "/app.js", "/app.css", "/icon.svg", "/schema/report-1.json", "/health", "/api/conns",
        "/api/destinations", "/api/failures", "/api/attempts", "/api/sensors", "/api/summary", "/metrics"]


def check_headers(headers):
    assert headers["Content-Security-Policy"] == CSP
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "Access-Control-Allow-Origin" not in headers and "Server" not in headers


def test_files(collector):
    types = {"/": "text/html; charset=utf-8", "/app.js": "text/javascript; charset=utf-8", "/app.css": "text/css; charset=utf-8",
             "/icon.svg": "image/svg+xml", "/schema/report-1.json": "application/schema+json"}
    for path, kind in types.items():
        status, body, headers = rig.request(collector, "GET", path)
        assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, kind, "no-cache") and body
        check_headers(headers)
        tag = headers["ETag"]
        status, nothing, again = rig.request(collector, "GET", path, {"If-None-Match": tag})
        assert (status, nothing, again["ETag"]) == (304, b"", tag)
        assert rig.request(collector, "GET", path, {"If-None-Match": '"other"'})[0] == 200
        status, nothing, head = rig.request(collector, "HEAD", path)
        assert (status, nothing, head["Content-Length"]) == (200, b"", str(len(body)))
        dist = ng.BUILD / "ui/dist" / ({"/": "index.html"}.get(path, path[1:]))
        if path.startswith("/schema"):
            dist = ng.TOP / "docs/schema/net-gazer-report-1.schema.json"
        assert body == dist.read_bytes(), path


def test_metrics(collector):
    """Prometheus' format, the numbers of /health, and nothing that a report brought."""
    status, body, headers = rig.request(collector, "GET", "/metrics")
    health = collector.get("/health")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = prometheus.check(body.decode("ascii"))
    assert found["net_gazer_collector_info", ("version", health["version"])] == 1
    for name, field in (("reports_accepted_total", "accepted"), ("reports_duplicate_total", "duplicate"), ("rows", "rows"),
                        ("reports_rejected_total", "rejected"), ("last_id", "last_id"), ("streams", "streams")):
        assert found[f"net_gazer_collector_{name}",] == health[field], name
    geo = collector.get("/api/geo")
    for name, value in (("geo_lookups_total", geo["lookups"]), ("geo_cached", geo["cached"]), ("geo_evicted_total", geo["evicted"]),
                        ("geo_waiting", geo["waiting"]), ("dns_lookups_total", geo["dns"]["lookups"]), ("dns_waiting", geo["dns"]["waiting"])):
        assert found[f"net_gazer_collector_{name}",] == value, name
    assert not any("graph" in name for name, *_ in found), "none is fed"
    text = (ng.TOP / "docs/API.md").read_text(encoding="utf-8")
    assert all(f"`{name.removeprefix('net_gazer_collector')}`" in text or f"`{name}`" in text for name, *_ in found)
    assert rig.request(collector, "GET", "/metrics?x")[0] == 400


def test_headers_of_every_answer(collector):
    for path in GETS:
        status, _, headers = rig.request(collector, "GET", path)
        assert status == 200, path
        check_headers(headers)
        if path.startswith("/api") or path == "/health":
            assert headers["Content-Type"] == "application/json" and headers["Cache-Control"] == "no-store"
    for method, path, status in (("GET", "/nothing", 404), ("POST", "/", 405), ("GET", "/v1/reports", 405), ("PUT", "/x", 405),
                                 ("GET", "/api/conns?limit=x", 400), ("GET", "/events", 200), ("POST", "/v1/reports", 415)):
        if path == "/events":
            with rig.Stream(collector) as s:
                check_headers(s.headers)
                assert s.headers["Content-Type"] == "text/event-stream" and s.headers["Cache-Control"] == "no-store"
            continue
        got, body, headers = rig.request(collector, method, path)
        assert got == status, (method, path, got)
        check_headers(headers)
        assert b'{"error":"' in body and headers["Content-Type"] == "application/json"


def test_methods_and_paths(collector):
    for path in GETS + ["/events"]:
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "TRACE"):
            status, _, headers = rig.request(collector, method, path)
            assert (status, headers["Allow"]) == (405, "GET, HEAD"), (method, path)
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        status, _, headers = rig.request(collector, method, "/v1/reports")
        assert (status, headers["Allow"]) == (405, "POST"), method
    for path in ("/x", "//", "/api", "/api/", "/api/conns/", "/API/conns", "/v1/reports/", "/%2e%2e/etc/passwd", "/../etc/passwd",
                 "/app.js/", "/app.js%00", "/index.html.bak", "/schema/", "/" + "a" * 2000, "/%", "/%zz", "/%c3%a5"):
        for method in ("GET", "POST"):
            assert rig.request(collector, method, path)[0] == 404, (method, path)
    unharmed(collector)


def test_host(collector):
    port = collector.port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}"):
        for path in GETS:
            assert rig.request(collector, "GET", path, {"Host": host})[0] == 200
    body = rig.ndjson([rig.conn(5)])
    for host in (f"evil.test:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", f"localhost.evil.test:{port}", "", f"127.0.0.1:{port},x",
                 f"127.0.0.1:{port}.", f"x@127.0.0.1:{port}", f"0.0.0.0:{port}", f"127.0.0.2:{port}", "null", "*", f"[::]:{port}"):
        # Before any handler: not even whether a path exists is told.
        for path in GETS + ["/events", "/nothing", "/api/conns?limit=bad"]:
            status, said, headers = rig.request(collector, "GET", path, {"Host": host})
            assert status == 421 and b"hosts" in said, (host, path)
            check_headers(headers)
        assert rig.post(collector, None, {"Host": host}, body)[0] == 421
    unharmed(collector)


def test_other_sites(collector):
    port, body = collector.port, rig.ndjson([rig.conn(5)])
    for headers in ({"Origin": "http://evil.test"}, {"Origin": "null"}, {"Origin": f"http://127.0.0.1:{port + 1}"}, {"Origin": ""},
                    {"Origin": f"http://127.0.0.1:{port}.evil.test"}, {"Sec-Fetch-Site": "cross-site"},
                    {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "x"},
                    {"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "cross-site"}):
        status, answer, _ = rig.post(collector, None, headers, body)
        assert status == 403 and "another site" in answer["error"], headers
    unharmed(collector)
    for headers in ({"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
        assert rig.post(collector, None, headers, b"\n")[0] == 200


def malformed(port):
    """About 250 requests that are wrong in one way each; none may be obeyed."""
    host = f"Host: localhost:{port}\r\n".encode()
    report = rig.ndjson([rig.conn(99)])
    length = b"Content-Length: %d\r\n" % len(report)
    kind = b"Content-Type: application/x-ndjson\r\n"
    post = b"POST /v1/reports HTTP/1.1\r\n"
    # Lengths and codings that two servers could read differently (request smuggling).
    for bad in (b"Content-Length: %d, %d" % (len(report), len(report)), b"Content-Length: +%d" % len(report), b"Content-Length: -1",
                b"Content-Length: 0x%x" % len(report), b"Content-Length: %d.0" % len(report), b"Content-Length:", b"Content-Length: a",
                b"Content-Length: 99999999999999999999999999", b"Content-Length: 18446744073709551617", b"Content-Length: %d;" % len(report),
                b"Content-Length : %d" % len(report), b"Content-Length\t: %d" % len(report), b" Content-Length: %d" % len(report),
                b"Content-Length: 1 %d" % len(report), b"Content-Length: 1e3"):
        yield post + host + kind + bad + b"\r\n\r\n" + report
    chunked = b"%x\r\n" % len(report) + report + b"\r\n0\r\n\r\n"
    for bad in (b"Transfer-Encoding: identity", b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked, gzip", b"Transfer-Encoding: x",
                b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding:", b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: xchunked",
                b"Transfer-Encoding: chunkedx", b"Transfer-Encoding: \"chunked\"", b"Transfer-Encoding: chunked;q=1",
                b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"):
        yield post + host + kind + bad + b"\r\n\r\n" + chunked
    for both in (length + b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\n" + length,
                 length + length, b"Content-Length: 0\r\n" + length, length + b"content-length: 0\r\n",
                 b"Content-Length: 5\r\nTRANSFER-ENCODING: chunked\r\n"):
        yield post + host + kind + both + b"\r\n" + chunked
        yield post + host + kind + both + b"\r\n" + report
    # Chunks that are none.
    head = post + host + kind + b"Transfer-Encoding: chunked\r\n\r\n"
    for body in (b"zz\r\n", b"-1\r\n", b"+5\r\nabcde\r\n0\r\n\r\n", b"0x5\r\nabcde\r\n0\r\n\r\n", b"fffffffffffffffff\r\n", b"\r\n", b" \r\n", b"5\r\nabcdeXX",
                 b"g\r\n\r\n", b"5 5\r\nabcde\r\n0\r\n\r\n", b"ffffffffffffffff\r\nabc", b"10000000000000005\r\nabcde\r\n0\r\n\r\n",
                 b"5\r\nabc"):
        yield head + body
    # Request lines.
    for line in (b"GET", b"GET ", b"GET /", b"GET / ", b" GET / HTTP/1.1", b"/ HTTP/1.1", b"GET  HTTP/1.1", b"GET / HTTP/1.1 x", b"GET /a b HTTP/1.1",
                 b"GET / HTTP/9.9", b"GET / HTTP/2.0", b"GET / HTTP/0.9", b"GET / HTTP", b"GET / HTTP/", b"GET / HTTP/1", b"GET / HTTP/1.", b"GET / http/1.1",
                 b"GET / XTTP/1.1", b"GET / HTTP/1.1\0", b"G\0T / HTTP/1.1", b"GET /\0 HTTP/1.1", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                 b"PRI * HTTP/2.0", b"GET * HTTP/1.1", b"OPTIONS * HTTP/1.1", b"CONNECT evil.test:443 HTTP/1.1", b"GET http://evil.test/ HTTP/1.1",
                 b"GET http://localhost/ HTTP/1.1", b"GET evil HTTP/1.1", b"GET \\ HTTP/1.1", b"GET ?limit=1 HTTP/1.1", b"GET #x HTTP/1.1", b"get / HTTP/1.1",
                 b"GETT / HTTP/1.1", b"G@T / HTTP/1.1", b"\xff\xff / HTTP/1.1", b"GET \xff HTTP/1.1", b"POST /v1/reports", b"A" * 30000, b"GET /" + b"a" * 30000 + b" HTTP/1.1",
                 b"\r\r\r\r", b"\0\0\0\0", b"SSH-2.0-x", b"EHLO x", b"{\"v\":1}", b"*1\r\n$4\r\nPING"):
        if line in (b"GET / HTTP/1.1",):
            continue
        yield line + b"\r\n" + host.replace(b"localhost", b"evil.test") + b"\r\n"
    # Header lines.
    for bad in (b"Host", b": x", b" : x", b"X Y: z", b"X\0: y", b"X: y\0z", b"Host: localhost", b"Host: evil.test", b"Host: ", b"Host:\t\t",
                b"\xff\xfe: x", b"X: \x01", b"X: \x7f", b"=: ;", b"Host: localhost:%d, evil.test" % port, b"Host: localhost:%d evil" % port,
                b"Host: evil.test\r\n Host: localhost:%d" % port, b"Host: evil.test\r\n\tlocalhost:%d" % port, b"X: " + b"a" * 30000):
        yield b"GET /api/sensors HTTP/1.1\r\n" + bad + b"\r\n\r\n"
    for twice in (b"Host: localhost:%d\r\n" % port, b"Host: evil.test\r\n"):
        yield b"GET /api/sensors HTTP/1.1\r\n" + host + twice + b"\r\n"
        yield b"GET /api/sensors HTTP/1.1\r\n" + twice + host + b"\r\n" if twice.startswith(b"Host: evil") else post + host + twice + kind + length + b"\r\n" + report
    yield b"GET /api/sensors HTTP/1.1\r\n\r\n"
    yield b"GET /api/sensors HTTP/1.0\r\n\r\n"
    yield b"GET /api/sensors HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"\r\n"
    for again in (b"Content-Type: application/x-ndjson\r\n", b"Content-Type: text/plain\r\n"):
        yield post + host + kind + again + length + b"\r\n" + report
    for again in (b"Idempotency-Key: r1/00000001/1-2\r\n", b"Content-Encoding: gzip\r\n", b"Authorization: Bearer x\r\n", b"Origin: http://localhost:%d\r\n" % port):
        yield post + host + kind + length + again + again + b"\r\n" + report
    # A body where none belongs.
    yield b"GET /api/sensors HTTP/1.1\r\n" + host + length + b"\r\n" + report
    yield b"GET /api/sensors HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n" + chunked
    yield post + host + kind + b"\r\n" + report
    # Query strings.
    windowed = ("destinations", "failures", "attempts", "summary")
    bad_numbers = ("", "0", "-1", "59", "31622401", "60.0", "1e3", "0x60", "%36%30%00", "60%20", "abc", "99999999999999999999", "+60", "60;61", "%ff")
    for name, value in itertools.product(windowed, bad_numbers):
        yield f"GET /api/{name}?window_s={value} HTTP/1.1\r\n".encode() + host + b"\r\n"
    for query in ("limit=0", "limit=1001", "limit=-1", "limit=", "limit", "limit=1&limit=2", "limit=1%00", "before=0", "before=-1", "before=x",
                  "before=9007199254740992", "window_s=60", "limit=1;before=2", "Limit=1", "limit%00=1", "x=1", "limit=1&x", "%", "&&x", "limit=1' OR '1'='1"):
        yield f"GET /api/conns?{query.replace(' ', '%20')} HTTP/1.1\r\n".encode() + host + b"\r\n"
    for path in ("/api/sensors?x=1", "/api/sensors?limit=1", "/api/summary?limit=1", "/health?x", "/api/failures?before=1"):
        yield f"GET {path} HTTP/1.1\r\n".encode() + host + b"\r\n"
    for value in (b"-1", b"x", b"1.5", b"9007199254740992", b"0x1"):
        yield b"GET /events HTTP/1.1\r\n" + host + b"Last-Event-ID: " + value + b"\r\n\r\n"


def test_malformed_requests(collector):
    n = 0
    for data in malformed(collector.port):
        said = rig.raw(collector, data)
        n += 1
        assert not said or said.startswith(b"HTTP/1."), (data[:200], said[:200])
        if said:
            assert said[9:12] in (b"400", b"404", b"405", b"411", b"413", b"414", b"415", b"421", b"431", b"501", b"505"), (data[:300], said[:300])
        # One request, one answer at most: nothing of it was taken for a second request.
        assert said.count(b"HTTP/1.1 200") == 0
        if n % 25 == 0:
            unharmed(collector)
    unharmed(collector)
    print(f"{n} requests")
    assert n >= 200


def test_random_bytes(collector):
    seed = time.time_ns()
    print(f"seed {seed}")
    rng = random.Random(seed)
    good = b"POST /v1/reports HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: application/x-ndjson\r\nContent-Length: 3\r\n\r\n{}\n" % collector.port
    for _ in range(150):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        rig.raw(collector, bytes(data[:rng.randrange(1, len(data) + 1)]))
    unharmed(collector)


def test_token(tmp_path):
    """Beyond loopback a token is needed: for reports always, for pages unless they are asked for on this machine."""
    token, bad = "ng1_r1_0123456789abcdef", "ng1_r1_0123456789abcdeF"
    path = tmp_path / "token"
    path.write_text(f"# mine\n{token}\n", encoding="ascii")
    path.chmod(0o600)
    ns = net.Ns("token")
    try:
        ns.ip("link set lo up\naddr add 198.51.100.9/32 dev lo\naddr add 2001:db8::9/128 dev lo nodad")
        with ns, Collector(tmp_path, arguments=["--listen", "0.0.0.0", "--token-file", path, "--hosts", "198.51.100.9"]) as c:
            def ask(address, method, target, headers):
                h = http.client.HTTPConnection(address, c.port, timeout=20)
                with contextlib.closing(h):
                    body = rig.ndjson([rig.conn(1)]) if method == "POST" else None
                    h.request(method, target, body, {"Content-Type": "application/x-ndjson"} | headers)
                    a = h.getresponse()
                    a.read()
                    return a.status, a.headers.get_all("WWW-Authenticate")

            def basic(word):
                return {"Authorization": "Basic " + base64.b64encode(b"any:" + word.encode()).decode()}

            def bearer(word):
                return {"Authorization": f"Bearer {word}"}
            for address in ("127.0.0.1", "198.51.100.9"):
                for headers in ({}, bearer(bad), bearer(""), bearer(token + " x"), {"Authorization": token}, basic(token)):
                    status, asks = ask(address, "POST", "/v1/reports", headers)
                    assert status == 401 and asks[0] == "Bearer", (address, headers)
            assert c.get("/health")["rows"] == 0
            for target in ("/", "/api/sensors", "/health", "/events", "/app.js"):
                for headers in ({}, bearer(bad), basic(bad), basic(""), {"Authorization": "Basic x"}):
                    assert ask("198.51.100.9", "GET", target, headers)[0] == 401, (target, headers)
                if target != "/events":
                    assert ask("198.51.100.9", "GET", target, basic(token))[0] == 200
                    assert ask("198.51.100.9", "GET", target, bearer(token))[0] == 200
                    assert ask("127.0.0.1", "GET", target, {})[0] == 200
            assert ask("198.51.100.9", "POST", "/v1/reports", bearer(token))[0] == 200
            assert ask("127.0.0.1", "POST", "/v1/reports", bearer(token))[0] == 200
            assert c.get("/health")["rows"] == 1
            assert token not in c.log() and token not in open(f"/proc/{c.process.pid}/cmdline", encoding="ascii").read()
    finally:
        ns.close()


def test_many_connections(tmp_path):
    """More than there may be: who was let in is served, and when they go, others are."""
    with Collector(tmp_path, arguments=["--connections", "40", "--connections-per-ip", "30"]) as c:
        held = []
        try:
            for _ in range(60):
                s = socket.create_connection(("127.0.0.1", c.port), timeout=20)
                s.sendall(b"GET /he")
                held.append(s)

            def sockets():
                n = 0
                for f in os.scandir(f"/proc/{c.process.pid}/fd"):
                    with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                        n += os.readlink(f.path).startswith("socket:")
                return n
            # 30 of one address, and the one that listens; the surplus is closed.
            ng.wait_for("30 connections", lambda: sockets() == 31)
            for _ in range(20):
                assert sockets() <= 31
                time.sleep(0.01)
            rest = b"alth HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n\r\n" % c.port
            served = 0
            for s in held:
                try:
                    s.sendall(rest)
                    served += s.recv(100).startswith(b"HTTP/1.1 200")
                except OSError:
                    pass
            assert served >= 30, "those that were let in are served"
        finally:
            for s in held:
                s.close()
        ng.wait_for("the collector to serve again", c.healthy)


def cpu_s(c):
    with open(f"/proc/{c.process.pid}/stat", encoding="ascii") as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def test_slow_clients(tmp_path):
    """Heads and bodies that come a byte a second are ended; a sensor beside them does not notice."""
    with Collector(tmp_path) as c:
        head = b"GET / HTTP/1.1\r\nHost: localhost:%d\r\nX-A: " % c.port
        body = (b"POST /v1/reports HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n" % c.port)
        chunked = (b"POST /v1/reports HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: application/x-ndjson\r\n"
                   b"Transfer-Encoding: chunked\r\n\r\n" % c.port)
        # Lines of a chunk that have no end: libmicrohttpd's buffer is full of them, and it would spin.
        endless = [chunked + b"5;a=" + b"b" * 20000, chunked + b"0" * 20000 + b"5"]
        slow = []
        for data in [head] * 60 + [body] * 40 + endless:
            s = socket.create_connection(("127.0.0.1", c.port), timeout=20)
            s.sendall(data)
            slow.append(s)
        end, seq, alive = time.monotonic() + 120, 0, list(slow)
        start, used = time.monotonic(), cpu_s(c)
        try:
            while alive and time.monotonic() < end:
                rig.stored(c, [rig.conn(seq + i) for i in range(10)])
                seq += 10
                for s in list(alive):
                    try:
                        s.sendall(b"a")
                        s.setblocking(False)
                        if not s.recv(1000):
                            raise ConnectionError
                    except BlockingIOError:
                        pass
                    except OSError:
                        alive.remove(s)
                time.sleep(1)
        finally:
            for s in slow:
                s.close()
        assert not alive, f"{len(alive)} of {len(slow)} are still there"
        assert seq >= 50
        used, took = cpu_s(c) - used, time.monotonic() - start
        print(f"{used:.2f} s of CPU in {took:.0f} s")
        assert used < took / 4
        assert c.get("/health")["rows"] == seq
