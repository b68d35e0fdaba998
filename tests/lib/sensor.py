# SPDX-License-Identifier: GPL-2.0-or-later
"""net-gazer in a namespace: written configuration, start, reports as they come, and an end that
proves its promises: exit 0, no table, no group, no process left, every identity of the ledger exact.
"""
import itertools
import json
import os
import re
import signal
import subprocess

from lib import ng, report

_serial = itertools.count(1)
TABLE = ("nft", "list", "table", "inet", "net_gazer")


def quoted(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def config(options):
    """The file's text: {"flows": 4096, "home": [...], "handshake": {...a section...}}."""
    lines = []
    for name, value in options.items():
        if isinstance(value, dict):
            lines.append(f"{name} {{\n" + config(value) + "}")
        elif isinstance(value, (list, tuple)):
            lines.append(f"{name} = {{" + ", ".join(map(quoted, value)) + "}")
        elif isinstance(value, bool):
            lines.append(f"{name} = {'yes' if value else 'no'}")
        elif isinstance(value, int):
            lines.append(f"{name} = {value}")
        else:
            lines.append(f"{name} = {quoted(value)}")
    return "\n".join(lines) + "\n"


def print_ledger(stat):
    print("ledger: " + " ".join(f"{n}={stat.get(n)}" for n in (
        "seen", "logged", "sampled_out", "received", "gap", "tail", "parsed", "truncated", "malformed", "unsupported",
        "in_hand", "reports", "reports_dropped")))


class Sensor:
    """`with Sensor(ns, folder, option=value...) as s:`; an underscore in a name stands for a dash.

    expect_exit: what the end of it must give.  quiet: nothing is lost or under way at the end, so
    the tail must be 0 (a test that floods says otherwise)."""

    PROGRAMS = ("analyzer", "forwarder")  # what the build folder must have beside net-gazer

    def __init__(self, ns, folder, arguments=(), plugin_dir=None, start=True, **options):
        self.ns, self.folder, self.arguments, self.start_now = ns, folder, arguments, start
        self.plugin_dir = plugin_dir or ng.BUILD / "plugins"
        # Each its own, and near the root: a socket's path is short.
        near = next((p for p in folder.resolve().parents if p.name.startswith("pytest-of-")), folder)
        self.options = {"sensor": "story", "user": "nobody", "runtime-dir": near / f"run{next(_serial)}", **{n.replace("_", "-"): v for n, v in options.items()}}
        self.config_path = folder / "net-gazer.conf"
        self.out_path, self.err_path = folder / "reports.ndjson", folder / "log"
        self.process = None
        self.sizes = {}

    def write_config(self, **options):
        self.options.update({n.replace("_", "-"): v for n, v in options.items()})
        self.config_path.write_text(config(self.options), encoding="utf-8")

    def argv(self):
        return [ng.program("net-gazer"), "-c", self.config_path, "--libexec-dir", ng.BUILD, "--plugin-dir",
                self.plugin_dir, *self.arguments]

    def __enter__(self):
        self.write_config()
        if self.start_now:
            self.start()
        return self

    def start(self):
        for name in self.PROGRAMS:
            ng.program(name)
        with open(self.out_path, "ab") as out, open(self.err_path, "ab") as err:
            self.process = self.ns.popen(self.argv(), stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            ng.wait_for(lambda: f"rules and groups\n{self.log()}", self.ready)
        except BaseException:
            self.kill()
            raise

    def ready(self):
        assert self.process.poll() is None, f"net-gazer ended with {self.process.returncode}:\n{self.log()}"
        # A table may have been there before it.
        said = " runs: sensor " in self.log() or int(self.options.get("verbose", 2)) < 2
        return said and self.ns.run(*TABLE).returncode == 0 and self.groups()

    def __exit__(self, kind, *_):
        if self.process is None:
            return
        if kind:
            print(f"--- log of the sensor\n{self.log()[-8000:]}")
            self.kill()
        elif self.process.poll() is None:
            self.stop()

    # What it says

    def log(self):
        return self.err_path.read_text(encoding="utf-8", errors="replace") if self.err_path.exists() else ""

    def text(self):
        """What it has reported so far, up to the last complete line."""
        data = self.out_path.read_bytes()
        return data[:data.rfind(b"\n") + 1].decode("ascii")

    def reports(self, **want):
        return report.pick(report.numbered(report.reports(self.text())), **want)

    def wait_reports(self, n=1, deadline_s=ng.DEADLINE_S, **want):
        """At least n reports with these fields."""
        def enough():
            # Only a cheap look while waiting; what is returned was checked.
            text = self.text()
            if text.count("\n") < n:
                return None
            found = report.pick([json.loads(line) for line in text.splitlines()], **want)
            return len(found) >= n
        ng.wait_for(lambda: f"{n} reports with {want}; there are\n{self.text()[-3000:]}\n{self.log()[-3000:]}", enough,
                    deadline_s=deadline_s, every_s=0.03)
        return self.reports(**want)

    # What the kernel says

    def groups(self):
        """{group: netlink port} of the bound NFLOG groups of the namespace."""
        rows = [line.split() for line in self.ns.read("/proc/net/netfilter/nfnetlink_log").splitlines()]
        return {int(r[0]): int(r[1]) for r in rows}

    def table(self):
        return self.ns.run(*TABLE).stdout

    def counters(self):
        """{name: packets} of the rules' named counters."""
        return {m[1]: int(m[2]) for m in re.finditer(r"counter (\w+) \{[^}]*packets (\d+)", self.table())}

    def logged(self):
        return sum(n for name, n in self.counters().items() if name.endswith("_logged"))

    def processes(self):
        return ng.processes(self.process.pid)

    def worker(self, name):
        """The pid of one of the parent's children, by its program's name."""
        def find():
            return [p for p, n in self.processes().items() if n == name and p != self.process.pid]
        return ng.wait_for(lambda: f"a process {name} under net-gazer; there are {self.processes()}\n{self.log()}", find)[0]

    # Its end

    def gone(self):
        return self.ns.run(*TABLE).returncode != 0 and not self.groups()

    def stop(self, quiet=True):
        """SIGTERM, and the proof.  The reports, all of them."""
        below = set(self.processes())
        code = ng.stop(self.process, signal.SIGTERM)
        assert code == 0, f"net-gazer ended with {code}:\n{self.log()}"
        assert self.gone(), f"left behind: {self.table()}{self.groups()}"
        ng.wait_for("the workers to end", lambda: not any(map(ng.alive, below)))
        return self.reported(quiet)

    def reported(self, quiet):
        """Everything that it reported; the last one is the last stat, and its ledger is exact."""
        found = report.numbered(report.reports(self.out_path.read_bytes()))
        stats = report.pick(found, type="stat")
        assert stats, f"no stat report:\n{self.log()}"
        for s in stats[:-1]:
            report.check_ledger(s, quiet=False)
        assert found[-1] is stats[-1], "the last report is not the last stat"
        report.check_ledger(stats[-1], quiet)
        print_ledger(stats[-1])
        return found

    def kill(self):
        if self.process and self.process.poll() is None:
            below = set(self.processes())
            self.process.kill()
            self.process.wait()
            for pid in below:
                try:
                    ng.wait_for("workers", lambda p=pid: not ng.alive(p), deadline_s=5)
                except AssertionError:
                    os.kill(pid, signal.SIGKILL)

    def stat(self):
        """The last stat report so far."""
        return self.reports(type="stat")[-1]


class Delivering(Sensor):
    """Reports go to a Collector through the forwarder; stdout stays empty."""

    def __init__(self, ns, folder, collector, **options):
        super().__init__(ns, folder, **{
            "collector_url": f"http://127.0.0.1:{collector.port}/", "collector_batch_ms": 50, **options})
        self.collector = collector
        self.complete = True

    def stop(self, quiet=True, complete=True):
        """As Sensor.stop(); gives the collector's entry of this sensor.  complete: no report is missing there."""
        self.complete = complete
        return super().stop(quiet)

    def reported(self, quiet):
        assert self.text() == ""
        entry, = (e for e in self.collector.get("/api/sensors")["sensors"] if e["sensor"] == self.options["sensor"])
        stat = {n: v for n, v in entry["stat"].items() if n != "id"}
        assert not report.errors(json.dumps(stat, separators=(",", ":")))
        report.check_ledger(stat, quiet)
        print_ledger(stat)
        if self.complete:
            assert entry["missing"] == 0 and entry["stored"] == stat["reports"], entry
        return entry
