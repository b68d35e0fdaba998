# SPDX-License-Identifier: GPL-2.0-or-later
"""The program itself: options and where they come from, signals, what it gave up, a full disk, damage, retention."""
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess

import pytest

import collector_rig as rig
from lib import ng
from lib.collector import Collector


def run(*argv, **kw):
    return subprocess.run([ng.program("net-gazer-collector"), *map(str, argv)], capture_output=True, text=True, check=False,
                          timeout=60, **kw)


def status(c):
    lines = pathlib.Path(f"/proc/{c.process.pid}/status").read_text(encoding="ascii").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def start(tmp_path, *argv, env=None, cwd=None):
    """The program on a port of its own choice; (process, port, log)."""
    log = open(tmp_path / "log", "w+", encoding="utf-8")
    p = subprocess.Popen([str(a) for a in (ng.program("net-gazer-collector"), *argv)], stdin=subprocess.DEVNULL, stdout=log,
                         stderr=log, env=env, cwd=cwd)

    def listening():
        assert p.poll() is None, (tmp_path / "log").read_text()
        lines = (tmp_path / "log").read_text().splitlines()
        return [line for line in lines if "listening on http://" in line]
    line, = ng.wait_for("listening", listening)
    return p, int(line.rsplit(":", 1)[1].strip("/")), tmp_path / "log"


def test_port_0_and_precedence(tmp_path):
    """Command line, then environment, then file, then default; the file is found in three places."""
    folder = tmp_path / "etc/net-gazer"
    folder.mkdir(parents=True)
    (folder / "net-gazer-collector.conf").write_text(
        f'port = 0\nlisten = "127.0.0.3"\ndatabase = "{tmp_path}/file/x.db"\nmax-rows = 5000\n', encoding="ascii")
    env = os.environ | {"NG_COLLECTOR_LISTEN": "127.0.0.2", "NG_COLLECTOR_DATABASE": str(tmp_path / "env/x.db")}
    p, port, log = start(tmp_path, "--database", tmp_path / "cli/x.db", env=env, cwd=tmp_path)
    try:
        assert log.read_text() == f"net-gazer-collector: listening on http://127.0.0.2:{port}/\n"
        with socket.create_connection(("127.0.0.2", port), timeout=10):
            pass
        assert (tmp_path / "cli/x.db").stat().st_mode & 0o777 == 0o600 and (tmp_path / "cli").stat().st_mode & 0o777 == 0o700
        assert not (tmp_path / "env").exists() and not (tmp_path / "file").exists()
    finally:
        assert ng.stop(p, signal.SIGINT) == 0
    assert not list((tmp_path / "cli").glob("*-wal")), "the log is in the database"


def test_ipv6_and_busy_port(tmp_path):
    ng.needs_kernel("IPv6")
    p, port, log = start(tmp_path, "-c", "/dev/null", "--listen", "::1", "--port", "0", "--database", tmp_path / "x.db")
    try:
        assert f"http://[::1]:{port}/" in log.read_text()
        done = run("-c", "/dev/null", "--listen", "::1", "--port", port, "--database", tmp_path / "y.db")
        assert done.returncode == 1
        assert done.stderr.endswith(f"cannot listen on ::1 port {port}: Address already in use; choose another with `port` or `listen`\n")
        done = run("-c", "/dev/null", "--port", "0", "--database", tmp_path / "x.db")
        assert done.returncode == 1 and "is in use by another net-gazer-collector" in done.stderr
    finally:
        assert ng.stop(p) == 0


