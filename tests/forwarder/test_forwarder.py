# SPDX-License-Identifier: GPL-2.0-or-later
"""The forwarder against collectors that behave and that do not.

What holds in every test: received = acknowledged + rejected + queued + dropped + quarantined
(rig.Forwarder.counters), a resent key carries the same bytes (assert_honest_keys), and what is
acknowledged is stored.
"""
import fcntl
import os
import re
import signal
import subprocess
import threading
import time

import pytest
import rig
from lib import ng
from rig import Collector, Forwarder, line, lines, status


def url(collector, host="127.0.0.1"):
    return f"http://{host}:{collector.port}"


def all_stored(collector, n):
    return lambda: len(collector.stored) == n


def test_everything_arrives_once():
    with Collector() as c, Forwarder(url(c), batch_lines=700, queue_bytes=8 << 20) as f:
        f.feed(lines(5000))
        counters = f.end()
        assert sorted(c.stored) == list(range(1, 5001))
        assert b"".join(p.body for p in c.posts) == lines(5000), "not the same bytes in the same order"
        assert counters == {"received": 5000, "batches": len(c.posts), "acknowledged": 5000, "rejected": 0,
                            "dropped": 0, "quarantined": 0, "queued": 0, "torn": 0, "overlong": 0,
                            "posts": len(c.posts), "recovered": 0, "spooled": 0, "flash": 0, "damaged": 0}
        c.assert_honest_keys()
        assert max(len(p.body) for p in c.posts) <= 65536 and max(len(p.seqs) for p in c.posts) <= 700


def test_headers():
    with Collector() as c:
        read, write = os.pipe()
        os.write(write, b"ng1_r1_s3cret\n")
        os.close(write)
        with Forwarder(url(c) + "/base/", pass_fds=[read], token_fd=read, version="1.2.3") as f:
            os.close(read)
            f.feed(lines(3, start=41))
            f.end()
            assert "in the clear" in f.log()
        assert c.paths == ["/base/v1/reports"]
        headers = c.posts[0].headers
        assert headers["Content-Type"] == "application/x-ndjson"
        assert headers["Idempotency-Key"] == "r1/9f1c2ab0/41-43"
        assert headers["Authorization"] == "Bearer ng1_r1_s3cret"
        assert headers["User-Agent"] == "net-gazer/1.2.3"
        sent = re.fullmatch(r"up_us=(\d+); ts=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z); dropped=0",
                            headers["Net-Gazer-Sent"])
        assert sent, headers
        assert 0 < int(sent[1]) <= time.clock_gettime(time.CLOCK_BOOTTIME) * 1e6
        assert "Expect" not in headers


def test_a_batch_goes_when_it_is_old_enough():
    with Collector() as c, Forwarder(url(c), batch_ms=100) as f:
        f.feed(lines(2))
        ng.wait_for("a batch without end of input", all_stored(c, 2))
        f.feed(line(3)[:40])
        f.feed(line(3)[40:])
        ng.wait_for("the next", all_stored(c, 3))
        f.end()
        assert [p.key for p in c.posts] == ["r1/9f1c2ab0/1-2", "r1/9f1c2ab0/3-3"]


@pytest.mark.parametrize("url_of", [lambda c: f"http://localhost:{c.port}/",
                                    lambda c: f"http://127.0.0.1:{c.port}/v1/reports"])
def test_names_and_addresses(url_of):
    with Collector() as c, Forwarder(url_of(c)) as f:
        f.feed(lines(10))
        assert f.end()["acknowledged"] == 10
        assert set(c.paths) == {"/v1/reports"}


def test_ipv6():
    with Collector(address="::1") as c, Forwarder(f"http://[::1]:{c.port}") as f:
        f.feed(lines(10))
        assert f.end()["acknowledged"] == 10


MISDEEDS = {
    "500": status(500, b"oops"),
    "502 with a page": status(502, b"<html>bad gateway</html>"),
    "503": status(503),
    "503 Retry-After": status(503, Retry_After=1),
    "507 Retry-After": status(507, b'{"error":"disk full"}', Retry_After=1),
    "429 Retry-After": status(429, Retry_After=1),
    "404": status(404),
    "redirect": status(302, Location="/elsewhere"),
    "a portal's page": status(200, b" <!doctype html><title>log in</title>"),
    "reset": rig.reset,
    "closed without an answer": rig.hang_up,
    "closed mid-answer": rig.cut,
}


