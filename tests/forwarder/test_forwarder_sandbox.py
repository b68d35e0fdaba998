# SPDX-License-Identifier: GPL-2.0-or-later
"""What the forwarder may do, what it holds, what it costs."""
import os
import pathlib
import socket
import subprocess
import threading

import pytest
import rig
from lib import ng
from rig import Collector, Forwarder, lines


def status_of(f):
    text = pathlib.Path(f"/proc/{f.process.pid}/status").read_text()
    return dict(row.split(":\t", 1) for row in text.splitlines() if ":\t" in row)


def running(f, c):
    f.feed(lines(1))
    ng.wait_for(f.log, lambda: c.stored)


def test_the_door_is_closed():
    with Collector() as c, Forwarder(f"http://localhost:{c.port}") as f:
        running(f, c)
        s = status_of(f)
        assert s["Seccomp"] == "2" and s["NoNewPrivs"] == "1"
        limits = pathlib.Path(f"/proc/{f.process.pid}/limits").read_text()
        assert "Max core file size        0                    0" in limits
        # Not dumpable: its files in /proc are root's, whoever it runs as.
        assert os.stat(f"/proc/{f.process.pid}/mem").st_uid == 0
        f.end()


def test_as_an_unprivileged_user():
    """uid nobody, no capability, the resolver's thread and all."""
    wrap = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all",
            "--inh-caps=-all", "--no-new-privs", "--"]
    with Collector() as c:
        with Forwarder(f"http://localhost:{c.port}", stdin=subprocess.PIPE) as probe:
            probe.end()
        settings = os.memfd_create("settings", 0)
        os.write(settings, f"url=http://localhost:{c.port}\nsensor=r1\nboot=9f1c2ab0\n".encode())
        os.lseek(settings, 0, os.SEEK_SET)
        dup = os.dup(settings)
        program = os.open(ng.program("forwarder"), os.O_RDONLY)
        p = subprocess.run([*wrap, f"/proc/self/fd/{program}"], input=lines(10), capture_output=True,
                           preexec_fn=lambda: os.dup2(dup, 3), close_fds=False, pass_fds=(), env={},
                           timeout=ng.DEADLINE_S, check=False)
        for fd in (settings, dup, program):
            os.close(fd)
        assert p.returncode == 0, p.stderr
        assert len(c.stored) == 10, p.stderr


FORBIDDEN = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
/* Takes the place of dl_iterate_phdr(), which the forwarder calls when its sandbox is closed, and
 * tries what a taken-over process would. */
