# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian 12 that boots in qemu from memory: its kernel has what the host's may lack (flow tables, nft's queue), and systemd is
pid 1 there.  Roots and kernels are kept under build/vm; nothing of them is installed on the host."""
import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time

from lib import ng

CACHE = ng.TOP / "build/vm"
# Without KVM, on a loaded machine; a quiet one takes three minutes.
RUN_S, SILENT_S = 2000, 400
PACKAGES = ("systemd", "systemd-sysv", "dbus", "nftables", "iproute2", "iputils-ping", "curl", "kmod", "procps", "python3",
            "ca-certificates", "openssl", "openssh-server", "openssh-client", "sudo")


def run(*argv, **kw):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, **kw)
    assert done.returncode == 0, f"{argv}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def sources(to):
    """Debian's main suite alone, as this machine gets it."""
    found = ""
    for path in sorted(pathlib.Path("/etc/apt").glob("sources.list.d/*.sources")):
        found += "\n\n".join(part for part in path.read_text(encoding="utf-8").split("\n\n") if "-security" not in part) + "\n\n"
    for path in [pathlib.Path("/etc/apt/sources.list"), *sorted(pathlib.Path("/etc/apt").glob("sources.list.d/*.list"))]:
        if path.exists() and not found:
            lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("deb ") and "-security" not in line]
            to = to.with_suffix(".list")
            to.write_text("\n".join(lines) + "\n", encoding="utf-8")
            return to
    to.write_text(found, encoding="utf-8")
    return to


def kernel():
    """(image, root that has lib/modules, version) of Debian's cloud kernel, unpacked."""
    root = CACHE / "kernel"
    if not (root / "done").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        name = re.search(r"Depends: (linux-image-\S+)", run("apt-cache", "depends", "linux-image-cloud-amd64"))[1]
        run("apt-get", "download", name, cwd=root)
        for deb in root.glob("*.deb"):
            run("dpkg-deb", "-x", deb, root)
            deb.unlink()
        (root / "done").touch()
    image = next((root / "boot").glob("vmlinuz-*"))
    return image, root, image.name.removeprefix("vmlinuz-")


def depends(debs):
    """Names of packages that these need and that are none of them."""
    ours, needed = set(), set()
    for deb in debs:
        ours.add(run("dpkg-deb", "-f", deb, "Package").strip())
        fields = run("dpkg-deb", "-f", deb, "Depends").strip()
        needed |= {re.match(r"[\w.+-]+", one.strip())[0] for one in fields.split(",") if one.strip()}
    return needed - ours


