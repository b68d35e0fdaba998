# SPDX-License-Identifier: GPL-2.0-or-later
"""The quick checks of .ci/lint; and that each of them finds what it is there for, in a small tree
with one fault of each kind."""
import os
import subprocess

import pytest

from lib import ng

LINT = ng.TOP / ".ci/lint"
QUICK = ["headers", "plugin-header", "include-direction", "exports", "forbidden", "hardening", "man-pages", "shell"]


def lint(lint_path, build, *arguments):
    p = subprocess.run([lint_path, *arguments], env={**os.environ, "O": str(build), "VERSION": "0"}, capture_output=True,
                       text=True, check=False)
    return p.returncode, p.stdout + p.stderr


def test_every_quick_check_is_here():
    code, said = lint(LINT, ng.BUILD, "no-such-check")
    assert code == 1
    slow = {"gcc-analyzer", "clang-tidy", "cppcheck"}
    assert set(said.split("there are ")[1].split()) == set(QUICK) | slow


@pytest.mark.parametrize("check", QUICK)
def test_lint(check):
    code, said = lint(LINT, ng.BUILD, check)
    assert code == 0, said
    assert said.startswith("ok  ")


FAULTS = {
    "headers": ["src/lib/alone.h: "],
    "plugin-header": ["src/plugin.h with c++ -std=c++11"],
    "include-direction": ["src/lib/up.c:1: src/lib must not include src/analyzer/stage.h",
                          "src/analyzer/stage.c:2: src/analyzer must not include src/sensor/other.h",
                          "plugins/bad.c:1: src/plugins must not include src/lib/fine.h",
                          "in a circle: analyzer/a -> analyzer/b -> analyzer/a"],
    "exports": ["src/lib/up.c exports elsewhere, not up_*", "src/lib/yajl.c: yajl_free would be called",
                "bad.so exports also ng_plugin_1, not ng_plugin_1 alone"],
    "forbidden": ["src/lib/up.c:4: strcpy()", "forwarder calls system()"],
    "hardening": [f"forwarder: {what}" for what in ("not position-independent", "no BIND_NOW", "an executable stack",
                                                   "an RPATH", "no stack canary", "nothing fortified")],
    "man-pages": ["docs/man/x.8"],
    "shell": ["tests/script:2:"],
}
FILES = {
    "src/lib/alone.h": "static inline size_t alone(void) { return 0; }\n",
    "src/lib/fine.h": "#ifndef F\n#define F\n#endif\n",
    "src/lib/up.c": '#include "analyzer/stage.h"\n#include <string.h>\n/* strcpy() here is no call */ void elsewhere(char *p);\n'
                    'void elsewhere(char *p) { strcpy(p, "strcpy()"); }\n',
    "src/lib/yajl.c": "void yajl_free(void);\nvoid yajl_free(void) { }\n",
    "src/analyzer/stage.h": "#ifndef S\n#define S\n#endif\n",
    "src/analyzer/stage.c": '#include "stage.h"\n#include "sensor/other.h"\nint stage_x;\n',
    "src/analyzer/a.c": '#include "b.h"\nint a_x;\n',
    "src/analyzer/a.h": '#ifndef A\n#define A\n#endif\n',
    "src/analyzer/b.h": '#ifndef B\n#define B\n#include "a.h"\n#endif\n',
    "src/sensor/other.h": "#ifndef T\n#define T\n#endif\n",
    "src/plugin.h": "static int class;\n",
    "plugins/bad.c": '#include "lib/fine.h"\n#include "plugin.h"\n__attribute__((visibility("default"))) int ng_plugin_1, also;\n',
    "docs/man/x.8": ".Dd today\n.Nm x\n",
    "tests/script": "#!/bin/sh\nrm -r $1/*\n",
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """The tree above, built as badly as it reads."""
    top = tmp_path_factory.mktemp("faulty")
    for name, text in FILES.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    (top / ".ci").mkdir()
    (top / ".ci/lint").write_bytes(LINT.read_bytes())
    (top / ".ci/lint").chmod(0o755)
    build = top / "o"
    for source in top.glob("src/*/*.c"):
        target = build / "obj" / source.parent.name / f"{source.stem}.o"
        target.parent.mkdir(parents=True, exist_ok=True)
        ng.compile_c(source, target, "-c", f"-I{top}/src")
    (build / "plugins").mkdir()
    ng.compile_c(top / "plugins/bad.c", build / "plugins/bad.so", "-shared", "-fPIC", "-fvisibility=hidden",
                 f"-I{top}/src", "-Wno-unused-variable")
    main = top / "main.c"
    main.write_text("#include <stdlib.h>\nint main(int c, char **v) { return c > 1 ? system(v[1]) : 0; }\n")
    for program in ("net-gazer", "net-gazerctl", "analyzer", "replay", "forwarder", "prober", "trace", "net-gazer-collector", "geo"):
        ng.compile_c(main, build / program, "-no-pie", "-fno-stack-protector", "-Wl,-z,lazy,-z,execstack,-rpath,/tmp")
    return top


@pytest.mark.parametrize("check", QUICK)
def test_faults_are_found(faulty, check):
    code, said = lint(faulty / ".ci/lint", faulty / "o", check)
    assert code == 1 and said.startswith("FAIL"), said
    for fault in FAULTS[check]:
        assert fault in said, f"{fault} is missing in:\n{said}"
