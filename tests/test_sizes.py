# SPDX-License-Identifier: GPL-2.0-or-later
"""The sensor as a router gets it (`make SMALL=yes sensor`): its sizes, its memory, and that it works, without what other packages bring.

Figures go into the block that a run prints before its last line.  Other machines: tests/portability/portable_sizes.py."""
import json
import os
import re
import shutil
import subprocess

import pytest

from lib import net, ng, sizes
from lib.sensor import Sensor

FLOWS = 16384
PSS_MAX_KIB = 8192


@pytest.fixture(scope="module", name="small")
def small_build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in ("MFLAGS", "O", "CFLAGS")}
    done = subprocess.run(["make", "-s", "-j2", "-C", ng.TOP, f"O={folder}", "WERROR=1", *sizes.MAKE,
                           *sizes.QUICK, "sensor"], env=environment,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_table(small, say):
    lines, faults = sizes.table(small, "amd64")
    for line in lines:
        say(line)
    assert not faults


def test_table_finds_faults(small, monkeypatch):
    monkeypatch.setattr(sizes, "SENSOR_MAX", 100_000)
    monkeypatch.setattr(sizes, "PLUGIN_MAX", 5_000)
    faults = sizes.table(small, "amd64")[1]
    assert any("the sensor has" in f for f in faults) and any("traceroute.so" in f for f in faults)


def protection(path):
    """What of it can be read from a file."""
    said = subprocess.run(["readelf", "-hlndW", "--dyn-syms", path], capture_output=True, text=True, check=True).stdout
    stack = re.search(r"GNU_STACK.* (\w+) +0x", said)
    assert re.search(r"Type: +DYN", said) and stack[1] == "RW" and "RWE" not in said and "TEXTREL" not in said, f"{path}:\n{said}"
    found = {word for word in ("GNU_RELRO", "BIND_NOW", "PIE", "IBT", "SHSTK", "__stack_chk_fail") if word in said}
    return found | ({"fortified"} if re.search(r"__\w+_chk\b", said) else set())


def test_hardening(small):
    """Nothing of it is given up for size: there is what the build has that is tested."""
    assert protection(small / "net-gazer") >= {"GNU_RELRO", "BIND_NOW", "PIE", "__stack_chk_fail", "fortified"}
    for name in sizes.installed():
        assert protection(small / name) >= protection(ng.BUILD / name), name


def test_alone(small, tmp_path, say, monkeypatch):
    """The files of the package net-gazer, and no other: a handshake is reported.  Memory, at rest and with a full table."""
    program = ng.compile_c(ng.TOP / "tests/lib/synflood.c", tmp_path / "synflood", "-D_GNU_SOURCE")
    package = tmp_path / "package"
    (package / "plugins").mkdir(parents=True)
    tmp_path.chmod(0o755)
    for name in sizes.installed():
        shutil.copy(small / name, package / name)
        subprocess.run(["strip", package / name], check=True)
    (package / "net-gazerctl").symlink_to("net-gazer")
    monkeypatch.setattr(ng, "BUILD", package)
    monkeypatch.setattr(Sensor, "PROGRAMS", ("analyzer",))
    with net.Router(filtered=False) as r, Sensor(r.rtr, tmp_path, flows=FLOWS, handshake_limit=1000000, syn_timeout=60) as s, \
            net.Server(r.wan, 80):
        came, port = net.connect(r.lan, r.WAN4, 80)
        assert came == "ok"
        s.wait_reports(1, type="conn", src_port=port)
        pids = s.processes()
        rest = ng.pss_kib(pids)
        done = r.lan.run(program, "-i", "eth0", "-D", r.MAC["rtr-lan"], "-n", 20000, "-f", 0)
        assert done.returncode == 0, done.stderr
        came, port = net.connect(r.lan, r.WAN4, 80)
        assert came == "ok"
        s.wait_reports(1, type="conn", src_port=port)
        full = ng.pss_kib(pids)
        ctl = r.rtr.run(package / "net-gazerctl", "status", "--json", "-c", s.options["runtime-dir"])
        assert ctl.returncode == 0 and json.loads(ctl.stdout)["state"] == "running", ctl
        assert s.stop()[-1]["flows_max"] == FLOWS
    say(f"{'amd64':8} PSS of {', '.join(sorted(pids.values()))}: at rest {rest} KiB, with {FLOWS} handshakes open {full} KiB, "
        f"of {PSS_MAX_KIB} at most")
    assert full <= PSS_MAX_KIB
