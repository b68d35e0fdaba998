# SPDX-License-Identifier: GPL-2.0-or-later
"""The systemd units: what systemd thinks of them, and the sensor run with the rights that its unit gives it."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from lib import net, ng
from lib.sensor import Sensor

# What systemd-analyze may say at most, of 10.
EXPOSURE_MAX = {"net-gazer": 1.8, "net-gazer-nft": 1.5, "net-gazer-collector": 1.5}


@pytest.fixture(scope="module", name="units")
def installed_units(tmp_path_factory):
    dest = tmp_path_factory.mktemp("installed")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
    done = subprocess.run(["make", "-s", "-C", ng.TOP, "install", f"O={ng.BUILD}", f"DESTDIR={dest}", "PREFIX=/usr"],
                          capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    yield dest / "usr/lib/systemd/system"
    shutil.rmtree(dest)


@pytest.mark.parametrize("name, program", [("net-gazer", "/usr/sbin/net-gazer"),
                                           ("net-gazer-collector", "/usr/sbin/net-gazer-collector")])
def test_unit(units, name, program):
    """The time to stop is longer than what the parent gives its children."""
    unit = units / f"{name}.service"
    text = unit.read_text(encoding="ascii")
    assert f"ExecStart={program} -c /etc/net-gazer/{name}.conf\n" in text and "@SBINDIR@" not in text
    assert "KillMode=mixed\n" in text
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", text, re.M)[1]) > 18


@pytest.mark.parametrize("name", sorted(p.stem for p in (ng.TOP / "etc").glob("*.service")))
def test_exposure(units, name):
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE_MAX[name] * 10:.0f}",
                           units / f"{name}.service"], capture_output=True, text=True, check=False)
    print(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr


def rights(sensor):
    """pid: name, user ids, effective capabilities."""
    found = {}
    for pid, name in sensor.processes().items():
        with contextlib.suppress(OSError):  # it ended
            status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            found[pid] = (name, re.search(r"^Uid:\t(.*)$", status, re.M)[1].split(), int(re.search(r"^CapEff:\t(\w+)$", status, re.M)[1], 16))
    return found


def test_without_root():
    """A user of no consequence with the two capabilities of the unit: rules, groups, reports, prober, an end in order."""
    with ng.for_everybody() as folder, net.Router(filtered=False) as r, net.Server(r.wan, 80):
        run = folder / "run"
        run.mkdir()
        os.chown(run, 65534, 65534)

        class Service(Sensor):
            """Started as systemd does it."""
            def argv(self):
                return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs",
                        "--inh-caps=-all,+net_admin,+net_raw", "--ambient-caps=-all,+net_admin,+net_raw",
                        "--bounding-set=-all,+net_admin,+net_raw", folder / "net-gazer", "-c", self.config_path,
                        "--libexec-dir", folder, "--plugin-dir", folder / "plugins"]

        with Service(r.rtr, folder, plugins=["handshake"], prober="yes", runtime_dir=str(run)) as s:
            came, port = net.connect(r.lan, r.WAN4, 80)
            assert came == "ok"
            s.wait_reports(1, type="conn", src_port=port)
            s.worker("prober")
            # Right after its fork a child is still as its parent is.
            ng.wait_for(lambda: f"the rights that each should have: {rights(s)}", lambda: all(
                uids == ["65534"] * 4 and caps == (1 << 12 if pid == s.process.pid else 0)  # CAP_NET_ADMIN, for the parent alone
                for pid, (_, uids, caps) in rights(s).items()))
            s.stop()
            assert "warning" not in s.log(), s.log()


def test_a_token_that_is_roots():
    """Said with what to do; readable by others is no way out."""
    with ng.for_everybody() as folder:
        token = folder / "token"
        token.write_text("0123456789abcdef\n", encoding="ascii")
        conf = folder / "conf"
        conf.write_text(f'collector-url = "http://127.0.0.1:9/"\ncollector-token-file = "{token}"\nlibexec-dir = "{folder}"\n'
                        f'plugin-dir = "{folder}/plugins"\n', encoding="ascii")

        def check():
            return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", folder / "net-gazer", "-n", "-c", conf],
                                  capture_output=True, text=True, check=False)
        token.chmod(0o600)
        assert f"collector-token-file {token}: Permission denied; run: chown 65534 {token}\n" in check().stderr
        os.chown(token, 65534, 65534)
        assert check().returncode == 0, check().stderr
        token.chmod(0o640)
        assert f"{token} can be read by others; run: chmod 600 {token}\n" in check().stderr
