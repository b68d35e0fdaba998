# SPDX-License-Identifier: GPL-2.0-or-later
"""A collector on loopback that misbehaves as told, and a forwarder that is fed by the test."""
import collections
import contextlib
import ctypes
import gzip
import hashlib
import http.server
import json
import mmap
import os
import pathlib
import re
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

from lib import ng

Post = collections.namedtuple("Post", "key body headers seqs raw")
COUNTERS = re.compile(r"counters: (.*)")


def line(seq, pad=0):
    text = {"v": 1, "type": "conn", "ts": "2026-11-21T19:04:05.123456Z", "up_us": 8123456789, "sensor": "r1",
            "boot": "9f1c2ab0", "seq": seq, "dir": "outbound", "src_ip": "192.168.1.23", "src_port": 51234,
            "dst_ip": "93.184.216.34", "dst_port": 443, "proto": "tcp", "state": "answered", "rtt_us": 20123,
            "x_id": hashlib.sha256(str(seq).encode()).hexdigest()[:24]}  # as much as makes a line another one than the next
    if pad:
        text["x_pad"] = "p" * pad
    return json.dumps(text, separators=(",", ":")).encode() + b"\n"


def lines(n, start=1, pad=0):
    return b"".join(line(seq, pad) for seq in range(start, start + n))


def unzstd(raw):
    library = ctypes.CDLL("libzstd.so.1")
    for name in ("ZSTD_decompress", "ZSTD_getFrameContentSize"):
        getattr(library, name).restype = ctypes.c_size_t
    size = library.ZSTD_getFrameContentSize(raw, ctypes.c_size_t(len(raw)))
    assert size <= 1 << 24, "no frame, or it does not tell its size"
    out = ctypes.create_string_buffer(size)
    got = library.ZSTD_decompress(out, ctypes.c_size_t(size), raw, ctypes.c_size_t(len(raw)))
    assert got == size, "a broken frame"
    return out.raw


def unpacked(raw, coding):
    return {"gzip": gzip.decompress, "zstd": unzstd, None: bytes}[coding](raw)


def seqs_of(body):
    assert body.endswith(b"\n"), "the last line of a batch has no newline"
    return [json.loads(text)["seq"] for text in body[:-1].split(b"\n")]


# What a plan may return for a post.  None: store it and say so.
def status(code, body=b"", **headers):
    def act(handler, post):
        handler.send_response(code)
        if handler.server.collector.takes:
            handler.send_header("Accept-Encoding", handler.server.collector.takes)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), str(value))
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
    return act


def reset(handler, post):
    """RST instead of an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.rfile.close()
    handler.connection.close()


def hang_up(handler, post):
    handler.close_connection = True


def cut(handler, post):
    """Half an answer, although everything is stored: the sender cannot know."""
    handler.server.collector.store(post)
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"accepted":')
    handler.close_connection = True


def slow(handler, post):
    """The right answer, a byte at a time."""
    answer = handler.server.collector.store(post)
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(answer)))
    handler.end_headers()
    for i in range(len(answer)):
        handler.wfile.write(answer[i:i + 1])
        handler.wfile.flush()
        time.sleep(0.01)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Python writes headers and body apart: Nagle would hold the second for 40 ms.
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_POST(self):
        collector = self.server.collector
        with collector.lock:
            collector.ports.append(self.client_address[1])
        collector.before(self)
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body = unpacked(raw, self.headers["Content-Encoding"])
        post = Post(self.headers["Idempotency-Key"], body, dict(self.headers), seqs_of(body), raw)
        with collector.lock:
            number = len(collector.posts)
            collector.posts.append(post)
            collector.paths.append(self.path)
        act = collector.plan(number, post)
        if act is None:
            act = status(200, collector.store(post), Content_Type="application/json")
        try:
            act(self, post)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    def do_GET(self):
        self.server.collector.paths.append(self.path)
        self.send_error(405)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


class Server6(Server):
    address_family = socket.AF_INET6


class Collector:
    """plan(number of the post, post) -> None or one of the acts above."""

    def __init__(self, plan=lambda number, post: None, context=None, address="127.0.0.1", port=0, takes=None):
        self.plan = plan
        self.takes = takes     # what it says that posts may be packed with
        self.before = lambda handler: None  # called when a post's head is there, its body perhaps not
        self.lock = threading.Lock()
        self.posts, self.paths = [], []
        self.ports = []        # of the clients, one for each head
        self.stored = {}       # seq -> its line
        self.duplicates = 0
        self.bad = set()       # seqs that are rejected
        self.server = (Server6 if ":" in address else Server)((address, port), Handler)
        self.server.collector = self
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def store(self, post):
        """Once per seq; the answer's body."""
        accepted = duplicate = 0
        rejected = []
        with self.lock:
            for seq, text in zip(post.seqs, post.body[:-1].split(b"\n")):
                if seq in self.bad:
                    rejected.append({"seq": seq, "why": "out of order \u001b[31m"})
                elif seq in self.stored:
                    duplicate += 1
                else:
                    accepted += 1
                    self.stored[seq] = text
            self.duplicates += duplicate
        return json.dumps({"accepted": accepted, "duplicate": duplicate, "rejected": rejected}).encode()

    def assert_honest_keys(self):
        """The same key never came with other bytes, and says what is inside."""
        known = {}
        for post in self.posts:
            kind = post.headers.get("Content-Encoding")
            assert known.setdefault((post.key, kind), post.raw) == post.raw, f"{post.key} came with other bytes"
            assert known.setdefault(post.key, post.body) == post.body, f"{post.key} came with other reports"
            assert post.key == f"r1/9f1c2ab0/{post.seqs[0]}-{post.seqs[-1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Counts(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint64) for n in ("received", "recovered", "acknowledged", "rejected", "quarantined", "dropped",
                                              "spooled")]


