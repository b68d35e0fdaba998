# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may send, look and change: enrolment with the real net-gazer, tokens, quotas, certificates, logins, CSRF, rates."""
import contextlib
import http.client
import itertools
import json
import re
import signal
import sqlite3
import ssl
import subprocess
import threading
import time

import pytest

import collector_rig as rig
from lib import net, ng, tls
from lib.collector import Collector

PASSWORD = "correct horse battery"


def command(folder, *argv, given=None, ok=True):
    done = subprocess.run([str(a) for a in (ng.program("net-gazer-collector"), *argv, "-c", "/dev/null", "--database", folder / "collector/net-gazer.db")],
                          input=given, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode == 0) == ok, done.stderr
    return done.stdout if ok else done.stderr


SOURCES = (f"127.7.{n >> 8}.{n & 255}" for n in itertools.count(1))


def ask(c, method, path, body=None, address="127.0.0.1", source=None, cookie=None, csrf=None, **headers):
    """(status, JSON, headers), from this machine or over another address; as if from another machine each time, so
    that what one has tried too often does not stop the next."""
    source = source or (next(SOURCES) if address == "127.0.0.1" else address)
    h = http.client.HTTPConnection(address, c.port, timeout=30, source_address=(source, 0))
    send = {k.replace("_", "-"): v for k, v in headers.items()}
    if isinstance(body, dict):
        body, send["Content-Type"] = json.dumps(body), "application/json"
    if cookie:
        send["Cookie"] = f"net-gazer={cookie}"
    if csrf:
        send["X-CSRF-Token"] = csrf
    with contextlib.closing(h):
        h.request(method, path, body, send)
        a = h.getresponse()
        text = a.read()
        return a.status, json.loads(text) if a.headers["Content-Type"] == "application/json" else text, a.headers


def login(c, user="anna", password=PASSWORD, **kw):
    """(cookie, csrf)."""
    status, said, headers = ask(c, "POST", "/api/login", {"user": user, "password": password}, **kw)
    assert status == 200, said
    return re.match(r"net-gazer=([a-z0-9]{52});", headers["Set-Cookie"])[1], said["csrf"]


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class Guarded(Collector):
    """/health takes a login here."""
    def healthy(self):
        assert self.process.poll() is None, self.log()
        with contextlib.suppress(OSError):
            return self.request("GET", "/api/session")[0] == 200
        return False


@pytest.fixture(scope="module")
def always(tmp_path_factory):
    """A collector where everybody must log in, this machine too."""
    folder = tmp_path_factory.mktemp("always")
    (folder / "collector").mkdir()
    command(folder, "user", "add", "anna", given=PASSWORD + "\n")
    with Guarded(folder, arguments=["--login", "always"]) as c:
        yield c


# ---- enrolment ----

def enroll(*argv, env=None):
    return subprocess.run([str(a) for a in (ng.program("net-gazer"), "enroll", *argv)], capture_output=True, text=True, check=False, timeout=60, env=env)


