# SPDX-License-Identifier: GPL-2.0-or-later
"""max-bytes too small for what comes: no report is refused for good, and the totals stay right."""
import random
import time

import pytest

import collector_rig as rig
from lib.collector import Collector


def some_address(rng):
    return f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def deliver(collector, reports):
    """As a sensor does: what finds no room comes again, and room has been made for it then.  How often it found none."""
    for refused in range(5):
        status, answer, _ = rig.post(collector, reports)
        if status == 200:
            assert answer["accepted"] == len(reports), answer
            return refused
        assert status == 507, (status, answer)
        assert collector.get("/health")["status"] == "degraded"
    raise AssertionError(f"refused five times, the last time with {answer}\n{collector.log()}")


@pytest.mark.parametrize("mib,in_batch,seconds", [(1, 60, 8), (16, 1000, 12)])
def test_many_destinations(tmp_path, mib, in_batch, seconds):
    """Each is sent to, and knocked from, once.  The 1 MiB has no room for the names of a minute."""
    rng, sent, refused, most = random.Random(mib), 0, 0, mib << 20
    with Collector(tmp_path, arguments=["--max-bytes", str(most)]) as c:
        end, peak = time.monotonic() + seconds, 0
        # A slow machine goes on until the room is gone.
        while sent < in_batch * 20 or time.monotonic() < end or (not c.get("/api/storage")["removed"]["merged"] and sent < in_batch * 500):
            refused += deliver(c, [rig.conn(sent + i, dst_ip=some_address(rng)) if i % 2 else
                                   rig.other("attempt", sent + i, src_ip=some_address(rng), count=1, dst_port=rng.randrange(65536), verdict="dropped")
                                   for i in range(in_batch)])
            sent += in_batch
            peak = max(peak, sum(p.stat().st_size for p in c.data.rglob("*") if p.is_file()))
            time.sleep(0.1)
        for window in (3600, 86400):
            assert c.get(f"/api/summary?window_s={window}")["conns"] == sent // 2, window
            assert sum(p["dropped"] for p in c.get(f"/api/inbound?window_s={window}")["series"]) == sent // 2, window
        storage, health = c.get("/api/storage"), c.get("/health")
        assert health["status"] == "ok" and health["not_stored"] == refused
        assert health["rows"] + storage["removed"]["reports"] == sent
        assert storage["removed"]["merged"] > 0 and "max-bytes is too small" in c.log()
        assert storage["rollup_bytes"] <= most / 4
        assert peak <= most * 1.25 + max(3 * 256 << 10, most / 4), "the files, and what is in their journals"
