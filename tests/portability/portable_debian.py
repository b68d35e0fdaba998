# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian packages: what is in them, what lintian says, and a machine on which they are installed, used, upgraded and purged."""
import os
import pathlib
import re
import shlex
import subprocess

import pytest
import vm

from lib import ng

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module", name="debs")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deb")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in ("MFLAGS", "CI", "O")}
    environment["DEB_BUILD_OPTIONS"] = "nocheck"
    vm.run("make", "-s", "-C", ng.TOP, f"O={folder}", "deb", env=environment)
    return folder / "deb"


def test_lintian(debs, tmp_path):
    """No error, no warning."""
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", *debs.glob("*.changes")], capture_output=True,
                          text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)})  # it leaves files there
    assert done.returncode == 0, done.stdout + done.stderr


def test_contents(debs):
    """Versions agree; the collector is no part of the sensor's package; the configuration is what the package promises."""
    names = {d.name.split("_")[0]: d for d in debs.glob("*.deb")}
    assert set(names) >= {"net-gazer", "net-gazer-collector", "net-gazer-plugin-dev"}
    version = re.search(r"^VERSION\s*:= (\S+)", (ng.TOP / "Makefile").read_text(encoding="utf-8"), re.M)[1]
    for deb in names.values():
        assert vm.run("dpkg-deb", "-f", deb, "Version").strip() == version
    files = vm.run("dpkg-deb", "-c", names["net-gazer"])
    assert "net-gazer-collector" not in files and "/usr/libexec/net-gazer/forwarder" in files
    unpacked = debs / "unpacked"
    vm.run("dpkg-deb", "-x", names["net-gazer"], unpacked)
    text = (unpacked / "etc/net-gazer/net-gazer.conf").read_text(encoding="ascii")
    assert "\nrules = own\n" in text and '\ncollector-url = "http://127.0.0.1:8080/"' in text and "/usr/local" not in text
    # The parent finds its programs and plugins where the package puts them.
    done = subprocess.run([unpacked / "usr/sbin/net-gazer", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "/usr/lib/net-gazer/plugins" in done.stdout


@pytest.fixture(name="machine")
def debian_machine(debs, tmp_path):
    """A script's name to what it said there."""
    def boot(script, least):
        root = vm.Root(tmp_path / "root")
        root.install(sorted(d for d in debs.glob("net-gazer*_amd64.deb") if "dbgsym" not in d.name))
        root.put(HERE / "vm-lib.sh", "/root/vm-lib.sh")
        root.put(ng.TOP / "etc/debian/tests/handshake", "/root/handshake", 0o755)
        lines = root.boot(HERE / script)
        print("\n".join(lines))
        found = vm.verdicts(lines)
        assert "end" in found, "the machine did not get to its end:\n" + "\n".join(lines[-60:])
        assert all(ok for ok, _ in found.values()), {name: why for name, (ok, why) in found.items() if not ok}
        assert len(found) >= least
    return boot


def test_document(machine, tmp_path):
    """Each command of docs/DEBIAN.md, in its order, on a machine that has what the packages need but not the packages."""
    text = (ng.TOP / "docs/DEBIAN.md").read_text(encoding="utf-8")
    commands = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)).splitlines()
    assert len(commands) > 20
    script = ["#!/bin/bash", ". /root/vm-lib.sh", "ip link set lo up", "cd /root",
              # Of the machine before: the packages came into it with all that they need.
              "dpkg -P net-gazer net-gazer-collector >/dev/null",
              "sudo() { \"$@\"; }; export -f sudo soon"]
    for n, command in enumerate(commands):
        # Services take their time to start, on this machine more than on any other.
        retried = "soon " if re.match(r"(curl|systemctl is-active|sudo net-gazerctl)", command) else ""
        script += ["cat >/root/command <<'END'", command, "END", f"check 'line {n + 1}' {retried}bash -e /root/command"]
    script += [f"echo {shlex.quote('commands: ' + str(len(commands)))}", "echo 'ok end'"]
    path = tmp_path / "document.sh"
    path.write_text("\n".join(script) + "\n", encoding="utf-8")
    machine(path, len(commands) + 1)


def test_systemd(machine):
    """systemd as pid 1: install, nftables reloads, include mode, upgrade, remove, purge."""
    machine("vm-systemd.sh", 50)


def test_offload(machine):
    """With a flow table the kernel's counters go blind, and every handshake is reported; beside nft's queue too."""
    machine("vm-offload.sh", 10)
