# SPDX-License-Identifier: GPL-2.0-or-later
"""Other machines' headers and libraries, from Debian's packages, without telling the host's dpkg of another architecture; and the
variables with which our Makefile builds for such a machine.  Kept in build/sysroot, one folder a list of packages."""
import contextlib
import fcntl
import hashlib
import os
import shutil
import typing

import vm
from lib import ng

CACHE = ng.TOP / "build/sysroot"
# What the sensor, the collector and the unit tests link.
LIBRARIES = ("libc6-dev", "libgcc-12-dev", "libmnl-dev", "libnetfilter-log-dev", "libnftnl-dev", "libyajl-dev", "libconfuse-dev",
             "libpcap-dev", "libcmocka-dev", "libcurl4-openssl-dev", "libmicrohttpd-dev", "libgnutls28-dev", "libargon2-dev",
             "libmaxminddb-dev", "libsqlite3-dev", "libhiredis-dev", "libseccomp-dev", "zlib1g-dev", "libzstd-dev")


class Machine(typing.NamedTuple):
    triplet: str        # of the libraries' folder
    compiler: str       # what Debian's cross compiler begins with
    runner: tuple       # runs a program in a sysroot, which takes {root}'s place


MACHINES = {
    "i386": Machine("i386-linux-gnu", "i686-linux-gnu",
                    ("{root}/lib/ld-linux.so.2", "--library-path", "{root}/lib/i386-linux-gnu:{root}/usr/lib/i386-linux-gnu")),
    "s390x": Machine("s390x-linux-gnu", "s390x-linux-gnu", ("qemu-s390x", "-L", "{root}")),
    "mipsel": Machine("mipsel-linux-gnu", "mipsel-linux-gnu", ("qemu-mipsel", "-L", "{root}")),
    # Debian 12 has no packages for it: libc alone, of the cross compiler.
    "mips": Machine("mips-linux-gnu", "mips-linux-gnu", ("qemu-mips", "-L", "/usr/mips-linux-gnu")),
}


@contextlib.contextmanager
def alone(name):
    """One process at a time makes it; the others wait for that."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def relative_links(root):
    """Links to /lib/... would lead to the host's libraries."""
    for folder, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(folder, name)
            if os.path.islink(path) and os.readlink(path).startswith("/"):
                to = os.path.relpath(str(root) + os.readlink(path), folder)
                os.unlink(path)
                os.symlink(to, path)


def sysroot(arch, packages=LIBRARIES):
    """The folder that has these packages of that architecture, unpacked (nothing of them has run)."""
    name = f"{arch}-{hashlib.sha256(' '.join(packages).encode()).hexdigest()[:12]}"
    root = CACHE / name
    with alone(name):
        if not root.exists():
            part = CACHE / f"{name}.part"
            shutil.rmtree(part, ignore_errors=True)
            vm.run("mmdebstrap", f"--architectures={arch}", "--variant=extract", f"--include={','.join(packages)}",
                   "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
                   "--dpkgopt=path-exclude=/usr/share/locale/*", "bookworm", part, vm.sources(CACHE / f"{name}.sources"))
            relative_links(part)
            part.rename(root)
    return root


def make_vars(arch, root=None):
    """{variable: value} for `make`: the same -Werror as at home, without what only costs time.  `root`: a sysroot with a list of
    packages of its own."""
    machine = MACHINES[arch]
    root = root or sysroot(arch)
    libraries = root / "usr/lib" / machine.triplet / "pkgconfig"
    return {"CC": f"{machine.compiler}-gcc --sysroot={root}", "AR": f"{machine.compiler}-ar", "WERROR": "1", "CFLAGS": "-O1 -g",
            "LTO": "", "SAN": "no", "WITH_REPLAY": "no",
            "PKG_CONFIG": f"env PKG_CONFIG_SYSROOT_DIR={root} PKG_CONFIG_LIBDIR={libraries}:{root}/usr/share/pkgconfig pkg-config"}


def make_arguments(arch, folder, root=None):
    """The same as arguments, with the folder to build into."""
    return [f"O={folder}", *(f"{name}={value}" for name, value in make_vars(arch, root).items())]


def runner(arch, root=None):
    """What stands before a program of that machine to run it here."""
    root = root or sysroot(arch)
    return [part.format(root=root) for part in MACHINES[arch].runner]