@pytest.mark.parametrize("argv,says", [
    (["--listen", "0.0.0.0"], "lets nobody in: first make a login"),
    (["--listen", "::"], "lets nobody in"),
    (["--login", "always"], "login = \"always\" lets nobody in"),
    (["--login", "never"], "must be one of remote|always"),
    (["--url", "gate.lan"], "must be an address such as https://"),
    (["--url", "https://gate.lan:99999"], "must be an address such as https://"),
    (["--url", "https://gate.lan/?a"], "must be an address such as https://"),
    (["--tls-cert", "/etc/hostname"], "tls-cert and tls-key belong together"),
    (["--client-ca", "/etc/hostname"], "client-ca needs both"),
    (["--tls-cert", "/etc/hostname", "--tls-key", "/etc/passwd"], "chmod 600"),
    (["--tls-cert", "/etc/hostname", "--tls-key", "TOKEN"], "tls-cert and tls-key: "),
    (["--listen", "localhost"], "must be an IP address of this machine"),
    (["--port", "65536"], "must be a number from 0 to 65535"),
    (["--port", "x"], "must be a number from 0 to 65535"),
    (["--max-rows", "1"], "must be a number from 1000"),
    (["--hosts", "a b"], "must be a name as browsers send it"),
    (["--surprise", "1"], "unknown option"),
    (["extra"], "takes no arguments"),
    (["-c", "/nonexistent.conf"], "No such file"),
    (["--token-file", "/nonexistent"], "No such file"),
    (["--token-file", "/etc/passwd"], "chmod 600"),
    (["--database", "/nonexistent/a/b/x.db"], "database folder"),
    (["--database", "/proc/version"], "database /proc/version"),
    (["--listen", "192.0.2.1", "--token-file", "TOKEN"], "cannot listen on 192.0.2.1"),
])
def test_wrong_options(tmp_path, argv, says):
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n", encoding="ascii")
    token.chmod(0o600)
    argv = [str(token) if a == "TOKEN" else a for a in argv]
    done = run(*(["-c", "/dev/null"] if "-c" not in argv else []), "--port", "0", *argv)
    assert done.returncode == 1 and says in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_wrong_file(tmp_path):
    path = tmp_path / "x.conf"
    for text, says in (("port = 8080\nmax-rows = 5\n", f'{path}:2: max-rows = "5": must be a number from 1000'),
                       ("prot = 1\n", f'{path}:1: unknown option "prot": did you mean "port"?'),
                       ("config = 1\n", f"{path}:1: config belongs on the command line"), ('listen = "0.0.0.0"\n', "lets nobody in")):
        path.write_text(text, encoding="ascii")
        done = run("-n", "-c", path)
        assert done.returncode == 1 and says in done.stderr, done.stderr
    path.write_text("max-rows = 1000\n", encoding="ascii")
    assert run("-n", "-c", path).stdout == f"configuration OK: {path}\n"
    assert run("-V").stdout.startswith("net-gazer-collector ")


def test_what_it_gave_up(tmp_path):
    with Collector(tmp_path) as c:
        s = status(c)
        assert int(s["CapEff"], 16) == int(s["CapPrm"], 16) == int(s["CapBnd"], 16) == 0
        assert s["NoNewPrivs"] == "1" and s["Seccomp"] == "2" and s["Threads"] == "1"
        rig.stored(c, [rig.conn(1)])


def test_root_beside_a_service():
    """In the folder of a service's user root is that user: it has no capability to write there otherwise, and what it makes is the service's."""
    with ng.for_everybody() as folder:
        (folder / "collector").mkdir()
        os.chown(folder / "collector", 65534, 65534)
        with Collector(folder) as c:
            assert rig.post(c, [rig.conn(1)])[0] == 200, c.log()
            assert "as user 65534" in c.log()
        made = [*c.data.rglob("*")]
        assert len(made) > 3 and {p.stat().st_uid for p in made} == {65534}


