# SPDX-License-Identifier: GPL-2.0-or-later
"""Bodies packed with zstd: taken, offered in answers, and bounded like those in gzip."""
import pathlib
import re
import subprocess

import pytest

import collector_rig as rig
from lib.collector import Collector


def most_kib(pid):
    """The most memory that it ever had."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii"))[1])


def zstd(body, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=body, capture_output=True, check=True).stdout


@pytest.fixture
def collector(tmp_path):
    with Collector(tmp_path) as c:
        yield c


def test_taken_and_offered(collector):
    body = rig.ndjson([rig.conn(i) for i in range(1, 501)])
    status, answer, headers = rig.post(collector, None, {"Content-Encoding": "zstd"}, zstd(body))
    assert (status, answer["accepted"]) == (200, 500)
    assert headers["Accept-Encoding"] == "zstd, gzip"
    # Streamed, so that the frame does not tell its size; and checked.
    assert rig.post(collector, None, {"Content-Encoding": "zstd"}, zstd(body, "-19", "--check"))[1]["duplicate"] == 500


def test_refused_and_bounded(collector):
    body = rig.ndjson([rig.conn(i) for i in range(10)])
    frame = zstd(body)
    pack = {"Content-Encoding": "zstd"}
    pid = collector.process.pid
    before = most_kib(pid)
    for what, packed, status in (
            ("bomb", zstd(b" " * 50_000_000), 413), ("bomb by ratio", zstd(b"\n" * 1_000_000), 413),
            ("window", b"\x28\xb5\x2f\xfd\x00\xff\x01\0\0" + bytes(100), 413),
            ("window of 128 MiB", zstd(body * 1000, "--ultra", "-22", "--long=27"), 413),
            ("not packed", body, 400), ("torn", frame[:-9], 400), ("two of them", frame * 2, 400),
            ("something behind it", frame + b"x", 400), ("empty", b"", 400), ("other magic", b"\x27" + frame[1:], 400)):
        got, answer, _ = rig.post(collector, None, pack, packed)
        assert got == status and answer["error"], what
    assert most_kib(pid) - before < 16384, "a bomb took memory"
    assert collector.get("/health")["rows"] == 0
    assert rig.post(collector, None, {"Content-Encoding": "br"}, body)[0] == 415
