# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates of an authority that the test made, with openssl(1)."""
import ipaddress
import subprocess


def openssl(*argv):
    done = subprocess.run(["openssl", *map(str, argv)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"openssl {argv}: {done.stderr}"
    return done.stdout


class Authority:
    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.cert, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.key, "-out", self.cert,
                "-days", "30", "-subj", f"/CN={name}")

    def issue(self, cn, names=(), days=30):
        """(certificate, key) for a CN and names or addresses."""
        stem = f"{self.name}-{cn}".replace("/", "_")
        cert, key, request, more = (self.folder / f"{stem}.{end}" for end in ("pem", "key", "csr", "ext"))
        alt = []
        for name in names:
            try:
                alt.append(f"IP:{ipaddress.ip_address(name)}")
            except ValueError:
                alt.append(f"DNS:{name}")
        more.write_text(f"subjectAltName={','.join(alt)}\n" if alt else "basicConstraints=CA:FALSE\n", encoding="ascii")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={cn}")
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", days, "-out", cert, "-extfile", more)
        key.chmod(0o600)
        return cert, key