def test_reload(tmp_path):
    conf, token = tmp_path / "x.conf", tmp_path / "token"
    token.write_text("0123456789abcdef\n", encoding="ascii")
    token.chmod(0o600)
    conf.write_text('hosts = {"one.lan"}\n', encoding="ascii")

    class WithFile(Collector):
        def argv(self):
            return [ng.program("net-gazer-collector"), "-c", conf, "--database", self.data / "x.db", "--port", self.port]

    with WithFile(tmp_path) as c:
        def ask(host):
            return rig.request(c, "GET", "/health", {"Host": host})[0]

        def reload(text, says):
            before = c.log().count(says)
            conf.write_text(text, encoding="ascii")
            c.process.send_signal(signal.SIGHUP)
            ng.wait_for(lambda: f"{says}\n{c.log()}", lambda: c.log().count(says) > before)

        assert (ask("one.lan"), ask("two.lan"), ask(f"one.lan:{c.port}")) == (200, 421, 200)
        reload(f'hosts = {{"two.lan"}}\ntoken-file = "{token}"\nmax-body = 32768\n', "configuration read again")
        assert (ask("one.lan"), ask("two.lan")) == (421, 200)
        assert rig.post(c, [rig.conn(1)])[0] == 401
        bearer = {"Authorization": "Bearer 0123456789abcdef"}
        assert rig.post(c, [rig.conn(1)], bearer)[0] == 200
        assert rig.post(c, None, bearer, b"\n" * 32769)[0] == 413
        # A bad file changes nothing.
        reload('hosts = {"three.lan"}\nmax-rows = 1\n', "the old configuration stays")
        token.chmod(0o644)
        reload(f'hosts = {{"three.lan"}}\ntoken-file = "{token}"\n', "chmod 600")
        assert (ask("two.lan"), ask("three.lan"), rig.post(c, [rig.conn(2)])[0]) == (200, 421, 401)
        # What cannot change is named.
        reload('listen = "127.0.0.9"\nconnections = 99\n', "connections = 99 needs a restart; it stays 256 until then")
        assert 'listen = 127.0.0.9 needs a restart; it stays 127.0.0.1' in c.log()
        assert rig.post(c, [rig.conn(3)])[0] == 200 and ask("two.lan") == 421


def test_full_disk(tmp_path):
    """507, and nothing of the batch; when there is room again it goes on."""
    data = tmp_path / "small"
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", data], check=True)
    try:
        with Collector(tmp_path, arguments=["--database", data / "x.db"]) as c:
            (data / "filler").write_bytes(b"\0" * 1500000)
            n, pad = 0, "a" * 5000
            while True:
                answered, answer, headers = rig.post(c, [rig.conn(n + i, x_pad=pad) for i in range(50)])
                if answered != 200:
                    break
                n += 50
                assert n < 5000
            assert answered == 507 and headers["Retry-After"] and "full" in answer["error"]
            health = c.get("/health")
            assert health["status"] == "degraded" and health["not_stored"] == 1
            assert b"_batches_not_stored_total 1\n" in rig.request(c, "GET", "/metrics")[1]
            assert c.get("/health")["rows"] == n == c.get("/api/summary?window_s=3600")["conns"]
            assert c.get("/api/sensors")["sensors"][0]["stored"] == n
            (data / "filler").unlink()
            rig.stored(c, [rig.conn(n + i) for i in range(50)])
            health = c.get("/health")
            assert (health["rows"], health["status"], health["not_stored"]) == (n + 50, "ok", 1)
    finally:
        subprocess.run(["umount", data], check=True)


def test_retention(tmp_path):
    """Never far above the limit, in steps, while reports come."""
    with Collector(tmp_path, arguments=["--max-rows", "3000"]) as c:
        for b in range(20):
            rig.stored(c, [rig.conn(1000 * b + i) for i in range(1000)])
        ng.wait_for("old rows to go", lambda: c.get("/health")["rows"] <= 3000)
        rows = c.get("/api/conns?limit=1000")["conns"]
        assert [r["seq"] for r in rows] == list(range(19999, 18999, -1))
        assert c.get("/api/summary?window_s=3600")["conns"] == 20000, "rollups stay"
        status_, answer, _ = rig.post(c, [rig.conn(i) for i in range(100)])
        assert (status_, answer["duplicate"]) == (200, 100), "and so does what was stored"


def garble(path, step=4096):
    """Each page's head, as somebody else's bug would do it."""
    content = bytearray(path.read_bytes())
    for at in range(step, len(content), step):
        content[at:at + 200] = os.urandom(200)
    path.write_bytes(content)


def test_damaged_database(tmp_path):
    """The main file: it goes aside, and a new one is made from the reports of the days."""
    with Collector(tmp_path) as c:
        rig.stored(c, [rig.conn(i) for i in range(3000)])
        c.stop()
        path = c.data / "net-gazer.db"
        garble(path)
        c.start()
        assert f"database {path} is damaged: moved to {path}.damaged-" in c.log()
        assert c.get("/health")["rows"] == 3000
        assert c.get("/api/summary?window_s=3600")["conns"] == 3000, "the numbers too"
        assert rig.post(c, [rig.conn(i) for i in range(3000)])[1]["duplicate"] == 3000
        rig.stored(c, [rig.conn(3000 + i) for i in range(10)])
        assert len(list(c.data.glob("*.damaged-*"))) == 1 and c.get("/api/storage")["damaged"] == 1