def base(debs, more=()):
    """A small Debian as a tar file, with what our packages need and without them: no network is needed to install them there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    packages = sorted({*PACKAGES, *more} | depends(debs))
    stamp = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12]
    tar = CACHE / f"base-{stamp}.tar"
    if not tar.exists():
        part = tar.with_suffix(f".{os.getpid()}.tar")
        run("mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-include=/usr/share/doc/net-gazer*", "bookworm", part, sources(CACHE / "main.sources"))
        part.rename(tar)
    return tar


class Root:
    """A folder that becomes the machine's memory disk."""
    def __init__(self, folder, tar):
        self.path = pathlib.Path(folder)
        self.path.mkdir()
        self.stopped = threading.Event()
        run("tar", "-xf", tar, "-C", self.path, "--exclude=./dev/*")

    def put(self, source, where, mode=0o644):
        to = self.path / where.lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, to)
        to.chmod(mode)

    def write(self, text, where, mode=0o644):
        to = self.path / where.lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(text, encoding="utf-8")
        to.chmod(mode)

    def with_devices(self, *argv):
        """A command for which /proc and what programs need of /dev are there."""
        return ("unshare", "-m", "sh", "-ec", f"cd {self.path}; mount -t proc proc proc; mount -t tmpfs -o mode=755 tmpfs dev; "
                'for d in null zero random urandom; do touch dev/$d; mount --bind /dev/$d dev/$d; done; cd /; exec "$@"', "sh", *argv)

    def install(self, debs):
        """As an administrator would, but that nothing is started."""
        folder = self.path / "root/install"
        folder.mkdir()
        for deb in debs:
            shutil.copy(deb, folder)
        self.write("#!/bin/sh\nexit 101\n", "usr/sbin/policy-rc.d", 0o755)
        run(*self.with_devices("chroot", self.path, "sh", "-c", "apt-get install -y -qq --no-install-recommends /root/install/*.deb"),
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        shutil.rmtree(folder)
        (self.path / "usr/sbin/policy-rc.d").unlink()

    def boot(self, names, memory_mib=2048):
        """Boots it; the scripts /root/NAME run one after the other when it is up.  What it wrote, line by line."""
        image, kernel_root, version = kernel()
        self.write("#!/bin/bash\n" + "".join(
            f"echo \"begin {n} $(cut -d ' ' -f 1 /proc/uptime)\"\n/root/{n} </dev/null\n"
            f"echo \"end {n} $? $(cut -d ' ' -f 1 /proc/uptime)\"\n" for n in names), "root/all", 0o755)
        self.write("[Unit]\nAfter=multi-user.target\n[Service]\nType=oneshot\nExecStart=/root/all\nStandardOutput=tty\n"
                   "StandardError=tty\nTTYPath=/dev/ttyS0\nExecStopPost=/bin/systemctl poweroff -f -f\n[Install]\n"
                   "WantedBy=default.target\n", "etc/systemd/system/script.service")
        wants = self.path / "etc/systemd/system/default.target.wants"
        wants.mkdir(exist_ok=True)
        (wants / "script.service").symlink_to("../script.service")
        # What a machine with a disk and people in front of it has.
        for name in ("getty@.service", "serial-getty@.service", "systemd-timesyncd.service", "systemd-pstore.service",
                     "apt-daily.timer", "apt-daily-upgrade.timer", "ssh.service", "systemd-hwdb-update.service"):
            unit = self.path / "etc/systemd/system" / name
            unit.unlink(missing_ok=True)
            unit.symlink_to("/dev/null")
        self.write("", "etc/fstab")
        self.write("vm\n", "etc/hostname")
        self.write("127.0.0.1 localhost vm\n192.0.2.9 router collector.lan\n", "etc/hosts")
        modules = self.path / "lib/modules" / version
        shutil.copytree(kernel_root / "lib/modules" / version, modules, ignore=shutil.ignore_patterns("drivers", "sound", "fs"))
        links = modules / "kernel/drivers/net"
        links.mkdir(parents=True)
        for name in ("veth.ko", "dummy.ko"):
            shutil.copy(kernel_root / "lib/modules" / version / "kernel/drivers/net" / name, links)
        run("depmod", "-b", self.path, version)
        disk = self.path.parent / f"{self.path.name}.cpio"
        # Not packed: that would be unpacked there, where a processor is slow.
        run("sh", "-c", f"cd {self.path} && find . -path ./proc/\\* -prune -o -print0 | cpio -0 -o -H newc --quiet >{disk}")
        serial = self.path.parent / f"{self.path.name}.serial"
        serial.touch()
        # Without random addresses each program finds what was translated for the one before.  On a busy host so few of the timer's
        # first ticks come in time that the kernel would panic at its own check of the timer.
        machine = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-smp", "2", "-m", str(memory_mib), "-display", "none",
             "-monitor", "none", "-serial", f"file:{serial}", "-no-reboot", "-nic", "none", "-kernel", str(image), "-initrd", str(disk),
             "-append", "console=ttyS0 rdinit=/lib/systemd/systemd systemd.show_status=0 quiet panic=-1 mitigations=off audit=0 norandmaps "
             "tsc=reliable no_timer_check rcupdate.rcu_expedited=1"],
            stdin=subprocess.DEVNULL)
        end = time.monotonic() + RUN_S
        try:
            while machine.poll() is None and time.monotonic() < end and time.time() < serial.stat().st_mtime + SILENT_S:
                if self.stopped.wait(0.2):
                    break
        finally:
            machine.kill()
            machine.wait()
            disk.unlink()
        return serial.read_text(encoding="utf-8", errors="replace").replace("\r", "").splitlines()

    def stop(self):
        """Ends the machine that another thread has booted."""
        self.stopped.set()


def verdicts(lines):
    """{script: {check: (whether, why)}} of `begin SCRIPT`, `ok CHECK`, `FAIL CHECK | WHY`, `end SCRIPT`; the rest helps to understand."""
    found, section = {}, {}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "begin":
            section = found.setdefault(rest.split()[0], {})
        elif word in ("ok", "FAIL"):
            name, _, why = rest.partition(" | ")
            assert name not in section, f"{name} twice"
            section[name] = (word == "ok", why)
        elif word == "end":
            section["end"] = (rest.split()[1] == "0", rest)
    return found
