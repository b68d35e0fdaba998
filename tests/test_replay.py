# SPDX-License-Identifier: GPL-2.0-or-later
"""`net-gazer -r FILE`: every capture of tests/replay must give exactly the reports beside it, without
any right; see tests/replay/make_cases.py for what is in them."""
import json
import os
import subprocess
import sys

import pytest

from lib import ng, report

CASES = sorted(p for p in (ng.TOP / "tests/replay").iterdir() if p.suffix in (".pcap", ".pcapng"))
# What differs from run to run, or from machine to machine, and nothing else.
VARY = ("sensor", "boot", "seq", "up_us", "version")


def replay(path, *arguments, **kw):
    argv = [ng.program("net-gazer"), "-c", "/dev/null", "--user", "nobody", "--libexec-dir", ng.BUILD, "--plugin-dir",
            ng.BUILD / "plugins",
            *arguments, "-r", path]
    ng.program("replay")
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, timeout=120, **kw)


def test_committed_files_are_the_script_s():
    done = subprocess.run([sys.executable, ng.TOP / "tests/replay/make_cases.py", "--check"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.name)
def test_case(path):
    done = replay(path)
    assert done.returncode == 0, done.stderr
    got = report.numbered(report.reports(done.stdout))
    assert [r["seq"] - got[0]["seq"] for r in got] == list(range(len(got)))
    want = [json.loads(line) for line in path.with_suffix(".ndjson").read_text(encoding="ascii").splitlines()]
    got = [{n: v for n, v in r.items() if n not in VARY} for r in got]
    for g, w in zip(got, want):
        assert g == w
    assert len(got) == len(want), got[len(want):] or want[len(got):]


def test_no_right_is_needed():
    """As nobody, without any capability; the same reports as root gets."""
    path = CASES[0]
    with ng.for_everybody() as folder, open(path, "rb") as f:
        argv = [folder / "net-gazer", "-c", "/dev/null", "--libexec-dir", folder, "--plugin-dir", folder / "plugins", "-r",
                "/dev/stdin"]
        if os.geteuid() == 0:
            argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", *argv]
        done = subprocess.run([str(a) for a in argv], stdin=f, capture_output=True, text=True, check=False, timeout=60, cwd="/")
    assert done.returncode == 0, done.stderr
    a, b = report.reports(done.stdout), report.reports(replay(path).stdout)
    assert [{n: v for n, v in r.items() if n not in VARY} for r in a] == \
        [{n: v for n, v in r.items() if n not in VARY} for r in b]


def test_configuration_counts():
    """Home networks and plugins of the configuration hold for a replay too; interfaces do not, a capture knows none."""
    path = next(p for p in CASES if p.name == "ethernet-plain.pcap")
    done = replay(path, "--home", "198.51.100.0/24,2001:db8::/32", "--plugins", "handshake,demo", "--iface", "wan")
    assert done.returncode == 0, done.stderr
    got = report.reports(done.stdout)
    assert [r["dir"] for r in got if r["type"] == "conn"] == ["inbound", "inbound"]


def test_progress_on_a_terminal():
    """On a terminal a line on stderr tells how far it is; elsewhere stderr is silent, stdout is the same."""
    path = next(p for p in CASES if p.name == "ethernet-plain.pcap")
    plain = replay(path)
    assert plain.stderr == ""
    ours, its = os.openpty()
    try:
        argv = [ng.program("net-gazer"), "-c", "/dev/null", "--user", "nobody", "--libexec-dir", ng.BUILD, "--plugin-dir",
                ng.BUILD / "plugins", "-r", path]
        done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=its, text=True, check=False, timeout=60)
        os.close(its)
        said = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
    print(repr(said))
    assert done.returncode == 0 and said.startswith("\rreplay: ") and "100 %" in said and "8 packets" in said
    assert len(report.reports(done.stdout)) == len(report.reports(plain.stdout))


@pytest.mark.parametrize("what", ["missing", "text", "cut", "folder", "linktype"])
def test_bad_files(tmp_path, what):
    """One line that names the file and says what is wrong; what came before the damage is reported."""
    good = next(p for p in CASES if p.name == "ethernet-plain.pcap").read_bytes()
    path = tmp_path / "bad.pcap"
    if what == "text":
        path.write_text("no capture\n" * 10, encoding="ascii")
    elif what == "cut":
        path.write_bytes(good[:-7])
    elif what == "folder":
        path.mkdir()
    elif what == "linktype":
        path.write_bytes(good[:20] + b"\x93\0\0\0" + good[24:])
    done = replay(path)
    assert done.returncode > 0 and str(path) in done.stderr, done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    print(done.stderr.strip())
    got = report.reports(done.stdout)
    assert len([r for r in got if r["type"] == "conn"]) == (2 if what == "cut" else 0)