def test_enrolment(tmp_path):
    """From the line that a person pastes to reports; once; revoked at once."""
    with Collector(tmp_path) as c:
        url, token_file, conf = f"http://127.0.0.1:{c.port}", tmp_path / "token", tmp_path / "net-gazer.conf"
        conf.write_text('iface = {"eth0"}\nsensor = "old"\ndemo {\n\tsensor = "x"\n}\n', encoding="ascii")
        conf.chmod(0o640)
        line = command(tmp_path, "enroll", "--url", url, "branch-1")
        m = re.fullmatch(rf"net-gazer enroll {re.escape(url)} ([a-z0-9]{{26}}) --write\n", line)
        files = ("--token-file", token_file, "--config", conf)

        # What cannot work is said before the code is used.
        for wrong in (f"{url[:-1]}99999", url.replace("//", "//me:secret@"), f"{url}/?a", f"{url}/#a", "http://[::1:8080"):
            done = enroll(wrong, m[1], *files)
            assert done.returncode == 1 and "the collector's address is needed, such as https://" in done.stderr, wrong
        done = enroll(url, m[1], "--token-file", tmp_path / "no/such/folder", "--config", conf, "--write")
        assert done.returncode == 1 and "No such file" in done.stderr
        done = enroll(url, m[1], "--token-file", token_file, "--config", tmp_path / "none", "--write")
        assert done.returncode == 1 and "none: No such file" in done.stderr
        done = enroll(url, m[1] + "x", *files, "--write")
        assert done.returncode == 1 and "the collector refuses (403): this code is not known" in done.stderr
        assert not token_file.exists() and not list(tmp_path.glob("*.new.*"))

        done = enroll(url, m[1], *files, "--write")
        assert done.returncode == 0, done.stderr
        assert conf.read_text() == (f'iface = {{"eth0"}}\n# before enrolment: sensor = "old"\ndemo {{\n\tsensor = "x"\n}}\nsensor = "branch-1"\n'
                                    f'collector-url = "{url}"\ncollector-token-file = "{token_file}"\n')
        assert conf.stat().st_mode & 0o777 == 0o640 and token_file.stat().st_mode & 0o777 == 0o600
        token = token_file.read_text().strip()
        assert re.fullmatch("[a-z0-9]{52}", token) and token not in done.stderr + done.stdout
        done = enroll(url, m[1], *files)
        assert done.returncode == 1 and "403" in done.stderr and token_file.read_text().strip() == token

        # The forwarder, with what was written.
        with open(token_file, "rb") as fd:
            settings = tmp_path / "settings"
            settings.write_text(f"url={url}\nsensor=branch-1\nboot=00000002\nversion=1\ntoken-fd={fd.fileno()}\n", encoding="ascii")
            done = subprocess.run([ng.program("forwarder"), "-f", settings], input=rig.ndjson([rig.conn(n, sensor="branch-1", boot="00000002") for n in range(1, 51)]),
                                  capture_output=True, check=False, timeout=60, pass_fds=[fd.fileno()])
        assert done.returncode == 0, done.stderr
        assert c.get("/health")["rows"] == 50 and c.get("/api/sensors")["enrolled"][0]["quota"]["reports_today"] == 50

        # Its own reports, and those of no other.
        assert rig.post(c, [rig.conn(1, sensor="branch-1")], headers=bearer(token))[1]["accepted"] == 1
        status, answer, _ = rig.post(c, [rig.conn(2, sensor="branch-1"), rig.conn(1, sensor="branch-2"), rig.conn(3, sensor="branch-1-00ff"),
                                         rig.conn(4, sensor="branch-1-00fg"), rig.conn(5, sensor="branch-11")], headers=bearer(token))
        assert (status, answer["accepted"], [r["line"] for r in answer["rejected"]]) == (200, 2, [2, 4, 5])
        assert answer["rejected"][0]["why"] == "sensor: this token or certificate is another sensor's"
        listed = c.get("/api/sensors")["enrolled"]
        assert [(s["sensor"], s["by"], s["quota"]["reports_today"], "last_rx" in s, "revoked_ts" in s) for s in listed] == [("branch-1", "command line", 56, True, False)]

        # A wrong token is an error even where none is needed; a new code ends the token; revoked is revoked.
        assert rig.post(c, [rig.conn(9)], headers=bearer("x" * 52))[0] == 401
        code = command(tmp_path, "enroll", "branch-1").split()[3]
        assert rig.post(c, [rig.conn(6, sensor="branch-1")], headers=bearer(token))[0] == 200
        assert enroll(url, code, *files).returncode == 0
        assert rig.post(c, [rig.conn(7, sensor="branch-1")], headers=bearer(token))[0] == 401
        token = token_file.read_text().strip()
        assert rig.post(c, [rig.conn(7, sensor="branch-1")], headers=bearer(token))[0] == 200
        command(tmp_path, "revoke", "branch-1")
        status, answer, headers = rig.post(c, [rig.conn(8, sensor="branch-1")], headers=bearer(token))
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer") and "revoked" in answer["error"]
        assert "no sensor of this name" in command(tmp_path, "revoke", "nobody", ok=False)
        assert re.search(r"^branch-1 +\S+Z +\S+Z? +command line$", command(tmp_path, "sensors"), re.M)
        stored = b"".join(p.read_bytes() for p in (tmp_path / "collector").rglob("*") if p.is_file())
        assert token.encode() not in stored and code.encode() not in stored and token not in c.log()


