# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS: one good server, and those that must not get a single report (facts/reliability.md T20)."""
import contextlib
import os
import re
import socket
import ssl
import struct
import threading

import pytest
import rig
from lib import ng
from lib.pki import asking, context, make, pin
from rig import Collector, Forwarder, lines


@pytest.fixture(name="pki", scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("pki"))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("name, ca", [("good", "ca"), ("self", "self")])
def test_accepted(pki, name, ca, host):
    read, write = os.pipe()
    os.write(write, b"t0ken")
    os.close(write)
    with Collector(context=context(pki, name)) as c, \
            Forwarder(f"https://{host}:{c.port}", ca_file=pki / f"{ca}.pem", pass_fds=[read], token_fd=read) as f:
        os.close(read)
        f.feed(lines(500))
        assert f.end()["acknowledged"] == 500
        assert c.posts[0].headers["Authorization"] == "Bearer t0ken"
        assert "in the clear" not in f.log() and "t0ken" not in f.log()


def refused(url, want, **settings):
    with Forwarder(url, **settings) as f:
        f.feed(lines(5))
        ng.wait_for(f.log, lambda: "reports wait" in f.log())
        assert re.search(want, f.log(), re.I), f.log()
        f.stop_now()
        counters = f.counters()
        assert counters["queued"] == 5 and counters["acknowledged"] == 0


@pytest.mark.parametrize("name, want", [
    ("expired", "certificate has expired"),
    ("elsewhere", "no alternative certificate subject name matches"),
    ("unknown", "unable to get local issuer certificate"),
    ("self", "self.signed"),
])
def test_bad_certificates(pki, name, want):
    with Collector(context=context(pki, name)) as c:
        refused(f"https://localhost:{c.port}", want, ca_file=pki / "ca.pem")
        assert not c.posts, "a report went to a server that is not ours"


def test_ca_file_alone_is_believed(pki):
    """Without ca-file the system's authorities count, and ours is none of them."""
    with Collector(context=context(pki, "good")) as c:
        refused(f"https://localhost:{c.port}", "unable to get local issuer certificate")
        assert not c.posts


def test_old_tls(pki):
    c = context(pki, "good")
    c.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        c.minimum_version = ssl.TLSVersion.TLSv1_1
        c.maximum_version = ssl.TLSVersion.TLSv1_1
    with Collector(context=c) as server:
        refused(f"https://localhost:{server.port}", "protocol version|unsupported protocol", ca_file=pki / "ca.pem")
        assert not server.posts


def test_no_certificate_at_all(pki):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.maximum_version = ssl.TLSVersion.TLSv1_2
    c.set_ciphers("ADH:@SECLEVEL=0")
    with Collector(context=c) as server:
        refused(f"https://localhost:{server.port}", "handshake failure|SSL", ca_file=pki / "ca.pem")
        assert not server.posts


def test_plain_http_behind_https(pki):
    with Collector() as server:
        refused(f"https://localhost:{server.port}", "wrong version number|SSL", ca_file=pki / "ca.pem")
        assert not server.posts


@contextlib.contextmanager
def client(pki, cert, key):
    """Settings for a forwarder that shows this certificate."""
    fds = [os.open(pki / name, os.O_RDONLY) for name in (cert, key)]
    try:
        yield {"cert_fd": fds[0], "key_fd": fds[1], "pass_fds": fds, "ca_file": pki / "ca.pem"}
    finally:
        for fd in fds:
            os.close(fd)


def test_a_certificate_of_ours(pki):
    with Collector(context=asking(pki)) as c, client(pki, "elsewhere.pem", "elsewhere.key") as settings, \
            Forwarder(f"https://localhost:{c.port}", **settings) as f:
        f.feed(lines(500))
        assert f.end()["acknowledged"] == 500


def test_without_a_certificate_of_ours_that_they_know(pki):
    server = asking(pki)
    # With 1.3 a client learns of it after its handshake, when the connection may be gone already.
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    with Collector(context=server) as c:
        refused(f"https://localhost:{c.port}", "certificate required|alert|reset|SSL", ca_file=pki / "ca.pem")
        with client(pki, "unknown.pem", "unknown.key") as settings:
            refused(f"https://localhost:{c.port}", "unknown ca|alert|reset|SSL", **settings)
        with client(pki, "good.pem", "elsewhere.key") as settings:
            refused(f"https://localhost:{c.port}", "key", **settings)
        assert not c.posts


