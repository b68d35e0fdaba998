# SPDX-License-Identifier: GPL-2.0-or-later
"""net-gazer-collector on this machine's loopback, with its database in a folder of the test's."""
import http.client
import json
import signal
import subprocess

from lib import ng, report


class Collector:
    def __init__(self, folder, port=None, arguments=()):
        self.folder, self.arguments = folder, arguments
        self.port = port or ng.free_port()
        self.data, self.err_path = folder / "collector", folder / "collector.log"
        self.process = None

    def argv(self):
        return [ng.program("net-gazer-collector"), "-c", "/dev/null", "--database", self.data / "net-gazer.db",
                "--port", self.port, *self.arguments]

    def __enter__(self):
        self.data.mkdir(exist_ok=True)
        self.start()
        return self

    def start(self):
        with open(self.err_path, "ab") as err:
            self.process = subprocess.Popen([str(a) for a in self.argv()], stdin=subprocess.DEVNULL, stdout=err,
                                            stderr=err)
        try:
            ng.wait_for(lambda: f"the collector on port {self.port}\n{self.log()}", self.healthy)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def log(self):
        return self.err_path.read_text(encoding="utf-8", errors="replace") if self.err_path.exists() else ""

    def request(self, method, path, body=None, headers=None):
        """(status, body)."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            c.request(method, path, body, headers or {})
            answer = c.getresponse()
            return answer.status, answer.read()
        finally:
            c.close()

    def get(self, path):
        status, body = self.request("GET", path)
        assert status == 200, f"{path}: {status} {body[:500]}"
        return json.loads(body)

    def healthy(self):
        assert self.process.poll() is None, f"the collector ended with {self.process.returncode}:\n{self.log()}"
        try:
            return self.request("GET", "/health")[0] == 200
        except OSError:
            return False

    def conns(self, limit=1000):
        """Rows of GET /api/conns, each of them still a valid report."""
        return report.rows(self.get(f"/api/conns?limit={limit}")["conns"])

    def stop(self):
        code = ng.stop(self.process, signal.SIGTERM)
        assert code == 0, f"the collector ended with {code}:\n{self.log()}"

    def __exit__(self, kind, *_):
        if kind:
            print(f"--- log of the collector\n{self.log()[-8000:]}")
        if self.process.poll() is None:
            if kind:
                self.process.kill()
                self.process.wait()
            else:
                self.stop()
