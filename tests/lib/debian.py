# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/DEBIAN.md as tests see it: its commands, its table of rules, and commands that no test would run."""
import re
import shutil
import typing

from lib import ng

PAGE = ng.TOP / "docs/DEBIAN.md"
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)
# Where a block is for: none, the machine that has the packages.
PLACES = {"sh": "machine", "sh build": "build", "sh desk": "desk"}
OURS = {"net-gazer", "net-gazerctl", "net-gazer-collector"}


class Command(typing.NamedTuple):
    where: str
    text: str


def split(block):
    """Commands of a block: a line each, but for what a backslash or a here-document goes on with."""
    lines = iter(block.splitlines())
    for line in lines:
        while line.endswith("\\"):
            line += "\n" + next(lines)
        if m := re.search(r"<<'(\w+)'$", line):
            while not line.endswith(f"\n{m[1]}"):
                line += "\n" + next(lines)
        if line:
            yield line


def commands(text=None):
    text = PAGE.read_text(encoding="utf-8") if text is None else text
    return [Command(PLACES[kind], line) for kind, block in BLOCK.findall(text) for line in split(block)]


def rows(text=None):
    """What happens, in the table of who owns the rules: its first column, without marks."""
    text = PAGE.read_text(encoding="utf-8") if text is None else text
    table = text.split("| what happens |")[1].split("\n\n")[0].splitlines()[2:]
    return [line.split("|")[1].strip().replace("`", "") for line in table]


def is_command(span):
    first = span.removeprefix("sudo ").split()
    return len(first) > 1 and (first[0] in OURS or shutil.which(first[0], path="/usr/sbin:/usr/bin:/sbin:/bin") is not None)


def outside(text, run_elsewhere=""):
    """Commands that stand where no test takes them from: indented, in a block of another kind, or within a sentence (unless a
    block, or a script that is run, has the same)."""
    known = "\n".join(c.text for c in commands(text)) + run_elsewhere
    rest = BLOCK.sub("", text)
    found = [line for line in rest.splitlines() if re.match(r"( {4}|\t)\S", line)]
    return found + [span for span in re.findall(r"`([^`\n]+)`", rest) if is_command(span) and span not in known]
