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

from lib import ng

CACHE = ng.TOP / "build/vm"
BOOT_S = 900  # of a loaded machine without KVM; a quiet one takes one or two minutes
PACKAGES = ("systemd", "systemd-sysv", "nftables", "iproute2", "iputils-ping", "curl", "kmod", "procps", "python3",
            "ca-certificates", "ethtool")


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


def base():
    """A small Debian as a tar file, without our packages."""
    CACHE.mkdir(parents=True, exist_ok=True)
    stamp = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:12]
    tar = CACHE / f"base-{stamp}.tar"
    if not tar.exists():
        part = tar.with_suffix(".part.tar")
        run("mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/doc/*", "bookworm", part,
            sources(CACHE / "main.sources"))
        part.rename(tar)
    return tar


class Root:
    """A folder that becomes the machine's memory disk."""
    def __init__(self, folder):
        self.path = pathlib.Path(folder)
        self.path.mkdir()
        run("tar", "-xf", base(), "-C", self.path, "--exclude=./dev/*")

    def put(self, source, where, mode=0o644):
        to = self.path / where.lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, to)
        to.chmod(mode)

    def install(self, debs):
        """With apt, as an administrator would."""
        for deb in debs:
            self.put(deb, f"/root/{pathlib.Path(deb).name}")
        # The mirror is the host's; the kernel's interfaces are there as in any chroot.
        shutil.copy("/etc/resolv.conf", self.path / "etc/resolv.conf")
        (self.path / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        (self.path / "usr/sbin/policy-rc.d").chmod(0o755)
        for source in pathlib.Path("/etc/apt").glob("apt.conf.d/*proxy*"):
            shutil.copy(source, self.path / "etc/apt/apt.conf.d/")
        names = [f"/root/{pathlib.Path(deb).name}" for deb in debs]
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        run("unshare", "-m", "sh", "-ec", f"mount -t proc proc {self.path}/proc; mount -t tmpfs tmpfs {self.path}/dev; "
            f"for d in null zero random urandom; do touch {self.path}/dev/$d; mount --bind /dev/$d {self.path}/dev/$d; done; "
            f"chroot {self.path} apt-get update -qq; chroot {self.path} apt-get install -y -qq --no-install-recommends {' '.join(names)}; "
            f"chroot {self.path} apt-get clean", env=environment)
        (self.path / "usr/sbin/policy-rc.d").unlink()

    def boot(self, script, memory_mib=2048):
        """Boots it; `script` runs when it is up.  What it wrote, line by line."""
        image, kernel_root, version = kernel()
        self.put(script, "/root/script", 0o755)
        unit = self.path / "etc/systemd/system/script.service"
        unit.write_text("[Unit]\nAfter=multi-user.target\n[Service]\nType=oneshot\nExecStart=/root/script\nStandardOutput=tty\n"
                        "StandardError=tty\nTTYPath=/dev/ttyS0\nExecStopPost=/bin/systemctl poweroff -f -f\n[Install]\n"
                        "WantedBy=default.target\n", encoding="ascii")
        wants = self.path / "etc/systemd/system/default.target.wants"
        wants.mkdir(exist_ok=True)
        (wants / "script.service").symlink_to("../script.service")
        (self.path / "etc/fstab").write_text("", encoding="ascii")
        (self.path / "etc/hostname").write_text("vm\n", encoding="ascii")
        modules = self.path / "lib/modules" / version
        shutil.copytree(kernel_root / "lib/modules" / version, modules, ignore=shutil.ignore_patterns("drivers", "sound", "fs"))
        links = modules / "kernel/drivers/net"
        links.mkdir(parents=True)
        for name in ("veth.ko", "dummy.ko"):
            shutil.copy(kernel_root / "lib/modules" / version / "kernel/drivers/net" / name, links)
        run("depmod", "-b", self.path, version)
        disk = self.path.parent / f"{self.path.name}.cpio"
        run("sh", "-c", f"cd {self.path} && find . -path ./proc/\\* -prune -o -print0 | cpio -0 -o -H newc --quiet | gzip -1 >{disk}")
        serial = self.path.parent / f"{self.path.name}.serial"
        machine = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", str(memory_mib), "-display", "none", "-monitor",
             "none", "-serial", f"file:{serial}", "-no-reboot", "-nic", "none", "-kernel", str(image), "-initrd", str(disk), "-append",
             "console=ttyS0 rdinit=/lib/systemd/systemd systemd.show_status=0 quiet panic=-1"], stdin=subprocess.DEVNULL)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                machine.wait(BOOT_S)
        finally:
            machine.kill()
            machine.wait()
            disk.unlink()
        return serial.read_text(encoding="utf-8", errors="replace").replace("\r", "").splitlines()


def verdicts(lines):
    """What a script said with `ok NAME` and `FAIL NAME: WHY`; the rest helps to understand."""
    found = {}
    for line in lines:
        m = re.match(r"(ok|FAIL) ([\w .-]+?)(?:: (.*))?$", line)
        if m:
            found[m[2]] = (m[1] == "ok", m[3])
    return found