@pytest.mark.parametrize("name", MISDEEDS)
def test_resent_until_it_works(name):
    """Twice for the first batch, once for the others, then right."""
    seen = {}

    def plan(_, post):
        seen[post.key] = seen.get(post.key, 0) + 1
        return MISDEEDS[name] if seen[post.key] <= (2 if 1 in post.seqs else 1) else None

    with Collector(plan) as c, Forwarder(url(c), batch_lines=100) as f:
        f.feed(lines(300))
        ng.wait_for(f.log, all_stored(c, 300))
        ng.wait_for(f.log, lambda: len(c.posts) > 2 * len({p.key for p in c.posts}))
        counters = f.end()
        # Three, or more when the lines came slowly.
        batches = {p.key for p in c.posts}
        first = next(len(p.seqs) for p in c.posts if 1 in p.seqs)
        assert len(batches) >= 3 and set(c.paths) == {"/v1/reports"} and len(c.posts) == 2 * len(batches) + 1
        # libcurl itself sends again when a kept connection dies before the answer: not a post of ours.
        assert counters["acknowledged"] == 300 and len(batches) + 2 <= counters["posts"] <= len(c.posts)
        c.assert_honest_keys()
        assert "answers again" in f.log()
        if name == "closed mid-answer":
            assert c.duplicates == 300 + first


def test_retry_after_is_obeyed():
    """The second post does not come before the time that the first was told."""
    times = []

    def plan(number, _):
        times.append(time.monotonic())
        return status(429, Retry_After=2) if number == 0 else None

    with Collector(plan) as c, Forwarder(url(c)) as f:
        f.feed(lines(1))
        ng.wait_for(f.log, all_stored(c, 1))
        f.end()
    assert times[1] - times[0] >= 1.9


def test_a_slow_answer_is_an_answer():
    with Collector(lambda number, post: rig.slow) as c, Forwarder(url(c)) as f:
        f.feed(lines(5))
        assert f.end()["acknowledged"] == 5
        assert len(c.posts) == 1


def test_a_collector_that_comes_later():
    port = ng.free_port()
    with Forwarder(f"http://127.0.0.1:{port}") as f:
        f.feed(lines(20))
        ng.wait_for(f.log, lambda: "Failed to connect" in f.log() or "refused" in f.log())
        with Collector(port=port) as c:
            ng.wait_for(f.log, all_stored(c, 20))
            assert f.end()["acknowledged"] == 20


def test_too_large_is_halved_and_remembered():
    def plan(_, post):
        return status(413) if len(post.body) > 20000 else None

    with Collector(plan) as c, Forwarder(url(c), batch_lines=100000, batch_ms=200) as f:
        f.feed(lines(1000))
        ng.wait_for(f.log, all_stored(c, 1000))
        refused = sum(len(p.body) > 20000 for p in c.posts)
        assert 1 <= refused <= 2, "65536 -> 32768 -> 16384 is learnt once, not for each batch"
        f.feed(lines(1000, start=1001))
        ng.wait_for(f.log, all_stored(c, 2000))
        assert sum(len(p.body) > 20000 for p in c.posts) == refused
        counters = f.end()
        assert counters["acknowledged"] == 2000 and counters["quarantined"] == 0
        c.assert_honest_keys()


def test_a_line_that_alone_is_too_large_is_quarantined():
    def plan(_, post):
        return status(413) if len(post.body) > 5000 else None

    with Collector(plan) as c, Forwarder(url(c)) as f:
        f.feed(lines(5) + line(6, pad=6000) + lines(5, start=7))
        ng.wait_for(f.log, all_stored(c, 10))
        counters = f.end()
        assert (counters["acknowledged"], counters["quarantined"]) == (10, 1)
        assert "report 6 is given up" in f.log()


@pytest.mark.parametrize("code", [400, 415, 422])
def test_one_poisoned_line_costs_one_line(code):
    def plan(_, post):
        return status(code, b'{"error":"line 1: no such \\u001b[1m type"}') if 77 in post.seqs else None

    with Collector(plan) as c, Forwarder(url(c)) as f:
        f.feed(lines(200))
        ng.wait_for(f.log, all_stored(c, 199))
        counters = f.end()
        assert (counters["acknowledged"], counters["quarantined"]) == (199, 1)
        assert sorted(set(range(1, 201)) - set(c.stored)) == [77]
        c.assert_honest_keys()
        assert re.search(r"report 77 is given up: status \d+, line 1: no such \\x1b\[1m type", f.log())


def test_a_lone_line_gets_three_chances():
    with Collector(lambda number, post: status(400) if number < 2 else None) as c, Forwarder(url(c)) as f:
        f.feed(lines(1))
        ng.wait_for(f.log, all_stored(c, 1))
        assert f.end()["acknowledged"] == 1


def test_rejected_lines_are_counted_and_not_sent_again():
    with Collector() as c, Forwarder(url(c)) as f:
        c.bad = {3, 5}
        f.feed(lines(10))
        counters = f.end()
        assert (counters["acknowledged"], counters["rejected"], counters["posts"]) == (8, 2, 1)
        assert "2 of 10 reports rejected, the first is 3: out of order \\x1b[31m" in f.log()


