# SPDX-License-Identifier: GPL-2.0-or-later
r"""Plugins from outside the tree: a good one, and the zoo.

      lan ---- rtr (net-gazer: handshake and one more plugin) ---- wan :80, :666

Whatever the other plugin does at a handshake to port 666, it is named, it stays alone with it, and
handshakes go on being reported.
"""
import concurrent.futures
import os
import shutil
import subprocess

import pytest

from lib import net, ng
from lib.sensor import Sensor

HERE = ng.TOP / "tests/plugin"


@pytest.fixture(scope="module", name="include")
def installed_header(tmp_path_factory):
    """`make install` into a folder; plugins are built against nothing but its include folder."""
    dest = tmp_path_factory.mktemp("installed")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
    done = subprocess.run(["make", "-s", "-C", ng.TOP, "install", f"O={ng.BUILD}", f"DESTDIR={dest}", "PREFIX=/usr/local"],
                          capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert os.access(dest / "usr/local/sbin/net-gazer", os.X_OK)
    assert os.access(dest / "usr/local/libexec/net-gazer/analyzer", os.X_OK)
    yield dest / "usr/local/include"
    shutil.rmtree(dest)


def build(include, folder, source, name, *flags):
    folder.mkdir(exist_ok=True)
    path = ng.compile_c(HERE / source, folder / f"{name}.so", "-fPIC", "-shared", f"-I{include}", *flags)
    path.chmod(0o755)
    return path


def connect(r, s, port, count=True):
    """One connection, and its report when `count`."""
    came, sport = net.connect(r.lan, r.WAN4, port)
    assert came == "ok"
    if count:
        s.wait_reports(1, type="conn", src_port=sport, dst_port=port)
    return sport


def test_out_of_tree(tmp_path, include):
    """Options, counter, timer, every kind of field; and /usr/local/include was enough to build it."""
    plugin = build(include, tmp_path / "p", "good.c", "good")
    with net.Router() as r, net.Server(r.wan, 80), Sensor(
            r.rtr, tmp_path, plugins=["handshake", str(plugin)],
            good={"step": 5, "word": 'say "hi"', "shout": True}) as s:
        connect(r, s, 80)
        ng.wait_for("its timer", lambda: (connect(r, s, 80), s.reports(type="plugin")[-1]["data"]["ticks"] == 3)[1])
        found = s.stop()
        log = s.log()
    mine = [f for f in found if f["type"] == "plugin"]
    assert len(mine) == len([f for f in found if f["type"] == "conn"])
    first = mine[0]
    assert (first["plugin"], first["kind"]) == ("good", "good")
    assert {n: first["data"][n] for n in ("word", "shout", "seen", "dst")} == {
        "word": 'say "hi"', "shout": True, "seen": 5, "dst": r.WAN4}
    assert first["data"]["bytes"] == ['"\\\n\x00\xff<b>', {"deep": 1}]
    entry = next(p for p in found[-1]["plugins"] if p["name"] == "good")
    assert entry["version"] == "2.5" and entry["state"] == "ok"
    assert entry["counters"] == {"seen": 5 * len(mine)}
    assert "good plugin has started" in log


def test_options_are_checked(tmp_path, include):
    """A plugin's option table is law: what it does not allow is an error with file, line and value."""
    plugin = build(include, tmp_path / "p", "good.c", "good")
    with net.Router(filtered=False) as r:
        for option, value, needles in (("step", 101, ("101", "100")), ("word", "x" * 21, ("20",)),
                                       ("stride", 1, ("stride",))):
            s = Sensor(r.rtr, tmp_path, plugins=["handshake", str(plugin)], good={option: value})
            s.write_config()
            done = r.rtr.run(*s.argv(), "-n")
            assert done.returncode != 0
            for needle in (f"{s.config_path}:", *needles):
                assert needle in done.stderr, done.stderr


@pytest.mark.parametrize("kind, needle", [
    ("wrong-abi", "bad.so"), ("no-symbol", "bad.so"), ("not-elf", "bad.so"), ("half-a-file", "bad.so"),
    ("world-writable", "writable"), ("unresolved", "bad.so"), ("failing-start", "zoo"), ("missing", "bad.so")])
def test_refused(tmp_path, include, kind, needle):
    """Never runs an event: named in the log, the rest goes on."""
    flags = ['-DBAD_NAME="zoo"']
    if kind == "wrong-abi":
        flags += ["-DBAD_SYMBOL=ng_plugin_2"]
    elif kind == "no-symbol":
        flags += ["-DBAD_SYMBOL=something_else"]
    elif kind == "unresolved":
        flags += ["-DBAD_START=extern int nowhere_to_be_found(void); return nowhere_to_be_found()"]
    elif kind == "failing-start":
        flags += ["-DBAD_START=return -5"]
    plugin = build(include, tmp_path / "p", "bad.c", "bad", *flags)
    if kind == "world-writable":
        plugin.chmod(0o777)
    elif kind == "half-a-file":
        plugin.write_bytes(plugin.read_bytes()[:2000])
    elif kind == "not-elf":
        plugin.write_text("this is no shared object\n", encoding="ascii")
    elif kind == "missing":
        plugin.unlink()
    with net.Router() as r, net.Server(r.wan, 666), Sensor(r.rtr, tmp_path, plugins=["handshake", str(plugin)]) as s:
        connect(r, s, 666)
        log = s.log()
        found = s.stop()
    lines = [line for line in log.splitlines() if needle in line]
    assert lines, log
    print(lines[0])
    entry = [p for p in found[-1].get("plugins", []) if p["name"] == "zoo"]
    assert not entry or entry[0]["state"] == "disabled", entry
    assert next(p for p in found[-1]["plugins"] if p["name"] == "handshake")["state"] == "ok"


CRASHES = {
    "segfault": "*(volatile int *)8 = 1", "abort": "abort()", "exit": "exit(0)", "_exit": "_exit(3)",
    "kill": "raise(SIGKILL)", "memory": "for (;;) memset(malloc(1 << 20), 1, 1 << 20)", "stack": "volatile char big[64 << 20]; big[0] = 1; big[sizeof big - 1] = 1"}


def test_crashes(tmp_path, include):
    """Crashes at each handshake to port 666: five times, then it is disabled and the rest goes on.
    Each kind in a network of its own, all at the same time: most of it is waiting."""
    with concurrent.futures.ThreadPoolExecutor(len(CRASHES)) as pool:
        running = {kind: pool.submit(crash, tmp_path / kind, include, what) for kind, what in CRASHES.items()}
        wrong = {kind: f.exception() for kind, f in running.items() if f.exception()}
    assert not wrong, "\n".join(f"--- {kind}: {e}" for kind, e in wrong.items())
    for kind, f in running.items():
        print(f"{kind}: {f.result()}")


def crash(folder, include, what):
    folder.mkdir()
    plugin = build(include, folder / "p", "bad.c", "bad", '-DBAD_NAME="zoo"', f"-DBAD_EVENT={what}")
    with net.Router() as r, net.Server(r.wan, 80, 666), Sensor(r.rtr, folder, plugins=["handshake", str(plugin)]) as s:
        connect(r, s, 80)
        crashes, pid = 0, s.worker("analyzer")
        while "disabled" not in s.log():
            connect(r, s, 666, count=False)
            pid = ng.wait_for(lambda p=pid: f"analyzer {p} to end\n{s.log()}",
                              lambda p=pid: next((q for q in [s.worker("analyzer")] if q != p), None))
            crashes += 1
            assert crashes <= 5, s.log()
            connect_until_reported(r, s)
        assert crashes == 5, s.log()
        connect(r, s, 666)
        connect(r, s, 80)
        assert s.worker("analyzer") == pid, f"it still runs the plugin\n{s.log()}"
        log = s.log()
        found = s.stop()
    said = [line for line in log.splitlines() if "zoo" in line and "runs:" not in line]
    assert len(said) >= 5, f"not every crash was told\n{log}"
    states = {p["name"]: p["state"] for p in found[-1]["plugins"]}
    assert states == {"handshake": "ok", "zoo": "disabled"}, states
    return said[-1]


def connect_until_reported(r, s):
    """The new analyzer reads: a handshake made now is reported (one made a moment ago may be lost)."""
    def one():
        port = connect(r, s, 80, count=False)
        try:
            return s.wait_reports(1, type="conn", src_port=port, dst_port=80, deadline_s=2)
        except AssertionError:
            return None
    return ng.wait_for(lambda: f"handshakes to go on\n{s.log()}", one)


HARMLESS = {
    "fork": "for (int i = 0; i < 1000; i++) if (fork() == 0) pause()", "malloc": "char *p = malloc(1UL << 30); if (p) "
    "memset(p, 1, 1UL << 30)", "open": "open(\"/etc/passwd\", O_RDONLY)", "close": "close(60)"}


def test_harmless(tmp_path, include):
    """What fails in the cage and hurts nobody: no process, no gigabyte, no file; the same analyzer goes on, and
    every handshake is reported."""
    plugin = build(include, tmp_path / "p", "bad.c", "bad", '-DBAD_NAME="zoo"', "-DBAD_EVENT=" + "; ".join(HARMLESS.values()))
    with net.Router() as r, net.Server(r.wan, 80, 666), Sensor(r.rtr, tmp_path, plugins=["handshake", str(plugin)]) as s:
        connect(r, s, 80)
        before = s.processes()
        for _ in range(5):
            connect(r, s, 666)
        connect(r, s, 80)
        assert s.processes() == before, s.log()
        resident = ng.pss_kib([s.worker("analyzer")])
        found = s.stop()
    assert resident < 16384, f"{resident} KiB"
    assert len([f for f in found if f["type"] == "conn"]) == 7
    assert {p["name"]: p["state"] for p in found[-1]["plugins"]} == {"handshake": "ok", "zoo": "ok"}


def test_hang(tmp_path, include):
    """An endless loop: the heartbeat stops, the parent kills and names it, handshakes go on."""
    plugin = build(include, tmp_path / "p", "bad.c", "bad", '-DBAD_NAME="zoo"', "-DBAD_EVENT=for (volatile int i = 0;; i++) ;")
    with net.Router() as r, net.Server(r.wan, 80, 666), Sensor(r.rtr, tmp_path, plugins=["handshake", str(plugin)]) as s:
        connect(r, s, 80)
        pid = s.worker("analyzer")
        connect(r, s, 666, count=False)
        ng.wait_for(lambda: f"the hung analyzer to be replaced\n{s.log()}", lambda: s.worker("analyzer") != pid, deadline_s=60)
        connect_until_reported(r, s)
        said = [line for line in s.log().splitlines() if "zoo" in line and "hung" in line]
        assert said, s.log()
        print(said[0])
        s.stop()
