# SPDX-License-Identifier: GPL-2.0-or-later
"""Users of a net.Router whose packets must not be lost, whatever happens to net-gazer meanwhile."""
import re
import subprocess
import threading

from lib import net, ng


class Users:
    """200 echo requests each way of addressing, TCP connections one after the other, and a flood."""

    def __init__(self, r, tmp_path):
        self.r = r
        self.flooder = ng.compile_c(ng.TOP / "tests/lib/synflood.c", tmp_path / "synflood", "-D_GNU_SOURCE")

    def __enter__(self):
        r = self.r
        self.server = net.Server(r.wan, 80)
        self.server.__enter__()
        self.done = threading.Event()
        self.tcp, self.failed = 0, []
        self.pings = [r.lan.popen(["ping", "-q", "-n", "-i", "0.01", "-c", "200", "-W", "20", dst], stdout=subprocess.PIPE,
                                  text=True) for dst in (r.WAN4, r.WAN6)]
        self.flood = r.lan.popen([self.flooder, "-i", "eth0", "-D", r.MAC["rtr-lan"], "-n", "20000", "-r", "10000"],
                                 stdout=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self._tcp)
        self.thread.start()
        return self

    def _tcp(self):
        while not self.done.wait(0.002):
            try:
                came, _ = net.connect(self.r.lan, self.r.WAN4, 80, talk=b"x" * 2000)
            except (AssertionError, OSError) as e:
                came = str(e)
            self.tcp += 1
            if came != "ok":
                self.failed.append(came)

    def __exit__(self, *_):
        """Ends them and tells what they saw."""
        self.lost = []
        for p in self.pings:
            said, _ = p.communicate(timeout=120)
            self.lost.append(tuple(map(int, re.search(r"(\d+) packets transmitted, (\d+) received", said).groups())))
        self.done.set()
        self.thread.join()
        self.flood.wait(60)
        self.server.__exit__()

    def check(self):
        print(f"ping (sent, received) {self.lost}, {self.tcp} TCP connections, failed: {self.failed}")
        assert self.lost == [(200, 200), (200, 200)]
        assert self.tcp > 0 and not self.failed
