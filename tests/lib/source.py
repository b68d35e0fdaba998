# SPDX-License-Identifier: GPL-2.0-or-later
"""A copy of this source, in a git repository of its own: what somebody has who builds net-gazer, to be built, cleaned and packed by tests."""
import os
import shutil
import subprocess

from lib import ng


def copy(folder):
    """Everything as it is now, committed."""
    shutil.copytree(ng.TOP, folder, symlinks=True, ignore=shutil.ignore_patterns(".git", "build", ng.BUILD.name, "node_modules", "__pycache__"))
    for argv in (("init", "-q"), ("add", "-A"), ("-c", "user.name=x", "-c", "user.email=x@x.example", "commit", "-q", "-m", "all")):
        subprocess.run(["git", *argv], cwd=folder, check=True)
    return folder


def make(folder, *argv):
    """The finished make, which knows nothing of one that runs the tests."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in ("MFLAGS", "O", "PORTABILITY")}
    return subprocess.run(["make", "-s", "-C", folder, *argv], env=environment, capture_output=True, text=True, check=False)
