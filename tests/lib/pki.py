# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates for tests: two authorities, and leaves that are good, expired, of another host, of another authority,
self-signed."""
import base64
import hashlib
import ssl
import subprocess

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
HERE = "DNS:localhost,IP:127.0.0.1"


def openssl(*argv, cwd):
    done = subprocess.run(["openssl", *argv], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def leaf(d, name, san, ca="ca", dates=("20200101000000Z", "20600101000000Z")):
    """name.pem and name.key, signed by ca.key."""
    openssl("req", "-new", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}", cwd=d)
    (d / "ext").write_text(f"subjectAltName={san}\n", encoding="ascii")
    (d / f"{ca}.idx").write_text("", encoding="ascii")
    (d / "cnf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={ca}.idx\nnew_certs_dir=.\ndefault_md=sha256\n"
                           "policy=p\nrand_serial=yes\n[p]\ncommonName=supplied\n", encoding="ascii")
    openssl("ca", "-batch", "-config", "cnf", "-cert", f"{ca}.pem", "-keyfile", f"{ca}.key", "-in", f"{name}.csr",
            "-out", f"{name}.pem", "-startdate", dates[0], "-enddate", dates[1], "-extfile", "ext", "-notext", cwd=d)


def self_signed(d, name, subject, *more):
    openssl("req", "-x509", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "3650", "-subj", f"/CN={subject}",
            *more, cwd=d)


def make(d):
    for ca in ("ca", "other"):
        self_signed(d, ca, ca)
    leaf(d, "good", HERE)
    leaf(d, "expired", HERE, dates=("20200101000000Z", "20210101000000Z"))
    leaf(d, "elsewhere", "DNS:collector.example")
    leaf(d, "unknown", HERE, ca="other")
    self_signed(d, "self", "localhost", "-addext", f"subjectAltName={HERE}")
    return d


def context(d, name):
    """For a server that shows this leaf."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(d / f"{name}.pem", d / f"{name}.key")
    return c


def asking(d):
    """For a server that wants to see a certificate of ours."""
    c = context(d, "good")
    c.verify_mode = ssl.CERT_REQUIRED
    c.load_verify_locations(d / "ca.pem")
    return c


def pin(d, name):
    """Of a leaf's public key, as curl has it."""
    der = subprocess.run(f"openssl x509 -in {name}.pem -noout -pubkey | openssl pkey -pubin -outform der", cwd=d,
                         shell=True, capture_output=True, check=True).stdout
    return "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode()
