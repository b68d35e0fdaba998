# SPDX-License-Identifier: GPL-2.0-or-later
"""The tests' own network, before anything relies on it: see net.Router for its picture."""
from lib import net, ng, wire


def test_router(tmp_path):
    """Servers, masquerade, forwarded port, filter, delay, refusal and silence are what stories expect."""
    answers = {80: wire.Answer(delay_s=0.05, ttl=52, mss=1400, wscale=5), 81: wire.Answer(kind="rst"),
               82: wire.Answer(kind="silent"), 83: wire.Answer(swallow=1)}
    with net.Router(dnat={8022: 22}) as r, net.Server(r.wan, 80), net.Server(r.lan, 22) as inside, \
            wire.Responder(r.wan, "eth0", answers), wire.Tcpdump(r.wan, "eth0", tmp_path / "wan.pcap") as dump:
        for dst in (r.WAN4, r.WAN6, net.NEAR4 + "7", net.NEAR6 + "7"):
            assert net.connect(r.lan, dst, 80, talk=b"hello")[0] == "ok", dst
            assert net.connect(r.lan, dst, 9)[0] == "refused", dst
        for far in (net.FAR4 + "9", net.FAR6 + "9"):
            assert net.connect(r.lan, far, 80)[0] == "ok"
            assert net.connect(r.lan, far, 81)[0] == "refused"
            assert net.connect(r.lan, far, 82, timeout_s=0.2)[0] == "timeout"
            assert net.connect(r.lan, far, 83, timeout_s=20)[0] == "ok"
        assert net.connect(r.wan, r.OUT4, 8022, src=net.NEAR4 + "9")[0] == "ok"
        assert net.connect(r.wan, r.LAN6, 22)[0] == "ok"
        ng.wait_for("both to be accepted", lambda: inside.accepted == 2)
        assert net.connect(r.wan, r.OUT4, 23, timeout_s=0.2)[0] == "timeout"
        ng.wait_for("tcpdump", lambda: any(s.dport == 23 for s in dump.so_far()))
        wan = dump.segments()
    assert {s.src for s in wan if s.dport == 80 and s.flags == wire.SYN and "." in s.src} == {r.OUT4}
    syn = next(s for s in wan if s.dst == net.FAR4 + "9" and s.dport == 80 and s.flags == wire.SYN)
    back = next(s for s in wan if s.src == net.FAR4 + "9" and s.dport == syn.sport and s.flags & wire.SYN)
    assert back.ts_us - syn.ts_us >= 50000
    assert (back.mss, back.wscale, back.ttl) == (1400, 5, 52)


def test_router_that_rejects():
    with net.Router(wan_in="reject") as r:
        assert net.connect(r.wan, r.OUT4, 23)[0] == "refused"
        assert net.connect(r.wan, r.LAN6, 23)[0] == "refused"
