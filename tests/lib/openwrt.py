# SPDX-License-Identifier: GPL-2.0-or-later
"""An OpenWrt router made of busybox, of the stand-ins below tests/openwrt/rootfs (uci, procd, ujail, fw4, opkg, ubus), and of the real
net-gazer and nft: a root of its own, with its own processes and mounts, in a network namespace that the caller has."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sysconfig

from lib import ng

DIR = ng.TOP / "openwrt/net-gazer"
STAND_IN = ng.TOP / "tests/openwrt"
# What programs of this machine bring along, and what the build has compiled in, lies where it lies here.
ARCH = sysconfig.get_config_var("MULTIARCH")
DEFAULTS = {"plugins": "usr/local/lib/net-gazer/plugins", "libexec": "usr/local/libexec/net-gazer"}


def make(*argv, topdir=STAND_IN, **variables):
    """make in the package's folder, with a stub of OpenWrt's build system."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in ("MFLAGS", "O")}
    done = subprocess.run(["make", "-s", "--no-print-directory", "-C", DIR, f"TOPDIR={topdir}", f"INCLUDE_DIR={STAND_IN}", *argv,
                           *(f"{k}={v}" for k, v in variables.items())], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build_tree(folder):
    """What OpenWrt's build would have unpacked and compiled: this build, without the symbols."""
    folder.mkdir(parents=True)
    for name in ("nft", "src"):
        (folder / name).symlink_to(ng.TOP / name)
    (folder / "build/plugins").mkdir(parents=True)
    programs = ("net-gazer", "analyzer", "prober", "trace", "forwarder")
    plugins = sorted(p.relative_to(ng.BUILD) for p in (ng.BUILD / "plugins").glob("*.so"))
    for name in (*programs, *plugins):
        subprocess.run(["strip", "-o", folder / "build" / name, ng.program(name)], check=True)
    return folder


class Root:
    """with Root(folder, ns, jail): run("uci show firewall") in the router's own shell."""
    def __init__(self, folder, ns, jail):
        self.path, self.ns = folder / "root", ns
        shutil.copytree(STAND_IN / "rootfs", self.path)
        for d in ("proc", "dev", "root", "usr/lib", "usr/sbin", "usr/libexec", "etc/config", "etc/rc.d", "etc/net-gazer", "tmp/run", "lib64", f"lib/{ARCH}",
                  f"usr/lib/{ARCH}", *(os.path.dirname(d) for d in DEFAULTS.values()), "etc/uci-defaults"):
            (self.path / d).mkdir(parents=True, exist_ok=True)
        (self.path / "etc/net-gazer").rmdir()
        (self.path / "var").symlink_to("tmp")
        (self.path / "run").symlink_to("/var/run")
        (self.path / DEFAULTS["plugins"]).symlink_to("/usr/lib/net-gazer/plugins")
        (self.path / DEFAULTS["libexec"]).symlink_to("/usr/lib/net-gazer")
        for program in ("busybox", "nft", "setpriv"):
            shutil.copy(shutil.which(program), self.path / "sbin" / program)
        loader = subprocess.run(["readelf", "-l", self.path / "sbin/nft"], capture_output=True, text=True, check=True).stdout
        self.loader = pathlib.Path(loader.split("interpreter: ")[1].split("]")[0])
        (self.path / "lib/ld.so").symlink_to(self.loader)
        for applet in subprocess.run([self.path / "sbin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
            if not any((self.path / d / applet).exists() for d in ("sbin", "bin", "usr/bin")):
                (self.path / "bin" / applet).symlink_to("/sbin/busybox")
        if not jail:
            (self.path / "sbin/ujail").unlink()
        for name, text in {"passwd": "root:x:0:0:root:/root:/bin/ash\nnobody:x:65534:65534:nobody:/var:/bin/false\n",
                           "group": "root:x:0:\nnogroup:x:65534:\n", "hosts": "127.0.0.1 localhost\n", "resolv.conf": "nameserver 127.0.0.1\n",
                           "config/firewall": "config defaults 'main'\n\toption input 'ACCEPT'\n"}.items():
            (self.path / "etc" / name).write_text(text, encoding="ascii")

    def __enter__(self):
        mounts = "\n".join([f"mount --bind {self.path} {self.path}", f"mount -t proc proc {self.path}/proc", f"mount --bind /dev {self.path}/dev",
                            f"mount --bind /usr/lib/{ARCH} {self.path}/lib/{ARCH}", f"mount --bind /usr/lib/{ARCH} {self.path}/usr/lib/{ARCH}",
                            *([f"mount --bind {self.loader.parent} {self.path}{self.loader.parent}"]
                              if self.loader.parent.name != ARCH else [])])
        # The first process of its own process namespace: everything in there ends with it.
        self.first = self.ns.popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", f"{mounts}\necho ready\nexec cat"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.first.stdout.readline() == "ready\n"
        self.inside = int(pathlib.Path(f"/proc/{self.first.pid}/task/{self.first.pid}/children").read_text(encoding="ascii"))
        self.run("/etc/init.d/rpcd; /etc/init.d/firewall start")
        return self

    def __exit__(self, *_):
        self.first.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.first.wait(10)
        self.first.kill()
        self.first.wait()

    def ash(self, script):
        """The finished process."""
        return self.ns.run("nsenter", f"--target={self.inside}", "--mount", "--pid", "chroot", self.path, "/bin/ash", "-c",
                           f"export PATH=/usr/sbin:/usr/bin:/sbin:/bin\n. /lib/names.sh\ncd /root\n{script}", env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, stdin=subprocess.DEVNULL, timeout=120)

    def run(self, script):
        """Its output, of both kinds; it has to end well."""
        done = self.ash(script)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}\n{self.log()}"
        return done.stdout + done.stderr

    def file(self, name):
        """As the router names it: /var is in /tmp."""
        return self.path / name.replace("/var/", "/tmp/").lstrip("/")

    def log(self):
        f = self.file("/tmp/messages")
        return f.read_text(encoding="utf-8", errors="replace") if f.exists() else ""

    def history(self):
        f = self.file("/tmp/procd/net-gazer.history")
        return f.read_text(encoding="ascii").splitlines() if f.exists() else []

    def tables(self):
        return set(self.run("nft list tables").split("\n")) - {""}

    def rules(self):
        """How many of ours there are."""
        return self.ash("nft list table inet net_gazer").stdout.count("log ")

    def status(self):
        """Of the daemon, or None."""
        done = self.ash("net-gazerctl status --json")
        import json
        return json.loads(done.stdout) if done.returncode == 0 else None

    def processes(self):
        """{name: fields of /proc/PID/status} of net-gazer's processes."""
        text = self.run("for p in /proc/[0-9]*; do [ -e $p/exe ] && echo \"= $(readlink $p/exe)\" && cat $p/status; done 2>/dev/null; :")
        found = {}
        for part in text.split("= ")[1:]:
            exe, _, rest = part.partition("\n")
            name = exe.strip().rsplit("/", 1)[-1]
            if name in ("net-gazer", "analyzer", "prober", "forwarder"):
                found.setdefault(name, []).append({k: v.strip() for k, _, v in (line.partition(":") for line in rest.splitlines())})
        return found

    def flash(self):
        """{path: when, how long} of everything that is not in memory."""
        found = {}
        for folder, names, files in os.walk(self.path):
            if pathlib.Path(folder) == self.path:
                for name in ("tmp", "proc", "dev"):
                    names.remove(name)
            names[:] = [n for n in names if n not in (ARCH, "lib64") and pathlib.Path(folder, n) != self.path / "usr/local"]
            for name in files:
                path = pathlib.Path(folder, name)
                st = path.lstat()
                found[str(path.relative_to(self.path))] = (st.st_mtime_ns, st.st_ctime_ns, st.st_size)
        return found