def test_a_certificate_that_is_none(pki):
    with client(pki, "ext", "good.key") as settings, Forwarder("https://localhost:1", **settings) as f:
        assert f.process.wait(ng.DEADLINE_S) == 2 and "no PEM file" in f.log()
    with client(pki, "good.pem", "good.key") as settings, Forwarder("http://localhost:1", **settings) as f:
        assert f.process.wait(ng.DEADLINE_S) == 2 and "https only" in f.log()


def test_pinned(pki):
    good, other = pin(pki, "good"), pin(pki, "elsewhere")
    with Collector(context=context(pki, "good")) as c:
        for pins in (good, f"{other};{good}"):
            with Forwarder(f"https://localhost:{c.port}", ca_file=pki / "ca.pem", pin=pins) as f:
                f.feed(lines(5))
                assert f.end()["acknowledged"] == 5
        had = len(c.posts)
        refused(f"https://localhost:{c.port}", "public key", ca_file=pki / "ca.pem", pin=other)
        assert len(c.posts) == had


def test_a_pin_is_beside_a_good_certificate(pki):
    with Collector(context=context(pki, "expired")) as c:
        refused(f"https://localhost:{c.port}", "expired", ca_file=pki / "ca.pem", pin=pin(pki, "expired"))
        assert not c.posts


@contextlib.contextmanager
def raw_server(answer):
    """answer(connection) for each connection, on its own thread, until the end."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    end = threading.Event()

    def serve():
        while not end.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(5)
                with contextlib.suppress(OSError):
                    answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        end.set()
        thread.join()
        listener.close()


def test_handshake_cut_off(pki):
    def half_a_hello(connection):
        connection.recv(4096)
        connection.sendall(bytes.fromhex("160303007a0200007603"))

    with raw_server(half_a_hello) as port:
        refused(f"https://localhost:{port}", "SSL|TLS|reset|closed", ca_file=pki / "ca.pem")


def test_handshake_reset(pki):
    def rst(connection):
        connection.recv(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with raw_server(rst) as port:
        refused(f"https://localhost:{port}", "reset|SSL", ca_file=pki / "ca.pem")


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
/* The time of day of a router without a battery; all else is right. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
	int r = real(id, ts);
	const char *right = getenv("CLOCK_IS_RIGHT");
	if (id == CLOCK_REALTIME && (!right || access(right, F_OK)))
		ts->tv_sec %= 86400;
	return r;
}
"""


def test_a_clock_of_1970_is_named_and_waited_for(pki, tmp_path):
    source = tmp_path / "clock.c"
    source.write_text(CLOCK)
    library = ng.compile_c(source, tmp_path / "clock.so", "-shared", "-fPIC", "-ldl")
    with Collector(context=context(pki, "good")) as c:
        with Forwarder(f"https://localhost:{c.port}", ca_file=pki / "ca.pem", env={"LD_PRELOAD": str(library)}) as f:
            f.feed(lines(5))
            ng.wait_for(f.log, lambda: "clock is wrong" in f.log())
            assert f.end()["queued"] == 5
        assert not c.posts
    # Plain HTTP has nothing to check and goes on.
    with Collector() as c, Forwarder(f"http://localhost:{c.port}", env={"LD_PRELOAD": str(library)}) as f:
        f.feed(lines(5))
        assert f.end()["acknowledged"] == 5
        assert "1970-01-01T" in c.posts[0].headers["Net-Gazer-Sent"]


def test_when_the_clock_is_right_what_waited_is_sent(pki, tmp_path):
    source, right = tmp_path / "clock.c", tmp_path / "right"
    source.write_text(CLOCK)
    library = ng.compile_c(source, tmp_path / "clock.so", "-shared", "-fPIC", "-ldl")
    with rig.memory_folder() as folder, rig.Parent(folder) as parent, Collector(context=context(pki, "good")) as c, \
            Forwarder(f"https://localhost:{c.port}", ca_file=pki / "ca.pem",
                      env={"LD_PRELOAD": str(library), "CLOCK_IS_RIGHT": str(right)}, **parent.settings()) as f:
        for start in (1, 101, 201):
            f.feed(lines(100, start=start))
            ng.wait_for(f.log, lambda s=start: parent.page().now.spooled == s + 99)
        assert parent.page().state == 4 and b"clock" in parent.page().why
        right.touch()
        ng.wait_for(f.log, lambda: len(c.stored) == 300)
        assert f.log().count("clock is wrong") == 1 and parent.page().state == 1
        assert f.end()["acknowledged"] == 300
