# SPDX-License-Identifier: GPL-2.0-or-later
"""Reports to send to a collector, and ways to send them."""
import contextlib
import datetime
import gzip
import http.client
import ipaddress
import json
import socket

HOSTS = {"Host": "127.0.0.1"}


def stamp(us):
    t = datetime.datetime.fromtimestamp(us // 1000000, datetime.timezone.utc)
    return f"{t:%Y-%m-%dT%H:%M:%S}.{us % 1000000:06d}Z"


def micros(text):
    t = datetime.datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return int(t.timestamp()) * 1000000 + int(text[20:26])


def destination(r):
    return str(ipaddress.ip_address(r["dst_ip"])), r["dst_port"], r["proto"]


def now_us():
    return int(datetime.datetime.now(datetime.timezone.utc).timestamp() * 1000000)


def conn(seq, sensor="r1", boot="00000001", ts_us=None, **fields):
    return {"v": 1, "type": "conn", "ts": stamp(now_us() if ts_us is None else ts_us), "sensor": sensor, "boot": boot,
            "seq": seq, "dir": "outbound", "src_ip": "10.0.0.1", "src_port": 40000 + seq % 20000, "dst_ip": "192.0.2.1",
            "dst_port": 443, "proto": "tcp", "state": "established"} | fields


def other(kind, seq, sensor="r1", boot="00000001", ts_us=None, **fields):
    base = {"v": 1, "type": kind, "ts": stamp(now_us() if ts_us is None else ts_us), "sensor": sensor, "boot": boot,
            "seq": seq}
    needed = {"stat": {"window_us": 10000000}, "plugin": {"plugin": "demo", "kind": "hello"},
              "attempt": {"src_ip": "203.0.113.7", "dir": "inbound", "count": 1, "last_ts": base["ts"]},
              "trace": {"dst_ip": "192.0.2.1", "method": "icmp", "reached": False, "hops": []},
              "quality": {"dst_ip": "192.0.2.1", "proto": "tcp", "window_us": 1},
              "rollup": {"window_us": 60000000, "by": "total", "key": "", "conns": 1}}
    return base | needed[kind] | fields


def ndjson(reports):
    return b"".join((r if isinstance(r, bytes) else json.dumps(r, separators=(",", ":")).encode()) + b"\n" for r in reports)


def post(collector, reports, headers=None, body=None, packed=False):
    """(status, answer as JSON, headers)."""
    body = ndjson(reports) if body is None else body
    send = {"Content-Type": "application/x-ndjson"} | (headers or {})
    if packed:
        body, send["Content-Encoding"] = gzip.compress(body), "gzip"
    c = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=30)
    try:
        c.request("POST", "/v1/reports", body, {k: v for k, v in send.items() if v is not None})
        answer = c.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers
    finally:
        c.close()


def stored(collector, reports, **kw):
    """Posts; all must be accepted."""
    status, answer, _ = post(collector, reports, **kw)
    assert (status, answer["accepted"]) == (200, len(reports)), (status, answer)


def request(collector, method, path, headers=None, body=None):
    c = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=30)
    try:
        c.request(method, path, body, headers or {})
        answer = c.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        c.close()


def raw(collector, data, timeout=60):
    """Sends bytes, then, when no answer came for a moment, the end; returns all that comes until theirs.

    The end must not come in one wakeup with the request: libmicrohttpd 0.9.75 (epoll) sees it only
    when its timeout passes."""
    out = b""
    with socket.create_connection(("127.0.0.1", collector.port), timeout=timeout) as s:
        try:
            s.sendall(data)
            s.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                out = s.recv(65536)
            s.settimeout(timeout)
            s.shutdown(socket.SHUT_WR)
            while piece := s.recv(65536):
                out += piece
        except (ConnectionError, OSError) as e:
            assert not isinstance(e, TimeoutError), f"no end of the connection: {data[:200]}"
    return out


class Stream:
    """An event stream, read event by event."""

    def __init__(self, collector, last_id=None, size=None, **headers):
        self.socket = socket.socket()
        if size:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        self.socket.settimeout(40)
        self.socket.connect(("127.0.0.1", collector.port))
        head = f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{collector.port}\r\n"
        if last_id is not None:
            head += f"Last-Event-ID: {last_id}\r\n"
        head += "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        self.socket.sendall(head.encode() + b"\r\n")
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = http.client.parse_headers(self.file)
        self.rest = b""

    def line(self):
        """The next line of the body, None at its end (chunked)."""
        while b"\n" not in self.rest:
            size = int(self.file.readline() or b"0", 16)
            if not size:
                return None
            self.rest += self.file.read(size)
            self.file.readline()
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def event(self, comments=False):
        """{"event":, "id":, "data":}; None at the end of the stream."""
        found = {}
        while (line := self.line()) is not None:
            if line.startswith(":") and comments:
                return {"comment": line}
            if not line and "data" in found:
                return found
            if line and not line.startswith(":"):
                name, value = line.split(": ", 1)
                if name == "retry":
                    continue
                found[name] = json.loads(value) if name == "data" else int(value) if name == "id" else value
        return None

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        assert self.status == 200, self.status
        return self

    def __exit__(self, *_):
        self.close()
