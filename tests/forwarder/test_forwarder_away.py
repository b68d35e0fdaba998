# SPDX-License-Identifier: GPL-2.0-or-later
"""A collector that is away for long, answers that end anywhere, a clock that jumps."""
import contextlib
import os
import threading
import time

from lib import ng
from rig import Collector, Forwarder, Parent, line, lines, memory_folder, reset, status

SOAK = bool(os.environ.get("NG_SOAK"))
REPORTS = 200000 if SOAK else 20000
CAP = 262144
SEGMENT = 32768  # more than a batch of 100 reports takes


class Watch(threading.Thread):
    """The most that a directory ever held."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.most, self.over = folder, 0, threading.Event()

    def run(self):
        while not self.over.wait(0.01):
            size = 0
            for path in self.folder.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    size += path.stat().st_size
            self.most = max(self.most, size)

    def stop(self):
        self.over.set()
        self.join()


def test_away_for_long():
    """Ten times what has room: the cap holds at every moment, what is dropped is known to the report, also to a parent that
    comes later; then what is new comes first, and the backlog 20 batches a second at most."""
    port = ng.free_port()
    with memory_folder() as folder:
        watch = Watch(folder)
        watch.start()
        try:
            with Parent(folder) as parent, Forwarder(f"http://127.0.0.1:{port}", batch_lines=100, spool_bytes=CAP, queue_bytes=262144,
                                                     **parent.settings()) as f:
                f.feed(lines(REPORTS))
                ng.wait_for(f.log, lambda: parent.page().now.received == REPORTS and not parent.page().prepared, deadline_s=120)
                f.stop_now()
                counts = parent.identity()
        finally:
            watch.stop()
        assert counts["dropped"] + counts["spooled"] == REPORTS and counts["dropped"] > REPORTS // 2
        assert watch.most <= CAP + SEGMENT, watch.most
        times = []
        with Parent(folder) as parent, Collector(lambda number, post: times.append(time.monotonic()), port=port) as c, \
                Forwarder(f"http://127.0.0.1:{port}", batch_lines=100, **parent.settings()) as f:
            waits = parent.page().now.spooled or counts["spooled"]
            f.feed(line(10_000_000))
            ng.wait_for(f.log, lambda: 10_000_000 in c.stored)
            before_it = len(c.stored) - 1
            ng.wait_for(f.log, lambda: len(c.stored) == counts["spooled"] + 1, deadline_s=120)
            assert f.end()["recovered"] == counts["dropped"] + counts["spooled"]
            assert parent.identity()["dropped"] == counts["dropped"], "the gap records do not add up"
            c.assert_honest_keys()
            backlog = len(times) - 1
            assert times[-1] - times[0] >= 0.9 * (backlog - 2) / 20, f"{backlog} batches in {times[-1] - times[0]:.2f} s"
            assert before_it < waits // 2, "what was new waited for what is old"
        print(f"{REPORTS} reports, {counts['dropped']} dropped, {counts['spooled']} in {backlog} batches delivered in "
              f"{times[-1] - times[0]:.2f} s; at most {watch.most} bytes on {CAP}")


class Cut:
    """A collector that stores what it gets, and answers each first post up to one byte more than the last time."""
    CREW = 16

    def __init__(self, stack, first):
        self.at, self.fed, self.cuts, self.whole, self.keys = first, 0, 0, False, set()
        self.parent = stack.enter_context(Parent())
        self.collector = stack.enter_context(Collector(self))
        self.forwarder = stack.enter_context(Forwarder(f"http://127.0.0.1:{self.collector.port}", **self.parent.settings()))

    def __call__(self, number, post):
        body = self.collector.store(post)
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        again = post.key in self.keys
        self.keys.add(post.key)

        def act(handler, post):
            if again or self.at >= len(answer):
                self.whole = self.at >= len(answer)
                handler.wfile.write(answer)
                return
            handler.wfile.write(answer[:self.at])
            handler.wfile.flush()
            self.at += self.CREW
            self.cuts += 1
            reset(handler, post)
        return act

    def turn(self):
        if not self.whole and self.parent.page().now.acknowledged == self.fed:
            self.fed += 1
            self.forwarder.feed(line(self.fed))


def test_an_answer_that_ends_anywhere():
    """RST behind each byte of an answer, everything stored: the same bytes come again and count once."""
    with contextlib.ExitStack() as stack:
        crew = [Cut(stack, first) for first in range(Cut.CREW)]

        def over():
            for cut in crew:
                cut.turn()
            return all(cut.whole for cut in crew)
        ng.wait_for(lambda: f"{[cut.at for cut in crew]}", over, deadline_s=240, every_s=0.02)
        for cut in crew:
            counters = cut.forwarder.end()
            assert counters["acknowledged"] == cut.fed == len(cut.collector.stored), cut.forwarder.log()
            assert cut.collector.duplicates == cut.cuts
            cut.collector.assert_honest_keys()
        print(f"{sum(cut.cuts for cut in crew)} answers were cut")
        assert sum(cut.cuts for cut in crew) > 100


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
/* The time of day is so many seconds off as the file has bytes, times 3600, and the other way while it is not writable. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
	int r = real(id, ts);
	struct stat st;
	if (id == CLOCK_REALTIME && !stat(getenv("CLOCK_FILE"), &st))
		ts->tv_sec += st.st_mode & 0200 ? st.st_size * 3600 : -st.st_size * 3600;
	return r;
}
"""


def test_the_clock_jumps(tmp_path):
    """A day ahead, a day back, to 1970 and right again, while reports come: batches, retries and the spool go by other clocks."""
    source, off = tmp_path / "clock.c", tmp_path / "off"
    source.write_text(CLOCK, encoding="ascii")
    library = ng.compile_c(source, tmp_path / "clock.so", "-shared", "-fPIC", "-ldl")
    off.write_bytes(b"")
    seen = []

    def plan(number, post):
        seen.append(post.headers["Net-Gazer-Sent"])
        return status(503) if number % 3 == 0 else None
    with memory_folder() as folder, Parent(folder) as parent, Collector(plan) as c, Forwarder(
            f"http://127.0.0.1:{c.port}", env={"LD_PRELOAD": str(library), "CLOCK_FILE": str(off)}, **parent.settings()) as f:
        for turn, (hours, ahead) in enumerate(((0, True), (24, True), (24, False), (24 * 365 * 50, False), (0, True))):
            off.chmod(0o600)
            with open(off, "wb") as file:
                file.truncate(hours)
            off.chmod(0o600 if ahead else 0o400)
            f.feed(lines(100, start=1 + 100 * turn))
            ng.wait_for(f.log, lambda t=turn: len(c.stored) == 100 * (t + 1))
        assert f.end()["acknowledged"] == 500 and not c.duplicates
        c.assert_honest_keys()
    up = [int(text.split("up_us=")[1].split(";")[0]) for text in seen]
    assert up == sorted(up), "the clock that only goes on went back"
    assert any("ts=197" in text for text in seen) and len({text.split("ts=")[1][:10] for text in seen}) >= 4
