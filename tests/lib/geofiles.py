# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of tests/geo from npm's lock file, in the build folder; of other folders with a lock file, too."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

HERE = pathlib.Path(__file__).resolve().parent.parent / "geo"
COUNTRY = "@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb"
ASN = ("@ip-location-db/asn/asn-ipv4.csv", "@ip-location-db/asn/asn-ipv6.csv")


class Unavailable(Exception):
    """npm does not give them; its words."""


_npm = []  # that runs


def stop():
    """Ends an npm that another thread waits for."""
    for p in _npm:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGKILL)


def _install(folder):
    """npm's words; "": well done."""
    argv = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    with subprocess.Popen(argv, cwd=folder, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True) as p:
        _npm.append(p)
        try:
            said, _ = p.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            said = "no answer within 300 s"
        finally:
            _npm.remove(p)
    return said or f"status {p.returncode}" if p.returncode else ""


def installed(build, here=HERE):
    """The folder node_modules that has them."""
    folder = build / f"npm-{here.name}"
    stamp = folder / "node_modules/.stamp"
    lock = (here / "package-lock.json").read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == lock:
        return folder / "node_modules"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(here / name, folder / name)
    for last in (False, False, True):
        try:
            said = _install(folder)
        except OSError as e:
            raise Unavailable(str(e)) from e
        if not said:
            break
        if last or "SIGKILL" in said or "status -9" in said:
            raise Unavailable(f"npm ci in {folder}: {said}")
    stamp.write_text(lock, encoding="utf-8")
    return folder / "node_modules"


def imports(build, database):
    """The two commands that bring them into a database."""
    modules = installed(build)
    for files in ((COUNTRY,), ASN):
        yield [build / "net-gazer-collector", "geo", "import", "-c", "/dev/null", "--database", database, "--libexec-dir", build,
               *(modules / f for f in files)]