def test_emptied_files(tmp_path):
    """A file of no bytes, of a day or the main one, is a damaged one."""
    with Collector(tmp_path) as c:
        rig.stored(c, [rig.conn(i) for i in range(300)])
        for n, path in enumerate([c.data / "net-gazer.db", *(c.data / "net-gazer.db.d").glob("*.db")]):
            c.stop()
            os.truncate(path, 0)
            c.start()
            assert f"database {path} is damaged: moved to {path}.damaged-" in c.log()
            assert c.get("/api/storage")["damaged"] == n + 1
            assert c.get("/api/summary?window_s=3600")["conns"] == 300
        assert c.get("/health")["rows"] == 0
        c.stop()
        c.start()
        assert c.get("/api/storage")["damaged"] == 2
        rig.stored(c, [rig.conn(300)])


def test_damaged_day(tmp_path):
    """A file of a day: it goes aside, its reports with it; numbers stay, and it goes on."""
    with Collector(tmp_path) as c:
        rig.stored(c, [rig.conn(i) for i in range(3000)])
        c.stop()
        day, = (c.data / "net-gazer.db.d").glob("*.db")
        garble(day)
        c.start()
        assert f"database {day} is damaged: moved to {day}.damaged-" in c.log()
        assert c.get("/health")["rows"] == 0 and c.get("/api/storage")["damaged"] == 1
        assert c.get("/api/summary?window_s=3600")["conns"] == 3000
        rig.stored(c, [rig.conn(3000 + i) for i in range(10)])
        assert [r["seq"] for r in c.get("/api/conns")["conns"]] == list(range(3009, 2999, -1))


@pytest.mark.parametrize("which", ["main", "day"])
def test_damaged_while_running(tmp_path, which):
    """Pages overwritten under it: a request fails, the file goes aside, the next one is stored."""
    with Collector(tmp_path) as c:
        for b in range(10):
            rig.stored(c, [rig.conn(1000 * b + i, dst_port=1 + i) for i in range(1000)])
        main = c.data / "net-gazer.db"
        path = main if which == "main" else next((c.data / "net-gazer.db.d").glob("*.db"))
        # Into the file, as somebody else's bug would do it, and no page of it stays in the cache.
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with open(path, "r+b") as f:
            size = path.stat().st_size
            for at in range(4096, size, 4096):
                f.seek(at)
                f.write(b"\xa5" * 100)
        seq = 10 ** 6

        def moved():
            nonlocal seq
            seq += 1000
            rig.post(c, [rig.conn(seq + i, dst_port=30000 + i) for i in range(1000)])
            for name in ("conns?limit=1000", "destinations", "sensors"):
                c.request("GET", f"/api/{name}")
            return "is damaged: moved to" in c.log()
        ng.wait_for("the damage to be seen", moved)
        assert f"database {path} is damaged" in c.log()
        rig.stored(c, [rig.conn(10 ** 7)])
        assert c.get("/health")["rows"] >= (10000 if which == "main" else 1)
        assert c.get("/api/summary?window_s=3600")["conns"] >= 10000


def test_read_beside_it(tmp_path):
    """A person with sqlite3 looks at the database while it is written."""
    with Collector(tmp_path) as c:
        rig.stored(c, [rig.conn(i) for i in range(100)])
        day, = (c.data / "net-gazer.db.d").glob("*.db")
        db = sqlite3.connect(f"file:{day}?mode=ro", uri=True)
        try:
            cursor = db.execute("SELECT json FROM conn")
            cursor.fetchone()
            rig.stored(c, [rig.conn(100 + i) for i in range(100)])
            assert len(cursor.fetchall()) == 99
            assert db.execute("SELECT count(*) FROM conn").fetchone() == (200,)
        finally:
            db.close()
