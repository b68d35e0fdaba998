# SPDX-License-Identifier: GPL-2.0-or-later
"""What run-local and run-demo share: a collector and a sensor that live until Ctrl-C, a temporary
folder, and an end after which nothing is left.

A signal only sets a flag: it is looked at between steps, so that no process is ever started and
forgotten.  Our programs get process groups of their own (a terminal's Ctrl-C goes to us alone) and
die with us (PDEATHSIG), should we be killed.
"""
import argparse
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from lib import geofiles
from lib import sensor as sensor_lib

_libc = ctypes.CDLL(None)
ended = threading.Event()


class Failed(Exception):
    """A reason to stop, in words for the person at the terminal."""


def arguments(about):
    p = argparse.ArgumentParser(description=about)
    p.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"), help="folder with the built programs")
    p.add_argument("--port", type=int, default=8080, help="port on 127.0.0.1 of the page; when taken, the next free one")
    p.add_argument("--seconds", type=float, default=0, help="end after so many seconds; 0: at Ctrl-C")
    a = p.parse_args()
    a.build = a.build.resolve()
    if os.geteuid() != 0:
        sys.exit(f"{p.prog}: rules and NFLOG groups need root: sudo make run, sudo make demo")
    for name in ("net-gazer", "net-gazer-collector", "analyzer", "forwarder", "geo"):
        if not (a.build / name).exists():
            sys.exit(f"{p.prog}: {a.build / name} is not built: run make first")
    return a


def catch_signals():
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda *_: ended.set())


def free_port(port):
    for p in range(port, min(port + 200, 65536)):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                s.bind(("127.0.0.1", p))
                return p
    raise Failed(f"no port from {port} to {port + 199} is free on 127.0.0.1")


def _prepare_child():
    _libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Programs:
    """with Programs(build, port) as p: p.collector(); p.sensor(...); p.live(seconds)"""

    def __init__(self, build, port):
        self.build, self.port = build, free_port(port)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="net-gazer-run-"))
        self.running = []  # in the order of their start
        self.importer = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.SIG_IGN)
        ended.set()
        if self.importer:
            geofiles.stop()
            self.importer.join()
        while self.running:
            self.end(self.running[-1][0])
        shutil.rmtree(self.folder)

    def end(self, name):
        """Ends one program, if it was started."""
        process = dict(self.running).get(name)
        if process is None:
            return
        self.running = [(n, q) for n, q in self.running if n != name]
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            print(f"{name} does not end, killing it", file=sys.stderr)
            process.kill()
            process.wait()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def start(self, name, argv, ns=None):
        with ns or contextlib.nullcontext():
            self.running.append((name, subprocess.Popen(  # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
                [str(a) for a in argv], stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_prepare_child)))
        return self.running[-1][1]

    def check(self):
        for name, process in self.running:
            if process.poll() is not None:
                raise Failed(f"{name} ended with status {process.returncode}; its reason is above")

    def wait(self, what, true, seconds=30):
        """False when the user ended us meanwhile."""
        end = time.monotonic() + seconds
        while not ended.is_set():
            self.check()
            if true():
                return True
            if time.monotonic() > end:
                raise Failed(f"{what} did not come within {seconds} s")
            ended.wait(0.05)
        return False

    def collector(self):
        data = self.folder / "collector"
        data.mkdir()
        self.start("net-gazer-collector", collector_argv(self.build, data, self.port))
        up = self.wait("the collector", lambda: answers(self.port))
        # npm may take its time, or there is no network: the page comes first, and the running collector takes what comes.
        self.importer = threading.Thread(target=self.import_geo, args=(data,))
        self.importer.start()
        return up

    def import_geo(self, data):
        """Countries and autonomous systems, where npm gives them; the page does without, too."""
        try:
            for argv in geofiles.imports(self.build, data / "net-gazer.db"):
                if ended.is_set():
                    break
                done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False)
                if done.returncode:
                    print(f"no countries or systems of addresses: {done.stderr}", file=sys.stderr)
        except geofiles.Unavailable as e:
            if not ended.is_set():
                print(f"no countries or systems of addresses: {e}", file=sys.stderr)

    def sensor(self, ns=None, **options):
        path = self.folder / "net-gazer.conf"
        path.write_text(sensor_lib.config({
            "collector-url": self.url, "collector-batch-ms": 200, "runtime-dir": self.folder / "run", **options}), encoding="utf-8")
        self.start("net-gazer", [self.build / "net-gazer", "-c", path, "--libexec-dir", self.build, "--plugin-dir",
                                 self.build / "plugins"], ns)

        def rules():
            with ns or contextlib.nullcontext():
                return subprocess.run(sensor_lib.TABLE, capture_output=True, check=False).returncode == 0
        return self.wait("the sensor's rules", rules)

    def live(self, seconds, said):
        """Shows the URL, and waits for the end."""
        width = max(len(self.url) + 4, *(len(line) for line in said))
        print("\n  " + "=" * width)
        for line in ["", *said, "", f"  {self.url}", "", "Ctrl-C ends it; nothing stays behind.", ""]:
            print("  " + line)
        print("  " + "=" * width + "\n", flush=True)
        end = time.monotonic() + seconds if seconds else None
        while not ended.wait(0.2):
            self.check()
            if end and time.monotonic() > end:
                return


def collector_argv(build, data, port):
    return [build / "net-gazer-collector", "-c", "/dev/null", "--database", data / "net-gazer.db", "--port", str(port), "--libexec-dir", build,
            "--home", "10.77.1.0/24=lan,fd00:77:1::/64=lan"]


def answers(port):
    import http.client
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        c.request("GET", "/health")
        return c.getresponse().status == 200
    except OSError:
        return False
    finally:
        c.close()


def main(fn):
    """Runs fn() and turns a Failed into one line."""
    sys.stdout.reconfigure(line_buffering=True)
    catch_signals()
    try:
        fn()
    except Failed as e:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {e}")
