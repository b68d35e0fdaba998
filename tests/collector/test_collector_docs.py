# SPDX-License-Identifier: GPL-2.0-or-later
"""The collector's option table against its man page and sample configuration; the examples of docs/API.md, run."""
import json
import re
import subprocess

import pytest

from lib import ng, tls
from lib.collector import Collector

PAGE = ng.TOP / "docs/man/net-gazer-collector.8"
SAMPLE = ng.TOP / "etc/net-gazer-collector.conf"


def run(*argv, **kw):
    return subprocess.run([ng.program("net-gazer-collector"), *argv], capture_output=True, text=True, check=False, timeout=60, **kw)


@pytest.fixture(scope="module")
def options():
    rows = [line.split("\t") for line in run("--options").stdout.splitlines()]
    assert len(rows) > 10 and all(len(r) == 4 and r[1] in ("bool", "int", "str", "list") and r[3] for r in rows), rows
    return {r[0]: r[1:] for r in rows}


def limits(name):
    """What a wrong number is answered with: (lowest, highest)."""
    said = run("-c", "/dev/null", f"--{name}", "-1").stderr
    return re.search(r"must be a number from (-?\d+) to (\d+)", said).groups()


def test_page_has_every_option(options):
    source = PAGE.read_text(encoding="ascii")
    config = source.split(".Ss Configuration")[1].split(".Ss Retention")[0]
    paragraphs = re.split(r"^\.It Cm ", config, flags=re.M)[1:]
    assert [p.split("\n")[0] for p in paragraphs] == list(options), "the same, in the same order"
    for paragraph, (name, (kind, default, _)) in zip(paragraphs, options.items()):
        if default:
            assert re.search(rf"(?<![\w.]){re.escape(default)}\b", paragraph), f"{name}: default {default}"
        if kind == "int":
            low, high = limits(name)
            assert f"{low} to {high}" in paragraph or name == "verbose", f"{name}: {low} to {high}"
    text = " ".join(re.sub(".\b", "", subprocess.run(["mandoc", "-Tutf8", PAGE], capture_output=True, text=True, check=True).stdout).split())
    switches = run("--help").stdout
    for switch in ("-c", "-n", "-v", "-h", "-V", "--options", "--validate"):
        assert switch in text and switch in switches, switch
    for name in options:
        assert f"--{name} " in switches
        assert "{NG_COLLECTOR_" + name.upper().replace("-", "_") + "}" in switches, "each has its variable, as the page says"


def test_sample(options, tmp_path):
    text, seen = SAMPLE.read_text(encoding="ascii"), []
    for line in text.splitlines():
        if not line or line.startswith("# "):
            continue
        m = re.fullmatch(r"#([a-z-]+) = (.+)", line)
        assert m, f"neither words nor an option at its default: {line}"
        seen.append(m[1])
        kind, default, _ = options[m[1]]
        if kind != "list" and default:
            assert m[2].strip('"') == default, m[1]
    assert sorted(seen + ["config"]) == sorted(options)
    every = re.sub(r"^#(?! )", "", text, flags=re.M)
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n", encoding="ascii")
    token.chmod(0o600)
    cert, key = tls.Authority(tmp_path).issue("collector", ["127.0.0.1"])
    for name, path in (("token-file", token), ("tls-cert", cert), ("tls-key", key), ("client-ca", cert)):
        every = re.sub(rf"(?<=^{name} = ).*", f'"{path}"', every, flags=re.M)
    for n, content in enumerate((text, every)):
        path = tmp_path / f"{n}.conf"
        path.write_text(content, encoding="ascii")
        done = run("-n", "-c", path)
        assert (done.returncode, done.stdout) == (0, f"configuration OK: {path}\n"), done.stderr


def shape(value):
    """The value with everything that differs from run to run blanked."""
    if isinstance(value, dict):
        return {k: "?" if k in ("rx_ts", "ts", "first_rx", "last_rx", "last_ts", "first_ts", "changed_ts", "from_ts", "until_ts", "t", "stat_age_s", "up_s", "bytes", "rollup_bytes", "day",
                                "version", "connections", "looked", "code", "token", "csrf", "line", "expires_ts", "enrolled_ts") else shape(v) for k, v in value.items()}
    return [shape(v) for v in value] if isinstance(value, list) else value


def test_api_examples(tmp_path):
    text = (ng.TOP / "docs/API.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```sh\n(.*?)^```\n^```(json|events)\n(.*?)^```", text, re.M | re.S)
    assert len(examples) == text.count("```sh") >= 9
    with Collector(tmp_path) as c:
        for command, kind, expected in examples:
            command = command.replace("127.0.0.1:8080", f"127.0.0.1:{c.port}")
            if "/health" in command:
                ng.wait_for("the stream of the last example to be gone", lambda: c.get("/health")["streams"] == 0)
            said = subprocess.run(["sh", "-ec", command], capture_output=True, text=True, check=True, timeout=60).stdout
            if kind == "events":
                dates = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
                assert dates.sub("?", said) == dates.sub("?", expected), command
                continue
            got, wanted = json.loads(said), json.loads(expected)
            # The minute may have turned since the first example.
            if "window_s=60" in command and not (got["conns"] if "conns" in got else got["ports"]):
                continue
            assert shape(got) == shape(wanted), command
            assert list(got) == list(wanted)
        for path in set(re.findall(r"`(?:GET )?(/[a-z][^\s`]*)`", text)) - {"/v1/reports", "/events"}:
            assert c.request("GET", path)[0] == 200, path
