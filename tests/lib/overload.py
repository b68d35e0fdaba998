# SPDX-License-Identifier: GPL-2.0-or-later
r"""A flood of SYNs from outside while the LAN goes on working.

      lan (100 connections/s) ---- lan0 rtr (net-gazer) wan0 ---- wan (synflood, as fast as it can; servers)

Every spoofed source is another one of 45.0.0.0/8.
"""
import subprocess
import threading
import time

from lib import net, ng

WITNESS = """
table inet witness {
    counter syn { }
    chain forward {
        type filter hook forward priority 5; policy accept
        tcp flags & (fin | syn | rst) == syn counter name syn
    }
}"""


def witnessed(r):
    """SYNs and SYN-ACKs that were forwarded, by a counter of the test's own: under load the kernel drops some between the
    generator and the router, which is no matter of ours."""
    return int(r.rtr.run("nft", "list", "counter", "inet", "witness", "syn").stdout.split("packets ")[1].split()[0])


class Lan(threading.Thread):
    """One connection after the other, so many a second; the ports of those that worked."""

    def __init__(self, r, per_s):
        super().__init__()
        self.r, self.per_s, self.ports, self.failed = r, per_s, [], 0
        self.over = threading.Event()

    def run(self):
        begin = time.monotonic()
        for n in range(1, 1 << 30):
            try:
                came, port = net.connect(self.r.lan, self.r.WAN4, 80)
            except (AssertionError, OSError):
                came, port = "lost", None
            if came == "ok":
                self.ports.append(port)
            else:
                self.failed += 1
            if self.over.wait(max(0, begin + n / self.per_s - time.monotonic())):
                return

    def stop(self):
        self.over.set()
        self.join()


def rss_kib(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            total += next(int(line.split()[1]) for line in f if line.startswith("Rss:"))
    return total


def flood(r, s, program, seconds, settle_s, packets=0, per_s=100):
    """Floods for so long and until so many packets have passed, and proves what is promised; returns the figures.
    settle_s: when memory must have stopped growing."""
    r.rtr.nft(WITNESS)
    figures, pids = {}, s.processes()
    lan = Lan(r, per_s)
    with net.Server(r.wan, 80):
        lan.start()
        flooder = r.wan.popen([program, "-i", "eth0", "-D", r.MAC["rtr-wan"], "-n", "100000000", "-f", "0", "-a"],
                              stdout=subprocess.DEVNULL)
        try:
            begin = time.monotonic()
            time.sleep(settle_s)
            early = rss_kib(pids)
            time.sleep(max(0, begin + seconds - time.monotonic()))
            ng.wait_for("the packets to pass", lambda: witnessed(r) >= packets, deadline_s=300, every_s=0.5)
            late, took = rss_kib(pids), time.monotonic() - begin
            assert flooder.poll() is None, "the flood ended too soon"
        finally:
            flooder.kill()
            flooder.wait()
            lan.stop()
        figures.update(seconds=round(took, 1), rss_kib=late, growth_kib=late - early)
        assert s.processes().keys() == pids.keys(), f"a process was replaced:\n{s.log()}"
        # Limits are released: whatever comes from abroad now is copied again, each one.
        end = time.monotonic()

        def released():
            before = s.counters()
            done = r.wan.run(program, "-i", "eth0", "-D", r.MAC["rtr-wan"], "-n", 200, "-f", 99000000, "-a")
            assert done.returncode == 0, done.stderr
            after = s.counters()
            return all(after[f"handshake_{n}"] - before[f"handshake_{n}"] >= 200 for n in ("seen", "logged"))
        ng.wait_for("the limits to be released", released, deadline_s=10, every_s=0.2)
        figures["released_s"] = round(time.monotonic() - end, 1)
        # Behind all of it in the same queue.
        came, last = net.connect(r.lan, r.WAN4, 80)
        assert came == "ok"
        s.wait_reports(1, type="conn", src_port=last, deadline_s=60)
        seen = s.counters()
        figures["passed"] = witnessed(r)
    conns = [c for c in s.reports(type="conn") if c["src_ip"] == r.LAN4 and c["dst_port"] == 80]
    reported = {c["src_port"] for c in conns if c["state"] in ("established", "answered")}
    figures["lan"], figures["lan_failed"] = len(lan.ports), lan.failed
    figures["lan_reported"] = sum(p in reported for p in lan.ports)
    figures["seen"], figures["logged"] = seen["handshake_seen"], seen["handshake_logged"]
    assert figures["seen"] == figures["passed"], "each packet is of exactly one rule"
    return figures


def check(figures, limit):
    """The promises, of which flood() has not already checked."""
    print("overload: " + ", ".join(f"{n} {v}" for n, v in figures.items()) +
          f"; {figures['seen'] / figures['seconds'] / 1000:.0f} kpps, "
          f"{100 * figures['lan_reported'] / figures['lan']:.2f} % of the LAN's connections reported")
    assert figures["lan"] > 10 * figures["seconds"], "hardly anybody could connect"
    assert figures["lan_reported"] >= 0.95 * figures["lan"]
    assert figures["growth_kib"] <= 64
    # The bucket's burst, its rate, and what had limits of its own: the LAN.
    assert figures["seen"] > figures["logged"], "this was no flood"
    assert figures["logged"] <= 2 * limit + 1.2 * limit * (figures["seconds"] + figures["released_s"]) + 4 * figures["lan"]
