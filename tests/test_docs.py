# SPDX-License-Identifier: GPL-2.0-or-later
"""The option tables of the programs against man pages and sample configurations: none may name an
option, a default or a range that is not there, none may leave one out."""
import json
import re
import subprocess

import pytest

from lib import ng

MAN = ng.TOP / "docs/man"


def options(name):
    """{option: (type, default, help)} as `PROGRAM --options` has them."""
    done = subprocess.run([ng.program(name), "--options"], capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert rows and all(len(r) == 4 for r in rows), rows
    return {r[0]: r[1:] for r in rows}


def plain(page):
    """A man page as text, without overstrikes and line breaks."""
    done = subprocess.run(["mandoc", "-Tutf8", page], capture_output=True, text=True, check=True)
    return " ".join(re.sub(".\b", "", done.stdout).split())


def items(page):
    """What the page's source lists as `.It Cm NAME`."""
    return re.findall(r"^\.It Cm ([a-z-]+)", page.read_text(encoding="utf-8"), re.M)


@pytest.mark.parametrize("page", sorted(p.name for p in MAN.iterdir()))
def test_man_pages_are_clean(page):
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", MAN / page], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stdout, done.stdout


def plugin_options(tmp_path):
    """{plugin: {option: (type, min, max, default)}} as the analyzer describes those of the tree."""
    found = {}
    for plugin in sorted((ng.BUILD / "plugins").glob("*.so")):
        settings = tmp_path / "settings"
        settings.write_text(f"plugin=7 {plugin}\n", encoding="ascii")
        done = subprocess.run(["sh", "-c", f'exec "{ng.program("analyzer")}" --describe 3<"{settings}" 7<"{plugin}"'],
                              capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines()
        assert lines[0].startswith("plugin "), done.stdout + done.stderr
        section = found.setdefault(lines[0].split()[1], {})
        for line in lines[1:]:
            _, name, kind, low, high, default = line.split("\t")[0].split(" ", 5)
            section[name] = (kind, low, high, default)
    return found


def test_conf_page_has_every_option(tmp_path):
    table = options("net-gazer")
    listed = items(MAN / "net-gazer.conf.5")
    plugins = [p.stem for p in (ng.TOP / "plugins").glob("*.c")]
    assert sorted(set(listed) - set(plugins)) == sorted(table), "the page's options are those of the table"
    assert sorted(set(listed) - set(table)) == sorted(plugins), "each plugin of the tree has its paragraph"
    assert len(listed) == len(set(listed))
    text = plain(MAN / "net-gazer.conf.5")
    for name, (kind, default, _) in table.items():
        if kind == "int":
            paragraph = text.split(f" {name} ")
            assert any(re.search(rf"\b{default}\b", p[:900]) for p in paragraph[1:]), f"{name}: default {default}"
    for name, section in plugin_options(tmp_path).items():
        source = (MAN / "net-gazer.conf.5").read_text(encoding="utf-8")
        paragraph = re.split(r"^\.It ", source.split(f".It Cm {name}\n")[1], flags=re.M)[0]
        named = re.findall(r"^\.Cm ([a-z-]+) :", paragraph, re.M)
        assert sorted(named) == sorted(section), name
        for option, (kind, low, high, default) in section.items():
            said = paragraph.split(f".Cm {option} :")[1].split(".Cm ")[0]
            assert re.search(rf"\b{re.escape(default)}\b", said), f"{name} {option}: default {default}"
            if kind == "int":
                assert f"{low} to {high}" in said, f"{name} {option}: {low} to {high}"


def test_sample_names_every_option(tmp_path):
    """Each line of the sample is a comment in words, or an option at its default."""
    table, sections = options("net-gazer"), plugin_options(tmp_path)
    text = (ng.TOP / "etc/net-gazer.conf").read_text(encoding="ascii")
    section, seen = None, set()
    for line in text.splitlines():
        line = line.removeprefix("#")
        if line.startswith(" ") or not line:
            continue
        if m := re.fullmatch(r"([a-z-]+) \{", line):
            section = m[1]
            assert section in sections
        elif line == "}":
            assert {o for s, o in seen if s == section} == set(sections[section]), f"{section} is not whole"
            section = None
        else:
            m = re.fullmatch(r"\t?([a-z-]+) = (.+)", line)
            assert m, f"neither words nor an option: {line}"
            name, value = m[1], m[2].strip('"')
            assert (section, name) not in seen, f"{name} twice"
            seen.add((section, name))
            if section:
                assert value == sections[section][name][3], name
            elif table[name][0] == "list" and table[name][1]:
                assert ",".join(json.loads(f"[{m[2].strip('{}')}]")) == table[name][1], name
            elif table[name][1] and name not in ("rules", "plugin-dir", "libexec-dir"):
                assert value == table[name][1], name
    missing = set(table) - {name for _, name in seen}
    assert missing == {"config", "replay"}, missing
    for name in missing:
        assert re.search(rf"^# .*\b{name}\b", text, re.M)
    assert "handshake" in {s for s, _ in seen} and "attempts" in {s for s, _ in seen}


def test_sample_is_good(tmp_path):
    """As it is, and with every comment mark in front of an option taken away."""
    sample = (ng.TOP / "etc/net-gazer.conf").read_text(encoding="ascii")
    every = re.sub(r"^#(?=[a-z}\t])", "", sample, flags=re.M)
    assert every.count("\n") == sample.count("\n") and "\n}" in every
    # What this machine does not have.
    every = re.sub(r"^(user|collector-.*-file|spool-dir|plugin-dir|libexec-dir) =.*\n", "", every, flags=re.M)
    for n, text in enumerate((sample, every)):
        path = tmp_path / f"{n}.conf"
        path.write_text(text, encoding="ascii")
        done = subprocess.run([ng.program("net-gazer"), "-n", "-c", path, "--libexec-dir", ng.BUILD, "--plugin-dir",
                               ng.BUILD / "plugins"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"configuration OK: {path}\n"


def test_help_and_page_have_every_switch():
    done = subprocess.run([ng.program("net-gazer"), "--help"], capture_output=True, text=True, check=True)
    for name in options("net-gazer"):
        assert f"--{name} " in done.stdout
    text = plain(MAN / "net-gazer.8")
    for switch in ("-c", "-i", "-r", "-n", "-v", "-h", "-V", "--options", "NG_CONFIG", "NG_IFACE", "SIGHUP", "SIGTERM"):
        assert switch in text and (switch in done.stdout or switch.startswith("SIG")), switch


def test_version():
    version = re.search(r"^VERSION\s*:=\s*(\S+)", (ng.TOP / "Makefile").read_text(encoding="utf-8"), re.M)[1]
    done = subprocess.run([ng.program("net-gazer"), "-V"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"net-gazer {version} ")