def test_name_of_another(tmp_path):
    """branch-0001 is no clone of branch when it was enrolled itself, nor once it is revoked."""
    with Collector(tmp_path) as c:
        def token_of(name):
            return ask(c, "POST", "/v1/enroll", {"code": command(tmp_path, "enroll", name).split()[3]})[1]["token"]

        def send(seq, token):
            return rig.post(c, [rig.conn(seq, sensor="branch-0001")], headers=bearer(token))
        branch = token_of("branch")
        assert send(1, branch)[1]["accepted"] == 1
        other = token_of("branch-0001")
        assert send(2, branch)[1]["rejected"][0]["why"] == "sensor: this token or certificate is another sensor's"
        assert send(2, other)[1]["accepted"] == 1
        command(tmp_path, "revoke", "branch-0001")
        assert send(3, other)[0] == 401 and send(3, branch)[1]["rejected_n"] == 1


def test_code_expires(tmp_path):
    """One made for a minute, looked at after it (the collector's file says when)."""
    with Collector(tmp_path) as c:
        code = command(tmp_path, "enroll", "--minutes", "1", "gw").split()[3]
        with contextlib.closing(sqlite3.connect(tmp_path / "collector/net-gazer.db.access")) as db, db:
            assert db.execute("SELECT expires_us - ? BETWEEN 0 AND 60000000 FROM code", (rig.now_us(),)).fetchone() == (1,)
            db.execute("UPDATE code SET expires_us = ?", (rig.now_us(),))
        assert ask(c, "POST", "/v1/enroll", {"code": code})[0] == 403
        for bad in ({}, {"code": 1}, {"code": code, "x": 1}, {"code": "a" * 100}):
            assert ask(c, "POST", "/v1/enroll", bad)[0] == 400


def test_quota(tmp_path):
    """Beyond a minute's worth: 429 with Retry-After, the others go on; then it may again."""
    with Collector(tmp_path, arguments=["--sensor-rate", "10", "--sensor-bytes-day", "1000000"]) as c:
        tokens = {}
        for name in ("a", "b"):
            code = command(tmp_path, "enroll", name).split()[3]
            tokens[name] = ask(c, "POST", "/v1/enroll", {"code": code})[1]["token"]
        many = [rig.conn(seq, sensor="a") for seq in range(1, 621)]
        assert rig.post(c, many, headers=bearer(tokens["a"]))[1]["accepted"] == 620, "a body is taken whole"
        status, answer, headers = rig.post(c, [rig.conn(700, sensor="a")], headers=bearer(tokens["a"]))
        assert status == 429 and 1 <= int(headers["Retry-After"]) <= 3 and "quota" in answer["error"]
        assert rig.post(c, [rig.conn(1, sensor="b")], headers=bearer(tokens["b"]))[0] == 200
        ng.wait_for("the quota to grow", lambda: rig.post(c, [rig.conn(700, sensor="a")], headers=bearer(tokens["a"]))[0] == 200)
        assert c.get("/api/sensors")["enrolled"][0]["quota"]["refused"] >= 1
        # Bytes of the day: until midnight.
        while rig.post(c, [rig.conn(701, sensor="b", x_pad="x" * 10000)] * 20, headers=bearer(tokens["b"]))[0] == 200:
            pass
        status, _, headers = rig.post(c, [rig.conn(702, sensor="b")], headers=bearer(tokens["b"]))
        assert status == 429 and int(headers["Retry-After"]) > 3 or time.gmtime().tm_hour == 0
        assert c.get("/api/sensors")["enrolled"][1]["quota"]["bytes_today"] >= 1000000 or time.gmtime().tm_hour == 0
        # Nor does another start give a new day, however the one before ended.
        for end in (c.stop, lambda: (c.process.kill(), c.process.wait())):
            before = [(s["quota"]["reports_today"], s["quota"]["bytes_today"], s["last_rx"]) for s in c.get("/api/sensors")["enrolled"]]
            end()
            c.start()
            after = [(s["quota"]["reports_today"], s["quota"]["bytes_today"], s["last_rx"]) for s in c.get("/api/sensors")["enrolled"]]
            assert after == before or time.gmtime().tm_hour == 0
            assert rig.post(c, [rig.conn(702, sensor="b")], headers=bearer(tokens["b"]))[0] == 429 or time.gmtime().tm_hour == 0
            assert rig.post(c, [rig.conn(800, sensor="a")], headers=bearer(tokens["a"]))[0] == 200


