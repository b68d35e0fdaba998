# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the internet that topo.py describes, out of namespaces, and removes it.

    with Internet("small") as net: ...

What was made (names, process ids with their start times) is written down before it is made, in a
folder of its own, so that `internet down` can remove what a killed run left behind.  Routers balance
by the 5-tuple, with a seed each, so a flow takes the same path in every run.
"""
import contextlib
import functools
import ipaddress
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from internet import topo
from lib import net, ng

HERE = pathlib.Path(__file__).resolve().parent
STATES = pathlib.Path("/run")
STATE_PREFIX = "ngt-internet-"
_serial = itertools.count(1)

SYSCTLS = {
    "ipv4__ip_forward": 1,
    "ipv6__conf__all__forwarding": 1,
    "ipv6__conf__default__forwarding": 1,
    "ipv4__conf__all__rp_filter": 0,
    "ipv4__conf__default__rp_filter": 0,
    "ipv6__conf__all__accept_dad": 0,
    "ipv6__conf__default__accept_dad": 0,
    "ipv6__conf__default__router_solicitations": 0,
    # Errors are not limited except where the topology says so.
    "ipv4__icmp_ratelimit": 0,
    "ipv4__icmp_msgs_per_sec": 1000000,
    "ipv4__icmp_msgs_burst": 100000,
    "ipv6__icmp__ratelimit": 0,
    # As most routers do: answer from the interface that the packet came in by.
    "ipv4__icmp_errors_use_inbound_ifaddr": 1,
    # ECMP by the 5-tuple.
    "ipv4__fib_multipath_hash_policy": 1,
    "ipv6__fib_multipath_hash_policy": 1,
}

# Counted on r1, the next router, so that what raw and packet sockets send is counted too.  `every` is
# what tools send; `own` are probes of ours, known by their ports, among a user's traffic; `inband`
# are the low TTLs that no user's packet has here.
COUNTERS = """
table inet counted {
	set own4 { type ipv4_addr; size 131072; flags dynamic; counter; }
	set own6 { type ipv6_addr; size 131072; flags dynamic; counter; }
	counter every {}
	counter resets {}
	counter own {}
	counter inband {}
	chain remember {
		meta nfproto ipv4 update @own4 { ip daddr }
		meta nfproto ipv6 update @own6 { ip6 daddr }
		counter name own
	}
	chain prerouting {
		type filter hook prerouting priority raw;
		iifname != "to-gw" return
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert, mld-listener-report, mld2-listener-report } return
		tcp flags & rst == rst tcp sport 64512-65535 counter name resets
		tcp flags & rst == rst return
		counter name every
		tcp sport 64512-65535 jump remember
		udp sport 64512-65535 jump remember
		icmp type echo-request icmp id 64512-65535 jump remember
		icmpv6 type echo-request icmpv6 id 64512-65535 jump remember
		tcp sport < 64512 ip ttl < 40 counter name inband
		tcp sport < 64512 ip6 hoplimit < 40 counter name inband
	}
}
"""

# Its input is open: other people's traceroutes need the answers that conntrack does not know.
RULES_GW = f"""
table inet filter {{
	chain forward {{
		type filter hook forward priority filter;
		ct state established,related accept
		iifname "to-lan" accept
		drop
	}}
}}
table ip nat {{
	chain postrouting {{
		type nat hook postrouting priority srcnat;
		oifname "to-r1" ip saddr {topo.LAN4} masquerade
	}}
}}
"""

RULES_SILENT = """
table inet node {
	chain output {
		type filter hook output priority 0;
		icmp type time-exceeded drop
		icmpv6 type time-exceeded drop
	}
}
"""

RULES_LEAF = """
table inet node {
	chain prerouting {
		type filter hook prerouting priority raw;
		%s
		meta l4proto { tcp, udp } drop
		icmp type echo-request drop
		icmpv6 type echo-request drop
	}
}
"""
RULES_ANSWER = {"drop": RULES_LEAF % "", "fw": RULES_LEAF % "tcp dport { 80, 443 } accept"}


class Node(net.Ns):
    """A namespace of the internet: made and removed with all the others."""

    def __init__(self, prefix, name):  # pylint: disable=super-init-not-called
        self.name = prefix + name
        self.path = f"/run/netns/{self.name}"
        self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)

    def close(self):
        os.close(self.fd)


def start_time(pid):
    """Tells one process from a later one with the same id."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(") ", 1)[1].split()[19]
    except OSError:
        return None


