# SPDX-License-Identifier: GPL-2.0-or-later
"""What the forwarder may do, what it holds, what it costs."""
import os
import pathlib
import subprocess
import sys
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
    """uid nobody, no capability, the resolver's thread and all; executed through a descriptor."""
    with Collector() as c:
        settings = os.memfd_create("settings", 0)
        os.write(settings, f"url=http://localhost:{c.port}\nsensor=r1\nboot=9f1c2ab0\n".encode())
        os.lseek(settings, 0, os.SEEK_SET)
        program = os.open(ng.program("forwarder"), os.O_RDONLY)
        wrap = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all",
                "--inh-caps=-all", "--no-new-privs", f"/proc/self/fd/{program}", "-f", f"/proc/self/fd/{settings}"]
        p = subprocess.run(wrap, input=lines(10), capture_output=True, pass_fds=[settings, program], env={},
                           timeout=ng.DEADLINE_S, check=False)
        os.close(settings)
        os.close(program)
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


MUTE = """
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
s.set_inheritable(True)  # open, and never read: every question is swallowed
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_resolver_that_does_not_answer_blocks_nobody(tmp_path):
    """libcurl's thread waits 150 s for the name server; the pipe does not, neither does the end."""
    for name, text in (("resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n"),
                       ("hosts", "127.0.0.1 localhost\n"), ("nsswitch.conf", "hosts: files dns\n")):
        (tmp_path / name).write_text(text)
    script = f'for f in resolv.conf hosts nsswitch.conf; do mount --bind {tmp_path}/$f "$(readlink -f /etc/$f)"; done; ' \
             'ip link set lo up && exec "$@"'
    wrap = ["unshare", "--mount", "--net", "sh", "-ec", script, "sh", sys.executable, "-c", MUTE]
    with Forwarder("http://collector.example:9", wrap=wrap) as f:
        f.feed(lines(1))
        ng.wait_for(f.log, lambda: "Resolving timed out" in f.log(), deadline_s=60)
        writer = threading.Thread(target=f.feed, args=(lines(100000, start=2),))
        writer.start()
        writer.join(ng.DEADLINE_S)
        assert not writer.is_alive(), "the pipe is not read"
        counters = f.end()
        assert counters["received"] == 100001 and counters["dropped"] > 0


def post(f, c, posts):
    """One report, one post, until there have been so many; its anonymous memory in KiB."""
    while len(c.posts) < posts:
        want = len(c.posts) + 1
        f.feed(lines(1, start=want))
        ng.wait_for(f.log, lambda: len(c.stored) >= want, every_s=0.0005)
    return int(status_of(f)["RssAnon"].split()[0])


def test_memory_stays_after_many_posts():
    with Collector() as c, Forwarder(f"http://127.0.0.1:{c.port}", batch_lines=1) as f:
        early = post(f, c, 100)
        late = post(f, c, 2000)
        pss = ng.pss_kib([f.process.pid])
        f.end()
        assert late <= early + 64, f"{early} KiB after 100 posts, {late} KiB after 2000"
        assert pss < 4096, pss