def test_certificates(tmp_path):
    """HTTPS; a sensor's certificate is who it is; another authority's is refused; people have none."""
    ca, other = tls.Authority(tmp_path), tls.Authority(tmp_path, "other")
    cert, key = ca.issue("collector", ["127.0.0.1", "localhost"])
    good, odd, foreign = ca.issue("cn-name", ["gw.site"]), ca.issue("not a name"), other.issue("gw.site", ["gw.site"])
    old = ca.issue("old", ["gw.site"], days=0) # to the end of this second
    arguments = ["--tls-cert", cert, "--tls-key", key, "--client-ca", ca.cert]

    class Secure(Collector):
        def healthy(self):
            with contextlib.suppress(OSError):
                return talk(self, None, "GET", "/health")[0] == 200
            assert self.process.poll() is None, self.log()
            return False

    def talk(c, who, method, path, body=None, version=None):
        context = ssl.create_default_context(cafile=ca.cert)
        if version:
            context.maximum_version = version
        if who:
            context.load_cert_chain(*who)
        h = http.client.HTTPSConnection("127.0.0.1", c.port, timeout=20, context=context)
        with contextlib.closing(h):
            h.request(method, path, body, {"Content-Type": "application/x-ndjson"} if body else {})
            a = h.getresponse()
            return a.status, json.loads(a.read())

    with Secure(tmp_path, arguments=arguments) as c:
        assert f"listening on https://127.0.0.1:{c.port}/" in c.log()
        body = rig.ndjson([rig.conn(1, sensor="gw.site"), rig.conn(1, sensor="cn-name")])
        status, answer = talk(c, good, "POST", "/v1/reports", body)
        assert (status, answer["accepted"], answer["rejected"][0]["line"]) == (200, 1, 2), "the DNS name, not the CN"
        for who in (odd, foreign):
            assert talk(c, who, "POST", "/v1/reports", body)[0] == 403, who
        ng.wait_for("the old certificate to be refused", lambda: talk(c, old, "POST", "/v1/reports", body)[0] == 403)
        assert talk(c, None, "POST", "/v1/reports", rig.ndjson([rig.conn(2)]))[1]["accepted"] == 1, "this machine, as ever"
        assert c.process.poll() is None
        command(tmp_path, "revoke", "gw.site", "--client-ca", ca.cert, "--tls-cert", cert, "--tls-key", key)
        status, answer = talk(c, good, "POST", "/v1/reports", body)
        assert status == 403 and "revoked" in answer["error"]
        # TLS 1.1, and no TLS.
        with pytest.raises((OSError, ssl.SSLError)), pytest.warns(DeprecationWarning):
            talk(c, None, "GET", "/health", version=ssl.TLSVersion.TLSv1_1)
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(c, "GET", "/health")
        # The pin in the line is the one that curl takes.
        line = command(tmp_path, "enroll", "--tls-cert", cert, "--tls-key", key, "--url", f"https://127.0.0.1:{c.port}", "gw2").split()
        done = enroll(*line[2:4], "--ca", ca.cert, "--pin", line[5], "--token-file", tmp_path / "token")
        assert done.returncode == 0, done.stderr
        assert f'collector-ca-file = "{ca.cert}"\ncollector-pin = "{line[5]}"\n' in done.stdout
        line = command(tmp_path, "enroll", "gw3").split()
        done = enroll(f"https://127.0.0.1:{c.port}", line[3], "--ca", other.cert, "--token-file", tmp_path / "token")
        assert done.returncode == 1 and "certificate" in done.stderr.lower()


