# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are, waiting with a deadline, processes that end, kernel features.

Nothing here sleeps for a fixed time: wait_for() polls, and its deadline is far away, because the
machine that runs the tests may be loaded.
"""
import contextlib
import errno
import itertools
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("O", TOP / "build")).resolve()
DEADLINE_S = 30
_ports = itertools.count(os.getpid() * 61)


def program(name):
    """A program of the build folder; its absence is a failure, not a skip."""
    path = BUILD / name
    assert path.exists(), f"{path} is not built"
    return path


def wait_for(what, check, deadline_s=DEADLINE_S, every_s=0.01):
    """The first true value of check(), or an AssertionError that says what did not come."""
    end = time.monotonic() + deadline_s
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            said = what() if callable(what) else what
            raise AssertionError(f"waited {deadline_s} s in vain for {said}")
        time.sleep(every_s)


def stop(process, signum=signal.SIGTERM, deadline_s=DEADLINE_S):
    """Ends a Popen of ours by its id; kills and complains when it does not end."""
    if process.poll() is None:
        process.send_signal(signum)
    try:
        return process.wait(deadline_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"{process.args} did not end within {deadline_s} s of {signum!r}") from None


def temp_dir(prefix="t"):
    """A folder under the session's (conftest.py sets TMPDIR); whoever asks removes it."""
    return pathlib.Path(tempfile.mkdtemp(prefix=f"ng-{prefix}-"))


@contextlib.contextmanager
def for_everybody():
    """A copy of the sensor's programs and plugins that any user can run: the build folder may lie where
    only its owner can go."""
    folder = temp_dir("open")
    try:
        folder.chmod(0o755)
        shutil.copytree(BUILD / "plugins", folder / "plugins")
        for name in ("net-gazer", "analyzer", "forwarder", "prober", "replay", "trace"):
            shutil.copy(program(name), folder)
        yield folder
    finally:
        shutil.rmtree(folder)


def free_port():
    """Of 127.0.0.1, and below those that the kernel gives to connections: it is still free when it is used, even if that
    is late.  Sessions of the same moment begin elsewhere."""
    for n in _ports:
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port := 12000 + n % 20000))
            return port


def processes(pid):
    """pid and everything below it, as {pid: name of its program's file}; gone ones are left out.

    Not the kernel's `comm`: before Linux 6.14 fexecve() made that the descriptor's number."""
    parents, names = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = pathlib.Path("/proc", entry, "stat").read_text()
        except OSError:
            continue
        name, rest = stat[stat.index("(") + 1:].rsplit(")", 1)
        state, parent = rest.split()[:2]
        if state in "ZX":
            continue
        with contextlib.suppress(OSError):
            name = os.path.basename(os.readlink(f"/proc/{entry}/exe"))
        parents[int(entry)], names[int(entry)] = int(parent), name
    found = {}
    for p in parents:
        q = p
        while q and q != pid:
            q = parents.get(q, 0)
        if q == pid:
            found[p] = names[p]
    return found


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def pss_kib(pids):
    """Proportional set size of the processes together."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    return total


def compile_c(source, output, *flags):
    """A helper program of the tests, or a plugin; warnings show, errors fail."""
    cc = os.environ.get("CC", "cc")
    done = subprocess.run([cc, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", str(output), str(source), *flags],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{source}:\n{done.stderr}"
    return output


def _nflog():
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as s:
            s.bind((0, 0))
        return pathlib.Path("/proc/net/netfilter/nfnetlink_log").exists()
    except OSError:
        return False


def _landlock():
    # landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION), the same number everywhere
    import ctypes
    return ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1) > 0


def _nft_owner():
    rules = "table inet ng_probe { flags owner; }\n"
    name = f"ngt{os.getpid()}-probe"
    if not shutil.which("nft") or subprocess.run(["ip", "netns", "add", name], check=False).returncode:
        return False
    try:
        done = subprocess.run(["nsenter", f"--net=/run/netns/{name}", "nft", "-f", "-"], input=rules, text=True,
                              capture_output=True, check=False)
        return done.returncode == 0
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


def _ipv6():
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close()
        return True
    except OSError as e:
        return e.errno != errno.EAFNOSUPPORT


FEATURES = {"NFLOG": _nflog, "Landlock": _landlock, "nft owner flag": _nft_owner, "IPv6": _ipv6}
_known = {}


def has_kernel(feature):
    if feature not in _known:
        _known[feature] = FEATURES[feature]()
    return _known[feature]


def lacking():
    """The features that were asked for and are not there."""
    return [feature for feature, there in _known.items() if not there]


def needs_kernel(feature):
    """The only way to skip a test: the running kernel lacks something, and which is said."""
    import pytest
    if not has_kernel(feature):
        pytest.skip(f"kernel lacks {feature}")