@pytest.mark.parametrize("code", [401, 403, 409])
def test_held_when_somebody_must_act(code):
    with Collector(lambda number, post: status(code, b'{"error":"unknown token"}')) as c, Forwarder(url(c)) as f:
        f.feed(lines(5))
        ng.wait_for(f.log, lambda: f"status {code}, unknown token" in f.log())
        f.feed(lines(5, start=6))
        assert "next try in 300.0 s" in f.log()
        counters = f.end()
        assert (counters["posts"], counters["queued"]) == (1, 10), "it must not ask again so soon"
        assert "10 reports could not be delivered" in f.log()


def test_lines_that_are_no_reports_are_counted_and_passed_over():
    good = lines(3)
    torn = line(50)[:100] + line(51)
    with Collector() as c, Forwarder(url(c)) as f:
        f.feed(torn + b"\n" + b"[]\n" + good + b'{"seq":"7"}\n' + line(60, pad=17000) + line(4) + b'{"seq":9')
        counters = f.end()
        assert sorted(c.stored) == [1, 2, 3, 4]
        assert (counters["torn"], counters["overlong"], counters["received"]) == (5, 1, 4)


def test_a_full_queue_never_blocks_the_pipe():
    """50 MB with nobody to take them: the writer gets through, memory stays, the drops add up."""
    port = ng.free_port()
    with Forwarder(f"http://127.0.0.1:{port}", batch_ms=1000) as f:
        total, start = 0, 1
        size = len(lines(1000, start=100000))
        done = threading.Event()
        most = [0]

        def watch():
            while not done.wait(0.02):
                most[0] = max(most[0], ng.pss_kib([f.process.pid]))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            while total < 50_000_000:
                f.feed(lines(1000, start=start + 100000))
                start += 1000
                total += size
        finally:
            done.set()
            watcher.join()
        # What is left in the queue is the newest, and it arrives.
        with Collector(port=port) as c:
            f.process.stdin.close()
            f.process.wait(ng.DEADLINE_S)
            counters = f.counters()
            assert counters["received"] == start - 1
            assert counters["dropped"] > 0 and "the queue is full" in f.log()
            assert counters["queued"] == 0 and len(c.stored) == counters["acknowledged"]
            assert sorted(c.stored)[-1] == start - 1 + 100000
            assert sum(len(p.raw) for p in c.posts) <= 1 << 20
        assert most[0] < 10240, f"{most[0]} KiB for a queue of 1 MiB"


def test_a_file_by_hand_is_read_as_fast_as_it_can_be_sent(tmp_path):
    """Nothing is dropped although it is larger than the queue: a file can wait."""
    path = tmp_path / "lines"
    path.write_bytes(lines(8000))
    with open(path, "rb") as stdin, Collector() as c, Forwarder(url(c), stdin=stdin) as f:
        counters = f.end()
        assert counters["acknowledged"] == 8000 and len(c.stored) == 8000


def test_ends_soon_without_a_collector():
    with Forwarder(f"http://127.0.0.1:{ng.free_port()}") as f:
        f.feed(lines(7))
        counters = f.end()
        assert counters["queued"] == 7 and "7 reports could not be delivered and are lost" in f.log()


def test_reports_that_come_after_the_signal_are_sent():
    """Ctrl-C reaches everybody at once; the analyzer's last words come a moment later."""
    with Collector() as c, Forwarder(url(c)) as f:
        f.feed(lines(3))
        ng.wait_for("the first", all_stored(c, 3))
        f.process.send_signal(signal.SIGINT)
        f.feed(lines(3, start=4))
        assert f.end()["acknowledged"] == 6
        assert len(c.stored) == 6


def test_two_forwarders_share_a_pipe():
    """The parent keeps the pipe and starts another one when the configuration changed: between the
    two no line is lost, torn or sent by both."""
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 1 << 20)
    with Collector() as c:
        total = 0
        for turn in range(4):
            with Forwarder(url(c), stdin=read, queue_bytes=8 << 20) as f:
                for _ in range(10):
                    os.write(write, lines(50, start=total + 1))
                    total += 50
                ng.wait_for(f.log, lambda: "sending reports" in f.log())
                f.process.send_signal(signal.SIGTERM)
                # Goes on while it reads, stops reading and delivers; never more than the pipe holds.
                end = total + 2000
                while f.process.poll() is None and total < end:
                    os.write(write, lines(5, start=total + 1))
                    total += 5
                    time.sleep(0.001)
                assert f.process.wait(ng.DEADLINE_S) == 0
                counters = f.counters()
                assert counters["queued"] == 0 and counters["torn"] == 0
        os.close(write)
        with Forwarder(url(c), stdin=read, queue_bytes=8 << 20) as f:
            assert f.process.wait(ng.DEADLINE_S) == 0
            assert f.counters()["torn"] == 0
        os.close(read)
        assert sorted(c.stored) == list(range(1, total + 1)) and c.duplicates == 0


