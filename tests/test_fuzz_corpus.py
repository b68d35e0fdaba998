# SPDX-License-Identifier: GPL-2.0-or-later
"""Each fuzz target under ASan and UBSan: its whole corpus once, then three seconds of new inputs."""
import re
import subprocess

import pytest

from lib import ng

NAMES = sorted(p.stem for p in (ng.TOP / "tests/fuzz").glob("*.c"))


def test_there_are_targets():
    assert NAMES


def run(name, *arguments):
    done = subprocess.run([ng.program(f"fuzz/{name}"), "-timeout=20", "-rss_limit_mb=1024", *arguments], cwd=ng.TOP,
                          capture_output=True, text=True, errors="replace", timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-20000:]
    return done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_corpus(name, tmp_path):
    corpus = ng.TOP / "tests/fuzz/corpus" / name
    seeds = sorted(p for p in corpus.glob("*") if p.is_file())
    assert seeds, f"{corpus} holds no input"
    # Named one by one, each is run once and all count; a folder would be "minimised" while reading.
    said = run(name, f"-artifact_prefix={tmp_path}/", *seeds)
    ran = len(re.findall(r"^Executed ", said, re.M))
    assert ran == len(seeds), said[-5000:]
    new = tmp_path / "new"
    new.mkdir()
    said = run(name, "-max_total_time=3", "-print_final_stats=1", f"-artifact_prefix={tmp_path}/", new, corpus)
    units = int(re.search(r"number_of_executed_units: (\d+)", said).group(1))
    print(f"{name}: {len(seeds)} inputs of the corpus, then {units} new ones")
    assert units > len(seeds), said[-5000:]
