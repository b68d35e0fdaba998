# SPDX-License-Identifier: GPL-2.0-or-later
"""The analyzer is killed again and again while 60,000 packets a second come.

Back-off doubles from 100 ms: after five kills it is 1.6 s, and what comes meanwhile must fit into the kernel's
buffer, so each sensor is killed so often and no more.
"""
import os
import signal
import time

from lib import net, ng
from lib.sensor import Sensor

PER_S = 60000
KILLS = 5


def killed(folder, program):
    """KILLS kills of one sensor's analyzer under load: its last stat."""
    folder.mkdir()
    with net.Router(filtered=False) as r, Sensor(
            r.rtr, folder, plugins=["handshake"], handshake_limit=1000000, flows=65536, receive_buffer=64 << 20) as s:
        flood = r.lan.popen([program, "-i", "eth0", "-D", r.MAC["rtr-lan"], "-n", "100000000", "-f", "0", "-r", str(PER_S)])
        try:
            begin, first = time.monotonic(), s.logged()
            for _ in range(KILLS):
                pid = s.worker("analyzer")
                time.sleep(0.3)
                os.kill(pid, signal.SIGKILL)
                ng.wait_for(lambda p=pid: f"another analyzer than {p}\n{s.log()}", lambda p=pid: s.worker("analyzer") != p)
            time.sleep(0.3)
            per_s = (s.logged() - first) / (time.monotonic() - begin)
        finally:
            flood.kill()
            flood.wait()
        with net.Server(r.wan, 80):
            def fresh():
                _, port = net.connect(r.lan, r.WAN4, 80)
                return s.wait_reports(1, type="conn", src_port=port, dst_port=80, deadline_s=20)
            fresh()
        last = s.stop()[-1]
    lost = last["gap"] + last["in_hand"]
    print(f"{KILLS} kills at {per_s:.0f} packets/s: {last['logged']} logged, {lost} lost: {last['gap']} missing numbers, "
          f"{last['in_hand']} in hand")
    assert last["logged"] == last["received"] + last["gap"] and last["tail"] == 0
    return last, lost
