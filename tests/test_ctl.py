# SPDX-License-Identifier: GPL-2.0-or-later
"""net-gazerctl's command line: what it says without asking anybody, and its manual against its table."""
import re
import subprocess

import pytest

from lib import ng

PAGE = ng.TOP / "docs/man/net-gazerctl.8"


def ctl(*arguments):
    return subprocess.run([ng.program("net-gazerctl"), *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_help_and_version():
    done = ctl("--help")
    assert (done.returncode, done.stderr) == (0, "") and "trace" in done.stdout and done.stdout.startswith("usage: ")
    assert ctl("-h").stdout == done.stdout
    done = ctl("--version")
    assert done.returncode == 0 and re.fullmatch(r"net-gazerctl \d+\.\d+\.\d+\n", done.stdout)
    done = ctl("trace", "--help")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("usage: net-gazerctl trace ")
    assert max(map(len, done.stdout.splitlines())) < 120


@pytest.mark.parametrize("arguments, why", (((), "a command is missing"), (("frob",), "frob: no such command"),
                                            (("trace",), "a HOST is missing"), (("trace", "--frob"), "--frob: unknown option")))
def test_wrong(arguments, why):
    done = ctl(*arguments)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert why in done.stderr and "--help" in done.stderr, done


def test_page_has_every_option():
    rows = [line.split("\t") for line in ctl("trace", "--options").stdout.splitlines()]
    assert rows and all(len(r) == 4 for r in rows), rows
    source = PAGE.read_text(encoding="utf-8")
    items = re.findall(r"^\.It Fl (\w)(?: Ar \w+)? , Fl -([a-z0-9-]+)(?: Ar (\w+))?\n((?:(?!\.It|\.El).*\n)*)", source, re.M)
    assert [name for _, name, _, _ in items] == sorted((r[0] for r in rows), key=[i[1] for i in items].index)
    shown = ctl("trace", "--help").stdout
    for name, kind, default, text in rows:
        letter, _, argument, paragraph = next(i for i in items if i[1] == name)
        assert bool(argument) == (kind != "flag"), name
        assert f"-{letter}, --{name}" in shown and text in shown, name
        if kind == "int":
            assert re.search(rf"\b{default}\b", paragraph), f"{name}: default {default}"


def test_page_has_every_command():
    """A heading for each that the help names and the synopsis shows."""
    source = PAGE.read_text(encoding="utf-8")
    synopsis = re.findall(r"^\.Cm (\w+)", source.split(".Sh SYNOPSIS\n")[1].split(".Sh ")[0], re.M)
    assert sorted(synopsis) == sorted(re.findall(r"^\.Ss (\w+)", source.split(".Sh DESCRIPTION\n")[1].split(".Sh ")[0], re.M))
    shown = ctl("--help").stdout
    assert len(synopsis) == 8 and all(re.search(rf"^\W+(?:net-gazerctl )?{name}\b", shown, re.M) for name in synopsis), shown