class PageStruct(ctypes.Structure):
    """struct worker_forward_page (src/worker.h)."""
    _fields_ = [("now", Counts), ("next", Counts)] + [(n, ctypes.c_uint64) for n in (
        "waiting", "queue_bytes", "queue_limit_bytes", "spool_bytes", "spool_limit_bytes", "spool_damaged",
        "flash_written_bytes", "sent_bytes", "posts", "http_2xx", "http_4xx", "http_5xx", "ack_us", "next_try_us")] + [
        (n, ctypes.c_uint32) for n in ("starts", "prepared", "state", "tries", "spool_error", "spool_tmpfs", "posture")] + [
        ("why", ctypes.c_char * 164), ("renamed", ctypes.c_uint16), ("renamed_to", ctypes.c_uint16), ("reserved", ctypes.c_uint64 * 7)]


class Parent:
    """What outlives a forwarder: its page and its spool directory."""

    def __init__(self, folder=None):
        self.page_fd = os.memfd_create("page")
        os.ftruncate(self.page_fd, ctypes.sizeof(PageStruct))
        self.map = mmap.mmap(self.page_fd, ctypes.sizeof(PageStruct))
        self.folder = folder
        self.dir_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY) if folder else -1

    def page(self):
        return PageStruct.from_buffer_copy(self.map)

    def settings(self):
        fds = [fd for fd in (self.page_fd, self.dir_fd) if fd >= 0]
        return {"page_fd": self.page_fd, "pass_fds": fds, **({"spool_fd": self.dir_fd} if self.folder else {})}

    def segments(self):
        return sorted(p for p in pathlib.Path(self.folder).iterdir() if p.suffix == ".seg")

    def identity(self):
        """Of the page, when no forwarder runs: all that came has an end, or waits in the spool."""
        c = self.page().now
        ends = c.acknowledged + c.rejected + c.quarantined + c.dropped
        counts = {n: getattr(c, n) for n, _ in Counts._fields_}
        assert c.received + c.recovered == ends + c.spooled, counts
        return counts

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.map.close()
        os.close(self.page_fd)
        if self.folder:
            os.close(self.dir_fd)


@contextlib.contextmanager
def memory_folder():
    """A directory on tmpfs."""
    with tempfile.TemporaryDirectory(prefix="ng-spool-", dir="/dev/shm") as folder:
        yield pathlib.Path(folder)


class Forwarder:
    def __init__(self, url, stdin=subprocess.PIPE, wrap=(), env=None, pass_fds=(), **settings):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ng-fwd-"))
        self.settings = {"url": url, "sensor": "r1", "boot": "9f1c2ab0", "verbose": 3, "batch-ms": 50}
        self.settings.update({k.replace("_", "-"): v for k, v in settings.items()})
        file = self.dir / "settings"
        file.write_text("".join(f"{k}={v}\n" for k, v in self.settings.items()))
        self.err = self.dir / "stderr"
        with open(self.err, "wb") as err:
            self.process = subprocess.Popen([*wrap, str(ng.program("forwarder")), "-f", str(file)], stdin=stdin,
                                            stderr=err, pass_fds=pass_fds,
                                            env=dict(os.environ, **env) if env else None)
        self.received = 0

    def log(self):
        return self.err.read_text()

    def feed(self, data):
        """May block as long as a pipe does; the forwarder promises that this is not long."""
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def end(self, deadline_s=ng.DEADLINE_S):
        """Closes the pipe; the counters after a clean exit."""
        if self.process.stdin:
            self.process.stdin.close()
        code = self.process.wait(deadline_s)
        assert code == 0, f"exit {code}: {self.log()}"
        return self.counters()

    def stop_now(self):
        """Two signals: it does not try the rest any more."""
        self.process.send_signal(signal.SIGTERM)
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(ng.DEADLINE_S) == 0, self.log()

    def counters(self):
        c = dict(pair.split("=") for pair in COUNTERS.findall(self.log())[-1].split())
        c = {k: int(v) for k, v in c.items()}
        assert c["received"] + c["recovered"] == sum(c[k] for k in ("acknowledged", "rejected", "queued", "dropped", "quarantined")), c
        return c

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdin:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        for file in self.dir.iterdir():
            file.unlink()
        self.dir.rmdir()