#include <link.h>
static void try_it(const char *name, long r)
{
	dprintf(2, "tried %s: %s\n", name, r < 0 ? strerror(errno) : "it worked");
}
int dl_iterate_phdr(int (*fn)(struct dl_phdr_info *, size_t, void *), void *arg)
{
	static int done;
	if (done++)
		return 0;
	try_it("listen", listen(socket(AF_INET, SOCK_STREAM, 0), 1));
	try_it("accept", syscall(SYS_accept4, 0, NULL, NULL, 0));
	try_it("kill", syscall(SYS_kill, getppid(), 0));
	try_it("unlink", syscall(SYS_unlink, "/tmp/none"));
	try_it("rename", syscall(SYS_rename, "/tmp/none", "/tmp/none2"));
	try_it("chmod", syscall(SYS_chmod, "/tmp", 01777));
	try_it("mkdir", syscall(SYS_mkdir, "/tmp/none/none", 0700));
	try_it("setuid", syscall(SYS_setuid, 0));
	try_it("fork", syscall(SYS_vfork) == 0 ? (_exit(0), 0) : -1);
	try_it("io_uring", syscall(SYS_io_uring_setup, 1, NULL));
	return 0;
}
"""


def test_what_is_not_on_the_list_is_denied(tmp_path):
    source = tmp_path / "forbidden.c"
    source.write_text(FORBIDDEN)
    library = ng.compile_c(source, tmp_path / "forbidden.so", "-shared", "-fPIC", "-Wno-deprecated-declarations")
    with Collector() as c, Forwarder(f"http://127.0.0.1:{c.port}", env={"LD_PRELOAD": str(library)}) as f:
        f.feed(lines(3))
        assert f.end()["acknowledged"] == 3
        tried = [row for row in f.log().splitlines() if row.startswith("tried ")]
        assert len(tried) == 10, f.log()
        assert all(row.endswith("Operation not permitted") for row in tried), tried


EXECUTES = r"""
#define _GNU_SOURCE
#include <link.h>
#include <stddef.h>
#include <unistd.h>
int dl_iterate_phdr(int (*fn)(struct dl_phdr_info *, size_t, void *), void *arg)
{
	char *argv[] = { "true", NULL };
	execve("/bin/true", argv, NULL);
	return 0;
}
"""


def test_executing_a_program_kills_it(tmp_path):
    source = tmp_path / "executes.c"
    source.write_text(EXECUTES)
    library = ng.compile_c(source, tmp_path / "executes.so", "-shared", "-fPIC")
    with Collector() as c, Forwarder(f"http://127.0.0.1:{c.port}", env={"LD_PRELOAD": str(library)}) as f:
        assert f.process.wait(ng.DEADLINE_S) == -31  # SIGSYS


def token_file(tmp_path, mode):
    path = tmp_path / "token"
    path.write_text("ng1_r1_CANARY77\n")
    path.chmod(mode)
    return os.open(path, os.O_RDONLY)


def test_the_token_shows_nowhere(tmp_path):
    """Not in the log, the environment, the arguments, an open descriptor, or anybody's core."""
    fd = token_file(tmp_path, 0o600)
    with Collector(lambda number, post: rig.status(401)) as c, \
            Forwarder(f"http://127.0.0.1:{c.port}", pass_fds=[fd], token_fd=fd) as f:
        f.feed(lines(2))
        ng.wait_for(f.log, lambda: "status 401" in f.log())
        assert c.posts[0].headers["Authorization"] == "Bearer ng1_r1_CANARY77"
        proc = pathlib.Path(f"/proc/{f.process.pid}")
        assert b"CANARY77" not in (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
        assert not any("token" in os.readlink(d) for d in (proc / "fd").iterdir()), "its descriptor is still open"
        f.end()
        assert "CANARY77" not in f.log()
    os.close(fd)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_token_that_others_can_read_is_refused(tmp_path, mode):
    fd = token_file(tmp_path, mode)
    with Forwarder("http://127.0.0.1:1", pass_fds=[fd], token_fd=fd) as f:
        assert f.process.wait(ng.DEADLINE_S) == 2
        assert f"mode {mode:04o}" in f.log() and "chmod 600" in f.log() and "CANARY77" not in f.log()
    os.close(fd)


@pytest.mark.parametrize("content", [b"", b"\n", b"a b\n", b"a\nb\n", b"x" * 600])
def test_a_token_that_is_no_token_is_refused(content):
    read, write = os.pipe()
    os.write(write, content)
    os.close(write)
    with Forwarder("http://127.0.0.1:1", pass_fds=[read], token_fd=read) as f:
        os.close(read)
        assert f.process.wait(ng.DEADLINE_S) == 2 and "token" in f.log()


def test_a_resolver_that_does_not_answer_blocks_nobody(tmp_path):
    """The name server swallows every question.  libcurl's thread waits for it; the pipe does not."""
    resolv, hosts, nsswitch = tmp_path / "resolv.conf", tmp_path / "hosts", tmp_path / "nsswitch.conf"
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:2\n")
    hosts.write_text("127.0.0.1 localhost\n")
    nsswitch.write_text("hosts: files dns\n")
    script = "ip link set lo up && " + " && ".join(
        f"mount --bind {p} $(readlink -f /etc/{p.name})" for p in (resolv, hosts, nsswitch)) + \
        ' && python3 -c "import socket,time; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); ' \
        's.bind((\'127.0.0.1\',53)); print(1,flush=True); time.sleep(120)" >/dev/null & exec "$@"'
    # unshare's child is the forwarder (exec); the mute name server dies with the pid namespace.
    wrap = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh"]
    with Forwarder("http://collector.example:9", wrap=wrap, batch_ms=50) as f:
        written = 0
        for round_number in range(3):
            # The connect time-out comes after 10 s, then resending begins.
            for _ in range(30):
                f.feed(lines(1000, start=written + 1))
                written += 1000
            if round_number < 2:
                want = round_number + 1
                ng.wait_for(f.log, lambda: f.log().count("reports wait") >= 1 or want > 1, deadline_s=60)
        counters = f.end(deadline_s=60)
        assert counters["received"] == written
        assert counters["dropped"] + counters["queued"] == written
        assert "timed out" in f.log() or "Could not resolve" in f.log()


def measure(f, c, posts):
    """PSS idle and after `posts` posts, in KiB."""
    seq = 1
    f.feed(lines(1))
    ng.wait_for(f.log, lambda: len(c.posts) == 1)
    idle = ng.pss_kib([f.process.pid])
    while len(c.posts) < posts:
        seq += 1
        f.feed(lines(1, start=seq * 1000))
        want = seq
        ng.wait_for(f.log, lambda: len(c.posts) >= want, every_s=0.0002)
    return idle, ng.pss_kib([f.process.pid])


def test_memory_stays_after_many_posts():
    with Collector() as c, Forwarder(f"http://127.0.0.1:{c.port}", batch_lines=1) as f:
        _, early = measure(f, c, 100)
        _, late = measure(f, c, 2000)
        f.end()
        assert late <= early + 256, f"{early} KiB after 100 posts, {late} KiB after 2000"
        assert late < 8192
