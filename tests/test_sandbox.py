# SPDX-License-Identifier: GPL-2.0-or-later
"""The lists of system calls are strings: a space that is missing at a line's end would make one unknown name of two."""
import ctypes
import re

import pytest

from lib import ng

# Newer than the oldest libseccomp that we are built with; which passes over what it does not know.
NEWER = {"riscv_hwprobe"}
LISTS = {str(path.relative_to(ng.TOP)): text for path in sorted((ng.TOP / "src").rglob("*.c"))
         if re.search(r"priv_(cage|seccomp)\(", text := path.read_text(encoding="utf-8")) and path.name != "priv.c"}


@pytest.mark.parametrize("name", LISTS)
def test_names(name):
    """Each word is a system call, of some machine."""
    resolve = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name
    text = re.sub(r"/\*.*?\*/", "", LISTS[name], flags=re.S)
    # A definition whose value is made of literals (and, in geo, of the list before it).
    lists = re.findall(r'(?:\[\] =|#define [A-Z]+ \\\n)\s*((?:[A-Z]+ )?"[a-z](?:[^";]|"[\s\\]*")*")', text)
    words = " ".join("".join(re.findall(r'"([^"]*)"', found)) for found in lists).split()
    assert len(words) > 10, "no list was found"
    assert "exit_group" in words, "the list was not read to its end"
    unknown = [w for w in words if w not in NEWER and w != "tgkill:self" and resolve(w.encode()) == -1]
    assert not unknown
    assert max(map(len, words)) < 32, "CALL_NAME_MAX in src/lib/priv.c"
