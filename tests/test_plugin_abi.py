# SPDX-License-Identifier: GPL-2.0-or-later
"""A plugin that was built against the header of ABI 1.0 runs in today's host."""
import re
import subprocess

from lib import ng, report

CASE = ng.TOP / "tests/replay/ethernet-plain.pcap"


def header_1_0():
    """src/plugin.h without what is younger; minor0.c asserts the sizes of 1.0."""
    text = (ng.TOP / "src/plugin.h").read_text(encoding="utf-8")
    for what, by in ((r"#define NG_PLUGIN_ABI_MINOR \d+.*", "#define NG_PLUGIN_ABI_MINOR 0"),
                     (r"\tNG_EVENT_TRACE\b.*\n", ""),
                     (r"#define NG_CONN_ISN\b.*\n", ""),
                     (r"\t/\* 1\.1 \*/\n(.*\n)*?(?=};)", ""),
                     (r"/\* How a path is probed\. \*/\n(.*\n)*?(?=struct ng_event {)", ""),
                     (r"\tconst struct ng_trace \*trace;.*\n", ""),
                     (r"\n\t/\* 1\.1\.(.*\n)*?\tint \(\*trace_request\).*\n", "")):
        text, n = re.subn(what, by, text)
        assert n == 1, f"{what} is in src/plugin.h {n} times: tell this test what the header of 1.0 was"
    assert "ng_trace" not in text
    return text


def test_plugin_of_minor_0(tmp_path):
    (tmp_path / "plugin_1_0.h").write_text(header_1_0(), encoding="utf-8")
    plugin = ng.compile_c(ng.TOP / "tests/plugin/minor0.c", tmp_path / "minor0.so", "-fPIC", "-shared", f"-I{tmp_path}")
    plugin.chmod(0o755)
    argv = [ng.program("net-gazer"), "-c", "/dev/null", "--user", "nobody", "--libexec-dir", ng.BUILD, "--plugin-dir",
            ng.BUILD / "plugins", "--plugins", f"handshake,{plugin}", "-r", CASE]
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    found = report.reports(done.stdout)
    conns, mine = report.pick(found, type="conn"), report.pick(found, type="plugin")
    assert len(mine) == len(conns) > 1
    for conn, own in zip(conns, mine):
        data = own["data"]
        assert data["host_minor"] >= 1 and data["longer"] == 8 and data["replay"] == 1
        assert data["trace"] < 0, "it asks for paths that it could not be told"
        for name in ("ttl_dst", "history", "src_ip", "dst_port", "community_id", "dir"):
            assert data[name] == conn[name]