def left():
    """Folders of the internets that are there."""
    return sorted(STATES.glob(f"{STATE_PREFIX}*"))


def in_use(state):
    """Whether the process that built it is still there (the command line's is not)."""
    return start_time(state["owner"][0]) == state["owner"][1]


def remove(folder):
    """Ends the processes and deletes the namespaces of one internet, and nothing else."""
    state = json.loads((folder / "state.json").read_text(encoding="ascii"))
    for pid, started in state["processes"]:
        if start_time(pid) == started:
            os.kill(pid, 15)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
            ng.wait_for(f"{pid} to end", lambda p=pid, s=started: start_time(p) != s)
    there = set(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else set()
    batch = "".join(f"netns del {state['prefix']}{name}\n" for name in state["nodes"] if state["prefix"] + name in there)
    net._ip("-force", "-b", "-", text=batch)  # pylint: disable=protected-access
    shutil.rmtree(folder)


class Internet:
    def __init__(self, preset="small", folder=None):
        """folder: one that is there already (the command line's); else enter it to build one."""
        if folder:
            self.state = json.loads((folder / "state.json").read_text(encoding="ascii"))
        else:
            self.state = {"preset": preset, "prefix": f"ngt{os.getpid()}-i{next(_serial)}-", "processes": [],
                          "owner": [os.getpid(), start_time(os.getpid())]}
        self.folder = folder
        self.topo = topo.Topo(**topo.PRESETS[self.state["preset"]])
        self.state["nodes"] = list(self.topo.nodes)
        self._open = {}

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=STATE_PREFIX, dir=STATES))
        try:
            self._save()
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self._open.values():
            node.close()
        self._open = {}
        remove(self.folder)

    def _save(self):
        new = self.folder / "state.new"
        new.write_text(json.dumps(self.state), encoding="ascii")
        new.rename(self.folder / "state.json")

    def __getitem__(self, name):
        """The namespace of a node."""
        if name not in self._open:
            self._open[name] = Node(self.state["prefix"], name)
        return self._open[name]

    def helper(self, name):
        """One of the C programs beside this file."""
        program = self.folder / name
        return program if program.exists() else ng.compile_c(HERE / f"{name}.c", program)

    def _spawn(self, name, config):
        """A helper that lives as long as the internet; it is there when it says so."""
        path = self.folder / f"{name}.conf"
        path.write_text("".join(config), encoding="ascii")
        with open(self.folder / f"{name}.log", "w", encoding="ascii") as log:
            # A session of its own: a terminal's Ctrl-C is for us, who remove things in order.
            process = subprocess.Popen([self.helper(name), path], stdout=subprocess.PIPE, stderr=log, text=True,
                                       start_new_session=True)
        self.state["processes"].append([process.pid, start_time(process.pid)])
        self._save()
        said = process.stdout.readline()
        process.stdout.close()
        # remove() waits for it by its id: for Popen it has ended.
        process.returncode = 0
        assert said == "ready\n", f"{name}: {(self.folder / f'{name}.log').read_text(encoding='ascii')}"

    def _build(self):
        t = self.topo
        prefix = self.state["prefix"]
        ip = net._ip  # pylint: disable=protected-access
        ip("-b", "-", text="".join(f"netns add {prefix}{name}\n" for name in t.nodes))
        for name, node in t.nodes.items():
            ns = Node(prefix, name)
            ns.sysctl(**SYSCTLS, ipv4__fib_multipath_hash_seed=node.seed)
            if node.rate_ms:
                ns.sysctl(ipv4__icmp_ratelimit=node.rate_ms, ipv6__icmp__ratelimit=node.rate_ms)
            ns.close()
        self._spawn("delay", (f"link {prefix}{link.up} to-{link.low} {prefix}{link.low} to-{link.up} {link.delay_us}\n"
                              for link in t.links if link.tap))
        ip("-b", "-", text="".join(
            f"link add to-{link.low} netns {prefix}{link.up} type veth peer name to-{link.up} netns {prefix}{link.low}\n"
            for link in t.links if not link.tap) +
            f"link add to-gw netns {prefix}lan type veth peer name to-lan netns {prefix}gw\n")
        for name, commands in self._addresses().items():
            four, six = self._routes(name)
            ip("-n", prefix + name, "-b", "-", text="\n".join(commands + four) + "\n")
            ip("-6", "-n", prefix + name, "-b", "-", text="\n".join(six) + "\n")
        self["gw"].nft(RULES_GW)
        self["r1"].nft(COUNTERS)
        for name, node in t.nodes.items():
            rules = RULES_SILENT if node.silent else RULES_ANSWER.get(node.answer)
            if rules:
                ns = Node(prefix, name)
                ns.nft(rules)
                ns.close()
        self._spawn("hosts", (f"listen {prefix}{leaf.name} {port}\n" for leaf in t.leaves if leaf.answer in ("open", "fw")
                              for port in topo.OPEN_PORTS))

    def _addresses(self):
        """{node: lines for ip}: links up, addresses, neighbours."""
        out = {name: ["link set lo up"] for name in self.topo.nodes}
        for k, link in enumerate(self.topo.links, 1):
            ends = [(link.up, link.low, link.up4, link.up6, f"02:6e:67:00:{k >> 8:02x}:{k & 255:02x}"),
                    (link.low, link.up, link.low4, link.low6, f"02:6e:67:01:{k >> 8:02x}:{k & 255:02x}")]
            for (me, other, a4, a6, mac), (_, _, other4, other6, other_mac) in (ends, ends[::-1]):
                # Fixed neighbours: no packet waits a slow link's round trip for ARP, and a wide internet
                # does not fill the kernel's one table of neighbours (gc_thresh3).
                out[me] += [f"link set to-{other} address {mac}", f"link set to-{other} up",
                            f"addr add {a4}/31 dev to-{other}", f"addr add {a6}/64 dev to-{other} nodad",
                            f"neigh replace {other4} dev to-{other} lladdr {other_mac} nud permanent",
                            f"neigh replace {other6} dev to-{other} lladdr {other_mac} nud permanent"]
        out["lan"] += ["link set to-gw up", f"addr add {topo.LAN4_HOST}/24 dev to-gw", f"addr add {topo.LAN6_HOST}/64 dev to-gw nodad"]
        out["gw"] += ["link set to-lan up", f"addr add {topo.LAN4_GW}/24 dev to-lan", f"addr add {topo.LAN6_GW}/64 dev to-lan nodad"]
        return out

    def _routes(self, name):
        """Lines for ip and for ip -6."""
        t = self.topo
        if name == "lan":
            return [f"route add default via {topo.LAN4_GW}"], [f"route add default via {topo.LAN6_GW}"]
        if name == "gw":
            up = t.links[0]
            return [f"route add default via {up.low4}"], [f"route add default via {up.low6}"]
        up = t.link(t.back_of(name), name)
        four = [f"route add default via {up.up4} dev to-{up.up}"]
        six = [f"route add default via {up.up6} dev to-{up.up}"]
        for net4, net6, links in t.routes(name):
            four.append(f"route add {net4} " + self._next_hops(links, 4))
            six.append(f"route add {net6} " + self._next_hops(links, 6))
        node = t.nodes[name]
        if node.kind == "leaf":
            four.append(f"route add local {t.net4(node)} dev lo")
            six.append(f"route add local {t.net6(node)} dev lo")
            # IPv6 answers with an ICMP error from the address that was asked only if it is one, not a prefix.
            six.append(f"addr add {t.address(node, 6)}/128 dev lo nodad")
        return four, six

    @staticmethod
    def _next_hops(links, family):
        vias = [f"via {link.low4 if family == 4 else link.low6} dev to-{link.low}" for link in links]
        return vias[0] if len(vias) == 1 else " ".join(f"nexthop {via}" for via in vias)

    def send_by(self, at, leaf, next_node):
        """A path change: what the router `at` has for a leaf goes by next_node, or (None) by all again."""
        links = self.topo.next_hops(at, leaf.name)
        chosen = [link for link in links if next_node in (None, link.low)]
        self[at].ip(f"route replace {self.topo.net4(leaf)} {self._next_hops(chosen, 4)}")
        self._chosen.cache_clear()
        self[at].ip(f"route del {self.topo.net6(leaf)}\nroute add {self.topo.net6(leaf)} {self._next_hops(chosen, 6)}")

    # What is true

    @functools.lru_cache(maxsize=None)
    def _chosen(self, at, came, proto, src, sport, dst, dport):
        argv = ["ip", "-6" if ":" in dst else "-4", "-j", "route", "get", dst, "from", src, "iif", f"to-{came}", "ipproto", proto]
        if sport:
            argv += ["sport", str(sport), "dport", str(dport)]
        done = self[at].run(*argv)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
        return json.loads(done.stdout)[0]["dev"].removeprefix("to-")

    def flow_path(self, proto, src, sport, dst, dport):
        """The nodes that one flow passes, gw left out; where it can go two ways the kernel's FIB is asked.

        proto: tcp, udp, icmp; src: None for the gateway's own address; ports 0 for ICMP."""
        src = src or self.topo.wan(6 if ":" in dst else 4)
        if proto == "icmp":
            proto, sport, dport = "ipv6-icmp" if ":" in dst else "icmp", 0, 0
        leaf = self.leaf_of(dst)
        came, at, path = None, "gw", ()
        while at != leaf.name:
            links = self.topo.next_hops(at, leaf.name)
            step = links[0].low if len(links) == 1 else self._chosen(at, came, proto, src, sport, dst, dport)
            came, at, path = at, step, path + (step,)
        return path

    def leaf_of(self, address):
        if ":" in address:
            return self.topo.leaves[int(address.split(":")[2], 16) - 1]
        _, hi, lo, _ = map(int, address.split("."))
        return self.topo.leaves[(hi - 19) * 256 + lo]

    @functools.cached_property
    def _owners(self):
        return {a: name for name, node in self.topo.nodes.items() for a in node.addresses}

    def node_of(self, address):
        """The node that has an address: on a link, or as a host of a leaf network; None: nobody's."""
        if address in self._owners:
            return self._owners[address]
        with contextlib.suppress(ValueError, IndexError):
            return self.leaf_of(address).name
        return None

    # What left the gateway

    def reset_counters(self):
        self["r1"].nft("reset counters table inet counted\nflush set inet counted own4\nflush set inet counted own6\n")

    def counters(self):
        """{counter: packets that r1 got from gw}."""
        done = self["r1"].run("nft", "-j", "list", "counters", "table", "inet", "counted", check=True)
        return {o["counter"]["name"]: o["counter"]["packets"] for o in json.loads(done.stdout)["nftables"] if "counter" in o}

    def probed(self):
        """{destination: our probes to it that r1 got}."""
        out = {}
        for name in ("own4", "own6"):
            done = self["r1"].run("nft", "-j", "list", "set", "inet", "counted", name, check=True)
            rows = next(o["set"] for o in json.loads(done.stdout)["nftables"] if "set" in o)
            out.update({e["elem"]["val"]: e["elem"]["counter"]["packets"] for e in rows.get("elem", [])})
        return out

    def conntrack(self):
        """The gateway's entries: (proto, source, sport, destination, dport) of the first packet, and the
        address and port that answers go to."""
        rows = []
        for line in self["gw"].read("/proc/net/nf_conntrack").splitlines():
            words = line.split()
            first, last = {}, {}
            for key, value in (w.split("=", 1) for w in words if "=" in w):
                # IPv6 addresses are written in full there.
                (last if key in first else first)[key] = str(ipaddress.ip_address(value)) if key in ("src", "dst") else value
            rows.append(((words[2], first["src"], int(first.get("sport", 0)), first["dst"], int(first.get("dport", 0))),
                         (last["dst"], int(last.get("dport", 0)))))
        return rows


def wait_quiet(inet, seconds=1.0, deadline_s=60):
    """Until the gateway has sent no probe for a while; the counters."""
    last, since, end = None, time.monotonic(), time.monotonic() + deadline_s
    while time.monotonic() < end:
        now = inet.counters()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > seconds:
            return now
        time.sleep(0.05)
    raise AssertionError(f"probes are still sent after {deadline_s} s: {last}")
