# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of tests/geo from npm's lock file, in the build folder; of other folders with a lock file, too."""
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent.parent / "geo"
COUNTRY = "@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb"
ASN = ("@ip-location-db/asn/asn-ipv4.csv", "@ip-location-db/asn/asn-ipv6.csv")


class Unavailable(Exception):
    """npm does not give them; its words."""


def installed(build, here=HERE):
    """The folder node_modules that has them."""
    folder = build / "geofiles"
    stamp = folder / "node_modules/.stamp"
    lock = (here / "package-lock.json").read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == lock:
        return folder / "node_modules"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(here / name, folder / name)
    for last in (False, False, True):
        try:
            done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], cwd=folder, text=True,
                                  capture_output=True, timeout=300, check=False)
        except (OSError, subprocess.TimeoutExpired) as e:
            raise Unavailable(str(e)) from e
        if done.returncode == 0:
            break
        if last:
            raise Unavailable(f"npm ci in {folder}:\n{done.stdout}{done.stderr}")
    stamp.write_text(lock, encoding="utf-8")
    return folder / "node_modules"


def imports(build, database):
    """The two commands that bring them into a database."""
    modules = installed(build)
    for files in ((COUNTRY,), ASN):
        yield [build / "net-gazer-collector", "geo", "import", "-c", "/dev/null", "--database", database, "--libexec-dir", build,
               *(modules / f for f in files)]
