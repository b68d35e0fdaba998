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
    done = subprocess.run(["make", "-s", "-C", ng.TOP, "-o", "all", "install", f"O={ng.BUILD}", f"DESTDIR={dest}", "PREFIX=/usr"],
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


def test_check_looks_as_who_will_open():
    """-n refuses what the daemon, or the forwarder behind it, could not open, with the command that mends it; and leaves nothing behind."""
    with ng.for_everybody() as folder:
        mine, closed = folder / "mine", folder / "closed"
        mine.mkdir()
        closed.mkdir(mode=0o700)
        os.chown(mine, 65534, 65534)
        for name in ("r", "ca", "token"):
            (closed / name).touch(mode=0o644)
            (folder / name).touch(mode=0o600)
        (folder / "own").touch()
        os.chown(folder / "own", 65534, 65534)
        (folder / "word").write_text("0123456789abcdef\n", encoding="ascii")
        (folder / "word").chmod(0o600)
        pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHx\n"
        whole = pem + "-----END PRIVATE KEY-----\n"
        for name, text, mode in (("whole", whole, 0o600), ("public", whole, 0o644), ("half", pem, 0o600), ("long", pem + "x" * 65536, 0o600)):
            (folder / name).write_text(text, encoding="ascii")
            (folder / name).chmod(mode)
        spool = folder / "spool"
        spool.mkdir(mode=0o700)
        before = sorted(str(f) for f in folder.rglob("*"))

        def check(user, text):
            (folder / "conf").write_text(f'{text}\nuser = "nobody"\nlibexec-dir = "{folder}"\nplugin-dir = "{folder}/plugins"\n', encoding="ascii")
            done = subprocess.run(["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", folder / "net-gazer", "-n", "-c",
                                   folder / "conf"], capture_output=True, text=True, check=False)
            (folder / "conf").unlink()
            assert sorted(str(f) for f in folder.rglob("*")) == before
            assert done.returncode == (1 if done.stderr else 0), done.stderr
            return done.stderr.removeprefix("net-gazer: error: ").strip()
        https, anybody = 'collector-url = "https://127.0.0.1:9/"\n', 65534
        write = f"Permission denied: uid {anybody} may not write to {folder}; choose another folder"
        enter = f"Permission denied: uid {anybody} may not enter {closed}; choose another folder"
        for user, text, says in (
                (anybody, f'output = "{folder}/new"', f"output {folder}/new: {write}"),
                (anybody, f'output = "{folder}/r"', f"output {folder}/r: Permission denied; run: chown {anybody} {folder}/r"),
                (anybody, f'output = "{closed}/r"', f"output {closed}/r: {enter}"),
                (anybody, f'output = "{folder}/own"', ""),
                (anybody, f'output = "{folder}/own"\noutput-bytes = 65536',
                 f"output-bytes {folder}: Permission denied; run: chown {anybody} {folder}"),
                (anybody, f'output = "{mine}"', f"output {mine}: Is a directory"),
                (anybody, f'output = "{mine}/new"\nspool-dir = "{mine}/spool"', ""),
                (0, f'output = "{closed}/new"\nspool-dir = "{folder}/new"', ""),
                (0, f'output = "{folder}/no/r"', f"output {folder}/no/r: No such file or directory"),
                (anybody, f'spool-dir = "{folder}/new"', f"spool-dir {folder}/new: {write}"),
                (anybody, f'spool-dir = "{closed}/s"', f"spool-dir {closed}/s: {enter}"),
                (anybody, f'spool-dir = "{spool}"', f"spool-dir {spool}: Permission denied; run: chown {anybody} {spool}"),
                (0, f'spool-dir = "{spool}"', f"spool-dir {spool} belongs to uid 0 with mode 0700, others could read or change what is in it; "
                 f"run: chown {anybody}:{anybody} {spool} && chmod 700 {spool}"),
                (anybody, f'{https}collector-token-file = "{closed}/token"', f"collector-token-file {closed}/token: {enter}"),
                *((user, f'{https}collector-ca-file = "{folder}/ca"',
                   f"collector-ca-file {folder}/ca: Permission denied; run: chown {anybody} {folder}/ca") for user in (0, anybody)),
                *((user, f'{https}collector-ca-file = "{closed}/ca"', f"collector-ca-file {closed}/ca: {enter}") for user in (0, anybody)),
                (0, f'{https}collector-token-file = "{folder}/word"\ncollector-ca-file = "{folder}/public"', "")):
            assert check(user, text) == says, (user, text)
        pair = 'collector-cert-file = "{}"\ncollector-key-file = "{}"\n'
        for text, says in (
                (f'collector-token-file = "{folder}/token"', "the token must be one line of printable ASCII without blanks"),
                ('collector-ca-file = "/etc/hosts"', "ca-file=/etc/hosts: it is no PEM file"),
                (pair.format(folder / "whole", folder / "half"), f"({folder}/half): it is no PEM file"),
                (pair.format(folder / "r", folder / "whole"), f"({folder}/r): it is no PEM file"),
                (pair.format(folder / "long", folder / "whole"), f"({folder}/long): longer than 65536 bytes")):
            assert says in check(0, https + text), text
        assert check(0, https + pair.format(folder / "whole", folder / "whole")) == ""