# ---- people ----

def test_login(always):
    c = always
    assert ask(c, "GET", "/")[0] == 200 and ask(c, "GET", "/app.js")[0] == 200, "the page, to log in with"
    assert ask(c, "GET", "/api/session")[1] == {"login_needed": True, "can_admin": False}
    for path in ("/api/conns", "/api/sensors", "/api/summary", "/health", "/metrics", "/events"):
        status, _, headers = ask(c, "GET", path)
        assert status == 401 and headers.get_all("WWW-Authenticate") == ["Bearer"], "no window of the browser's own"
    assert ask(c, "POST", "/v1/reports", rig.ndjson([rig.conn(1)]), Content_Type="application/x-ndjson")[0] == 401
    status, said, headers = ask(c, "POST", "/api/login", {"user": "anna", "password": PASSWORD})
    assert status == 200 and said["user"] == "anna" and said["can_admin"] and not said["login_needed"]
    assert re.fullmatch(r"net-gazer=[a-z0-9]{52}; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict", headers["Set-Cookie"])
    assert "Secure" in ask(c, "POST", "/api/login", {"user": "anna", "password": PASSWORD}, Origin=f"https://127.0.0.1:{c.port}")[2]["Set-Cookie"]
    cookie, csrf = login(c)
    assert ask(c, "GET", "/health", cookie=cookie)[0] == 200
    for wrong in (cookie[:-1], cookie + "a", cookie[:-1] + ("a" if cookie[-1] != "a" else "b"), "", "x"):
        assert ask(c, "GET", "/health", cookie=wrong)[0] == 401
    # Logged out is logged out, and only he.
    again, csrf2 = login(c)
    assert ask(c, "POST", "/api/logout", {}, cookie=again)[0] == 403, "without the token"
    status, said, headers = ask(c, "POST", "/api/logout", {}, cookie=again, csrf=csrf2)
    assert status == 200 and said["login_needed"] and "Max-Age=0" in headers["Set-Cookie"]
    assert ask(c, "GET", "/health", cookie=again)[0] == 401 and ask(c, "GET", "/health", cookie=cookie)[0] == 200
    assert csrf != csrf2


def test_streams_end(tmp_path):
    """With the session or the token that opened them: at once after a logout, else within the 15 seconds to the next ping; the rest go on."""
    (tmp_path / "collector").mkdir()
    tokens = tmp_path / "tokens"

    def keep(*list_):
        tokens.write_text("".join(f"{t}-0123456789abcdef\n" for t in list_), encoding="ascii")
        tokens.chmod(0o600)

    keep("goes", "stays")
    for user in ("anna", "bob", "carl"):
        command(tmp_path, "user", "add", user, given=PASSWORD + "\n")
    with Guarded(tmp_path, arguments=["--login", "always", "--token-file", tokens]) as c:
        seq = itertools.count(1)
        post = lambda: rig.post(c, [rig.other("stat", next(seq))], headers=bearer("stays-0123456789abcdef"))[0] == 200
        cookies = {name: login(c, name.split("-")[0]) for name in ("anna", "anna-again", "bob", "carl")}
        streams = {name: rig.Stream(c, Cookie=f"net-gazer={cookie}") for name, (cookie, _) in cookies.items()}
        streams |= {name: rig.Stream(c, **bearer(f"{name}-0123456789abcdef")) for name in ("goes", "stays")}
        assert post() and [s.event()["id"] for s in streams.values()] == [1] * 6
        cookie, csrf = cookies["anna"]
        assert ask(c, "POST", "/api/logout", {}, cookie=cookie, csrf=csrf)[0] == 200
        assert post() and streams.pop("anna").event(comments=True) is None, "at once"
        command(tmp_path, "user", "remove", "bob")
        command(tmp_path, "user", "add", "carl", given="another " + PASSWORD + "\n")
        keep("stays")
        c.process.send_signal(signal.SIGHUP)
        for name in ("bob", "carl", "goes"):
            s = streams.pop(name)
            pings = 0  # one may have come before
            while pings < 2 and (e := s.event(comments=True)):
                pings += "comment" in e
            assert pings < 2, f"{name}: the stream goes on"
        assert post()
        for name, s in streams.items():
            assert [s.event()["id"] for _ in range(2)] == [2, 3], name