def test_a_second_signal_ends_at_once():
    with Collector() as c, Forwarder(url(c)) as f:
        f.feed(lines(3))
        ng.wait_for("the first", all_stored(c, 3))
        f.stop_now()
        # The collector stored them; whether its answer was read before the end is a matter of luck.
        assert f.counters()["acknowledged"] + f.counters()["queued"] == 3


def test_no_proxy_of_the_environment():
    dead = f"http://127.0.0.1:{ng.free_port()}"
    env = {"http_proxy": dead, "HTTP_PROXY": dead, "all_proxy": dead, "https_proxy": dead}
    with Collector() as c, Forwarder(url(c), env=env) as f:
        f.feed(lines(3))
        assert f.end()["acknowledged"] == 3


def test_settings_on_descriptor_3():
    """As the parent does: a memfd at 3, the token in a descriptor, an empty environment."""
    with Collector() as c:
        settings = os.memfd_create("settings", 0)
        token = os.memfd_create("token", 0)
        os.write(token, b"abc")
        os.lseek(token, 0, os.SEEK_SET)
        os.write(settings, f"url={url(c)}\nsensor=r1\nboot=9f1c2ab0\nversion=0.1.0\nverbose=2\ntoken-fd=4\n".encode())
        os.lseek(settings, 0, os.SEEK_SET)
        a, b = os.dup(settings), os.dup(token)
        p = subprocess.run([ng.program("forwarder")], input=lines(4), env={}, close_fds=False, stderr=subprocess.PIPE,
                           preexec_fn=lambda: (os.dup2(a, 20), os.dup2(b, 21), os.dup2(20, 3), os.dup2(21, 4)),
                           timeout=ng.DEADLINE_S, check=False)
        for fd in (settings, token, a, b):
            os.close(fd)
        assert p.returncode == 0, p.stderr
        assert len(c.stored) == 4 and c.posts[0].headers["Authorization"] == "Bearer abc"
        assert b"abc" not in p.stderr


GOOD = {"url": "http://127.0.0.1:1", "sensor": "r1", "boot": "9f1c2ab0"}


@pytest.mark.parametrize("change, want", [
    ({"url": None}, "`url' is missing"),
    ({"sensor": None}, "`sensor' is missing"),
    ({"boot": None}, "`boot' is missing"),
    ({"url": "ftp://h/"}, "http://HOST"),
    ({"url": "gopher"}, "http://HOST"),
    ({"url": "http://u:sesame@h/"}, "token file"),
    ({"url": "http://h/#x"}, "no #"),
    ({"sensor": "a b"}, "sensor=a b"),
    ({"sensor": "-a"}, "sensor=-a"),
    ({"boot": "9F1C2AB0"}, "8 lower-case hex"),
    ({"version": "1\r\nX: y"}, None),
    ({"batch-lines": "0"}, "1 to 100000"),
    ({"batch-bytes": "100"}, "16384 to"),
    ({"batch-ms": "1s"}, "10 to 60000"),
    ({"queue-bytes": "99999999999999999999"}, "65536 to"),
    ({"queue-bytes": "131072"}, "4 times batch-bytes"),
    ({"verbose": "4"}, "0 to 3"),
    ({"ca-file": "/nonexistent/ca"}, "No such file"),
    ({"token-fd": "900"}, "token-fd=900"),
    ({"colour": "red"}, "unknown key `colour'"),
])
def test_wrong_settings(tmp_path, change, want):
    """One line that says what would be right, exit 2, nothing of a password."""
    values = {k: v for k, v in {**GOOD, **change}.items() if v is not None}
    file = tmp_path / "settings"
    file.write_bytes("".join(f"{k}={v}\n" for k, v in values.items()).encode())
    p = subprocess.run([ng.program("forwarder"), "-f", file], input=b"", capture_output=True, timeout=ng.DEADLINE_S,
                       check=False)
    text = p.stderr.decode()
    assert p.returncode == 2, text
    assert text.count("\n") == 1 and text.startswith("forwarder: error: "), text
    assert (want or "") in text and "sesame" not in text


def test_settings_file_that_is_missing():
    p = subprocess.run([ng.program("forwarder"), "-f", "/nonexistent"], capture_output=True, check=False)
    assert p.returncode == 2 and b"No such file" in p.stderr
