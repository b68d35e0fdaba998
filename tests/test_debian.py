# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be said of the Debian packages without building them; tests/portability has the rest."""
import re

import pytest

from lib import debian, ng

SCRIPT = ng.TOP / "tests/portability/vm-systemd.sh"


def test_each_command_of_the_document_is_run():
    text = debian.PAGE.read_text(encoding="utf-8")
    assert len(debian.commands(text)) > 40
    assert debian.outside(text, SCRIPT.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("line", ["    systemctl stop net-gazer", "Say `systemctl stop net-gazer` first.", "Then `sudo net-gazer --help`."])
def test_a_command_outside_is_found(line):
    """The test above can fail."""
    assert debian.outside(f"# Title\n\n{line}\n\n```sh\ntrue\n```\n") == [line.strip("\n") if line.startswith(" ") else line.split("`")[1]]
    assert debian.outside("With `rules = own` and `days`, see `/etc`.\n\n```sh\nnft list ruleset\n```\n\n`nft list ruleset` is it.\n") == []


def test_a_block_of_another_kind():
    with pytest.raises(KeyError):
        debian.commands("```shell\nreboot\n```\n")


def test_commands_of_several_lines():
    text = "```sh\na \\\n\tb\ntee x <<'END'\none\nEND\nc\n```\n\n```sh build\nmake deb\n```\n"
    assert debian.commands(text) == [("machine", "a \\\n\tb"), ("machine", "tee x <<'END'\none\nEND"), ("machine", "c"), ("build", "make deb")]


def test_each_row_of_the_table_is_tried():
    """In each of its three columns; that the tries succeed is seen in the machine."""
    text, rows = SCRIPT.read_text(encoding="utf-8"), debian.rows()
    columns = re.split(r"^column=", text, flags=re.M)[1:]
    assert [c.split()[0] for c in columns] == ["own", "helper", "line"]
    for column in columns:
        assert sorted(re.findall(r'^row "([^"]+)"', column, re.M)) == sorted(rows)