def test_changes_need_the_token(always):
    c = always
    cookie, csrf = login(c)
    body = {"sensor": "gw"}
    for path in ("/api/enroll", "/api/revoke", "/api/logout"):
        send = {} if path == "/api/logout" else body
        assert ask(c, "POST", path, send)[0] == 401, "no session"
        assert ask(c, "POST", path, send, csrf=csrf)[0] == 401
        for wrong in (None, "x", csrf[:-1], csrf + "a", "a" * 26):
            assert ask(c, "POST", path, send, cookie=cookie, csrf=wrong)[0] == 403
        for origin in ("https://evil.example", "null", f"http://127.0.0.1:{c.port + 1}"):
            assert ask(c, "POST", path, send, cookie=cookie, csrf=csrf, Origin=origin)[0] == 403
        assert ask(c, "POST", path, send, cookie=cookie, csrf=csrf, Sec_Fetch_Site="cross-site")[0] == 403
        assert ask(c, "POST", path, json.dumps(send), cookie=cookie, csrf=csrf, Content_Type="text/plain")[0] == 415
        assert ask(c, "GET", path, cookie=cookie, csrf=csrf)[0] == 405
    for bad in ({}, {"sensor": ""}, {"sensor": "a b"}, {"sensor": "x" * 65}, {"sensor": "gw", "minutes": 0}, {"sensor": "gw", "minutes": 10081}, {"sensor": ["gw"]}):
        assert ask(c, "POST", "/api/enroll", bad, cookie=cookie, csrf=csrf)[0] == 400, bad
    status, said, _ = ask(c, "POST", "/api/enroll", body, cookie=cookie, csrf=csrf)
    assert status == 200 and said["line"] == f"net-gazer enroll http://127.0.0.1:{c.port} {said['code']} --write"
    token = ask(c, "POST", "/v1/enroll", {"code": said["code"]})[1]["token"]
    assert rig.post(c, [rig.conn(1, sensor="gw")], headers=bearer(token))[0] == 200
    assert ask(c, "GET", "/health", **bearer(token))[0] == 401, "a sensor sends, it does not look"
    assert ask(c, "POST", "/api/revoke", body, cookie=cookie, csrf=csrf)[0] == 200
    assert ask(c, "POST", "/api/revoke", body, cookie=cookie, csrf=csrf)[0] == 404
    assert rig.post(c, [rig.conn(2, sensor="gw")], headers=bearer(token))[0] == 401


def test_session_ends_with_the_user(always):
    c = always
    command(c.folder, "user", "add", "bob", given="another password\n")
    cookie, _ = login(c, user="bob", password="another password")
    assert ask(c, "GET", "/health", cookie=cookie)[0] == 200
    command(c.folder, "user", "add", "bob", given="yet another one\n")
    assert ask(c, "GET", "/health", cookie=cookie)[0] == 401, "another password"
    cookie, _ = login(c, user="bob", password="yet another one")
    command(c.folder, "user", "remove", "bob")
    assert ask(c, "GET", "/health", cookie=cookie)[0] == 401
    assert "there is none" in command(c.folder, "user", "remove", "bob", ok=False)
    assert [line.split()[0] for line in command(c.folder, "user", "list").splitlines()] == ["anna"]
    for bad in ("short", "", "x" * 201):
        assert "10 to 200 bytes" in command(c.folder, "user", "add", "eve", given=bad + "\n", ok=False)
    assert "letters, digits" in command(c.folder, "user", "add", "e v e", given=PASSWORD, ok=False)


