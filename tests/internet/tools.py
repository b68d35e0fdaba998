# SPDX-License-Identifier: GPL-2.0-or-later
"""Other people's traceroutes, run on the gateway: what they found, and what it took."""
import json
import re
import subprocess
import time

from internet import rig, score

ADDRESS = r"(?:\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f:]+)"


def _traceroute(text, dst):
    hops, reached = [], False
    for line in text.splitlines()[1:]:
        m = re.match(r"\s*(\d+)\s+(.*)", line)
        address = None
        for token in re.finditer(rf"({ADDRESS})|([\d.]+) ms|\*", m[2] if m else ""):
            if token[1]:
                address = token[1]
                reached |= address == dst
            else:
                hops.append({"ttl": int(m[1]), "addr": address if token[2] else None,
                             "rtt_ms": float(token[2]) if token[2] else None})
    return {"dst": dst, "reached": reached, "hops": hops}


def scamper_traces(text):
    for line in text.splitlines():
        d = json.loads(line)
        if d["type"] == "trace":
            yield {"dst": d["dst"], "reached": d["stop_reason"] == "COMPLETED", "flow": ["tcp", d["sport"], d["dport"]],
                   "hops": [{"ttl": h["probe_ttl"], "addr": h["addr"], "rtt_ms": h["rtt"]} for h in d.get("hops", [])]}


class Job:
    """A command on the gateway, in cost's hands."""

    def __init__(self, inet, folder, tag, argv):
        self.out, self.cost = folder / f"{tag}.out", folder / f"{tag}.cost"
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen([inet.helper("cost"), inet["gw"].name, self.cost, *argv], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=subprocess.DEVNULL)

    def ended(self):
        return self.process.poll() is not None

    def result(self):
        """(what it printed, {"wall_s", "cpu_s", "rss_kb"})."""
        assert self.process.wait() == 0, f"{self.process.args} failed"
        return self.out.read_text(encoding="ascii", errors="replace"), json.loads(self.cost.read_text(encoding="ascii"))

    def kill(self):
        if not self.ended():
            self.process.terminate()
            self.process.wait()


def scamper(inet, folder, destinations):
    """One process for all, 1000 packets a second, its own retries and gap limit."""
    listed = folder / "destinations"
    listed.write_text("\n".join(destinations) + "\n", encoding="ascii")
    job = Job(inet, folder, "scamper", ["scamper", "-O", "json", "-p", "1000", "-w", "0", "-c", "trace -P tcp -d 443", "-f", listed])
    try:
        text, cost = job.result()
    finally:
        job.kill()
    return list(scamper_traces(text)), cost


def traceroute(inet, folder, destinations, at_a_time=64):
    """One process a destination, its defaults: three probes a hop, 16 under way."""
    traces, live, todo = [], [], list(destinations)
    cpu_s, rss_kb, begin = 0.0, 0, time.monotonic()
    try:
        while todo or live:
            while todo and len(live) < at_a_time:
                dst = todo.pop(0)
                live.append((dst, Job(inet, folder, f"traceroute-{dst}", ["traceroute", "-n", "-T", "-p", "443", dst])))
            for dst, job in [(d, j) for d, j in live if j.ended()]:
                live.remove((dst, job))
                text, cost = job.result()
                cpu_s, rss_kb = cpu_s + cost["cpu_s"], max(rss_kb, cost["rss_kb"])
                traces.append(_traceroute(text, dst))
            time.sleep(0.005)
    finally:
        for _, job in live:
            job.kill()
    return traces, {"wall_s": time.monotonic() - begin, "cpu_s": cpu_s, "rss_kb": rss_kb}


def measure(inet, tool, folder, destinations):
    """Runs one of the above: a row of figures."""
    rig.wait_quiet(inet)
    inet.reset_counters()
    wan = inet.topo.wan(4)
    # What a tool leaves has its destinations and the gateway's own address.
    before = sum(flow[1] == wan for flow, _ in inet.conntrack())
    traces, cost = tool(inet, folder, destinations)
    time.sleep(0.3)  # the first link's delay, many times
    probes = inet.counters()["every"]
    return {"probes": probes, "per_dst": probes / len(destinations), **cost, **score.summary(inet, traces),
            "conntrack": sum(flow[1] == wan for flow, _ in inet.conntrack()) - before}