def test_logins_are_bounded_and_do_not_hold_up_intake(tmp_path):
    """Wrong ones are refused, then 429; while the other process is at work, posts go on as without."""
    (tmp_path / "collector").mkdir()
    command(tmp_path, "user", "add", "anna", given=PASSWORD + "\n")
    code = command(tmp_path, "enroll", "gw").split()[3]
    with Guarded(tmp_path, arguments=["--login", "always"]) as c:
        token = ask(c, "POST", "/v1/enroll", {"code": code})[1]["token"]
        seq, slowest = iter(range(1, 100000)), {}

        def posts(what, stop):
            slowest[what] = 0
            while not stop():
                before = time.monotonic()
                assert rig.post(c, [rig.conn(next(seq), sensor="gw")], headers=bearer(token))[0] == 200
                slowest[what] = max(slowest[what], time.monotonic() - before)
        answers, here = [], {"source": "127.9.9.9"}
        threads = [threading.Thread(target=lambda: answers.append(ask(c, "POST", "/api/login", {"user": "anna", "password": "x" * 12}, **here)[::2])) for _ in range(12)]
        for t in threads:
            t.start()
        posts("logins", lambda: not any(t.is_alive() for t in threads))
        for t in threads:
            t.join()
        codes = sorted(a[0] for a in answers)
        assert codes == [401] * 5 + [429] * 7, f"five at once from an address: {codes}"
        assert all(1 <= int(h["Retry-After"]) <= 10 for s, h in answers if s == 429)
        assert ask(c, "POST", "/api/login", {"user": "anna", "password": PASSWORD}, **here)[0] == 429, "the right one too"
        assert ask(c, "POST", "/api/login", {"user": "anna", "password": PASSWORD})[0] == 200, "but another address may"
        assert "x" * 12 not in c.log() and PASSWORD not in c.log()
        assert slowest["logins"] < 5


def test_from_elsewhere(tmp_path):
    """A browser on another machine logs in; one on this machine need not; the file of users decides, not a restart."""
    (tmp_path / "collector").mkdir()
    command(tmp_path, "user", "add", "anna", given=PASSWORD + "\n")
    ns = net.Ns("people")
    try:
        ns.ip("link set lo up\naddr add 198.51.100.9/32 dev lo")
        with ns, Collector(tmp_path, arguments=["--listen", "0.0.0.0", "--hosts", "198.51.100.9"]) as c:
            there = {"address": "198.51.100.9"}
            assert "without tls-cert" in c.log()
            assert ask(c, "GET", "/health")[0] == 200 and ask(c, "GET", "/health", **there)[0] == 401
            assert ask(c, "GET", "/api/session")[1]["login_needed"] is False
            assert ask(c, "GET", "/", **there)[0] == 200
            report = rig.ndjson([rig.conn(1)])
            assert ask(c, "POST", "/v1/reports", report, Content_Type="application/x-ndjson", **there)[0] == 401
            assert ask(c, "POST", "/v1/reports", report, Content_Type="application/x-ndjson")[0] == 200
            cookie, csrf = login(c, **there)
            assert ask(c, "GET", "/health", cookie=cookie, **there)[0] == 200
            said = ask(c, "POST", "/api/enroll", {"sensor": "gw"}, cookie=cookie, csrf=csrf, **there)[1]
            assert said["line"].startswith(f"net-gazer enroll http://198.51.100.9:{c.port} ")
            # This machine: without login, but not without the token.
            assert ask(c, "POST", "/api/enroll", {"sensor": "gw"})[0] == 403
            own = ask(c, "GET", "/api/session")[1]["csrf"]
            assert own != csrf and ask(c, "POST", "/api/enroll", {"sensor": "gw"}, csrf=own)[0] == 200
            assert ask(c, "POST", "/api/enroll", {"sensor": "gw"}, csrf=own, **there)[0] == 401
    finally:
        ns.close()


def test_damaged_file(tmp_path):
    """Nobody gets in because the file of who may is unreadable: the collector does not start."""
    (tmp_path / "collector").mkdir()
    command(tmp_path, "user", "add", "anna", given=PASSWORD + "\n")
    path = tmp_path / "collector/net-gazer.db.access"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"not a database, " * 1000)
    done = subprocess.run([ng.program("net-gazer-collector"), "-c", "/dev/null", "--port", "0", "--database", tmp_path / "collector/net-gazer.db"],
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1 and "net-gazer.db.access: " in done.stderr and "put back a copy" in done.stderr, done.stderr
