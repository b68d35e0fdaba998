# SPDX-License-Identifier: GPL-2.0-or-later
r"""The shape of the internet that rig.py builds: nodes, links, addresses, routes, and every true path.

  lan -- gw -- r1 .. rN (shared) -+- a0: plain; its last sub-router has a longer way back
       (NAT)                      +- b0: ECMP diamonds, 2x2 (b1 b3 or b2 b4), and 1 against 2 below bs1
                                  +- c0: silent routers (c1; cq1 cq2 below cs1), a rate limited one (c2)
                                  +- d0: a long chain
                                  (each region ends in sub-routers with leaf networks)

All is computed, nothing touches the kernel; the same arguments give the same names, addresses and
paths.  A link has an upper end (nearer gw) and a lower end; a "back" link carries only replies.

Addresses are of the kind that the real internet has, for the prober refuses others (RFC 6890); no
packet leaves the namespaces.  A leaf owns a /24, and a /64 that is alone in its /48.
"""
import dataclasses
import functools

LAN4, LAN4_GW, LAN4_HOST = "192.168.77.0/24", "192.168.77.1", "192.168.77.10"
LAN6, LAN6_GW, LAN6_HOST = "2a01:77::/64", "2a01:77::1", "2a01:77::10"
OPEN_PORTS = (80, 443)

PRESETS = {
    # 64 leaf networks, 8 to 16 hops, delays on a handful of links: RTT 24 to 90 ms.
    "default": {"shared": 5, "subs": 4, "per_sub": 4, "deep": 8},
    # 1024 leaf networks: far less is shared.
    "wide": {"shared": 5, "subs": 16, "per_sub": 16, "deep": 8},
    # 32 leaf networks, 6 to 12 hops, for quick tests.
    "small": {"shared": 3, "subs": 2, "per_sub": 4, "deep": 3},
}

# Of four leaves below a sub-router two are open, one refuses, one filters or drops.
#   open: TCP 80 and 443 accept, other TCP RST, UDP unreachable, echo answers
#   rst: no listener; fw: only TCP 80 and 443 answer; drop: nothing answers
ANSWERS = {"tcp": ("open", "rst", "fw"), "udp": ("open", "rst"), "icmp": ("open", "rst")}


@dataclasses.dataclass
class Node:
    name: str
    kind: str = "router"  # lan gw router leaf
    silent: bool = False  # never sends Time Exceeded
    rate_ms: int = 0      # one ICMP error in so many ms to one address
    answer: str = ""      # of a leaf: open rst fw drop
    leaf: int = -1        # number of the leaf
    seed: int = 0         # fib_multipath_hash_seed
    back: str = ""        # the node that replies leave by, when not the first parent
    addresses: list = dataclasses.field(default_factory=list)

    def answers(self, proto):
        """Whether a probe that ends here is answered."""
        return self.answer in ANSWERS[proto] if self.kind == "leaf" else not self.silent


@dataclasses.dataclass
class Link:
    up: str
    low: str
    delay_us: int
    tap: bool
    back: bool
    up4: str = ""
    low4: str = ""
    up6: str = ""
    low6: str = ""
    net4: str = ""
    net6: str = ""


class Topo:
    def __init__(self, shared, subs, per_sub, deep):
        self.nodes, self.links = {}, []
        self._children, self._parents, self._by_pair = {}, {}, {}
        self._build(shared, subs, per_sub, deep)
        self._number()

    # Shape

    def _node(self, name, **kw):
        self.nodes[name] = Node(name, seed=1000 + 7919 * len(self.nodes), **kw)
        self._children[name], self._parents[name] = [], []
        return name

    def _link(self, up, low, ms=0.0, tap=False, back=False):
        link = Link(up, low, int(ms * 1000), tap or ms > 0, back)
        self.links.append(link)
        self._by_pair[up, low] = link
        if not back:
            self._children[up].append(low)
            self._parents[low].append(up)

    def _chain(self, parent, names, ms=(), **kw):
        for i, name in enumerate(names):
            self._node(name, **kw)
            self._link(parent, name, ms[i] if i < len(ms) else 0.0)
            parent = name
        return parent

    def _build(self, shared, subs, per_sub, deep):
        self._node("lan", kind="lan")
        self._node("gw", kind="gw")
        core = [f"r{i + 1}" for i in range(shared)]
        for i, name in enumerate(core):
            self._node(name)
            # The first link is always a TAP: what a tool sends is queued there, so its CPU time is its
            # own and not that of forwarding through the whole internet.
            self._link(core[i - 1] if i else "gw", name, {0: 4.0, 3: 6.0}.get(i, 0.0), tap=i == 0)
        top = core[-1]

        # a: replies to gw from the last sub-router take three more hops and 15 ms
        last = self._subs("a", self._chain(top, ["a0"], [2.0]), subs, per_sub)[-1]
        up = top
        for name in ("ar3", "ar2", "ar1"):
            self._node(name)
            self._link(up, name, 15.0 if name == "ar3" else 0.0, back=True)
            self.nodes[name].back = up
            up = name
        self._link(up, last, back=True)
        self.nodes[last].back = up

        b = self._chain(top, ["b0"], [10.0])
        b3, b4 = self._chain(b, ["b1", "b3"]), self._chain(b, ["b2", "b4"])
        self._node("b5")
        self._link(b3, "b5")
        self._link(b4, "b5")
        self._subs("b", "b5", subs, per_sub)

        self._chain(self._chain(top, ["c0"], [20.0]), ["c1"], silent=True)
        self._chain("c1", ["c2"], rate_ms=100)
        self._subs("c", "c2", subs, per_sub)

        ms = [5.0] + [0.0] * deep
        if deep >= 4:
            ms[4] = 30.0
        self._subs("d", self._chain(top, [f"d{i}" for i in range(deep + 1)], ms), subs, per_sub)

    def _subs(self, region, parent, subs, per_sub):
        """Sub-routers with their leaves; the second of b and of c has something special below it."""
        out = []
        for s in range(subs):
            hang = self._chain(parent, [f"{region}s{s}"])
            out.append(hang)
            if region == "b" and s == 1:
                one, two = self._chain(hang, ["bu1"]), self._chain(hang, ["bu2", "bu3"])
                hang = self._node("bu4")
                self._link(one, hang)
                self._link(two, hang)
            elif region == "c" and s == 1:
                self._chain(hang, ["cq1", "cq2"], silent=True)
                hang = self._chain("cq2", ["cq3"])
            for k in range(per_sub):
                answer = ("open", "open", "rst", "fw" if s % 2 else "drop")[k % 4]
                n = sum(node.kind == "leaf" for node in self.nodes.values())
                leaf = self._node(f"{region}{s}l{k}", kind="leaf", answer=answer, leaf=n)
                self._link(hang, leaf)
        return out

    # Addresses

    def _number(self):
        for k, link in enumerate(self.links, 1):
            hi, lo = divmod(2 * k, 256)
            link.up4, link.low4, link.net4 = f"20.18.{hi}.{lo}", f"20.18.{hi}.{lo + 1}", f"20.18.{hi}.{lo}/31"
            link.up6, link.low6, link.net6 = f"2a01:18:{k:x}::1", f"2a01:18:{k:x}::2", f"2a01:18:{k:x}::/64"
            self.nodes[link.up].addresses += link.up4, link.up6
            self.nodes[link.low].addresses += link.low4, link.low6
        self.leaves = [n for n in self.nodes.values() if n.kind == "leaf"]

    @staticmethod
    def net4(leaf):
        return f"20.{19 + leaf.leaf // 256}.{leaf.leaf % 256}.0/24"

    @staticmethod
    def net6(leaf):
        return f"2a01:19:{leaf.leaf + 1:x}::/64"

    def address(self, leaf, family, host=1):
        """Host number 1 to 254 of a leaf network."""
        return self.net4(leaf)[:-4] + str(host) if family == 4 else self.net6(leaf)[:-3] + f"{host:x}"

    def wan(self, family):
        """The gateway's own address outside."""
        return self.links[0].up4 if family == 4 else self.links[0].up6

    def destinations(self, n, family, answers=("open", "fw")):
        """n addresses, one leaf network after another, then the next host of each."""
        pool = [leaf for leaf in self.leaves if leaf.answer in answers]
        return [self.address(pool[i % len(pool)], family, 1 + i // len(pool)) for i in range(n)]

    # Routes

    def children(self, name):
        return self._children[name]

    def link(self, up, low):
        return self._by_pair[up, low]

    @functools.lru_cache(maxsize=None)
    def below(self, name):
        """Names of every node that packets reach through this one, itself included."""
        return frozenset({name}).union(*(self.below(child) for child in self._children[name]))

    def back_of(self, name):
        """The node that replies from here go to next, on their way to gw."""
        return self.nodes[name].back or self._parents[name][0]

    def next_hops(self, name, target):
        """Links that a packet for target may leave by."""
        return [self._by_pair[name, child] for child in self._children[name] if target in self.below(child)]

    def routes(self, name):
        """Routes down: [(IPv4 prefix, IPv6 prefix, [Link, ...]), ...]."""
        rows = [(self.net4(leaf), self.net6(leaf), self.next_hops(name, leaf.name)) for leaf in self.leaves]
        # A link's network is reached through its upper end.
        rows += [(link.net4, link.net6, self.next_hops(name, link.up)[:1]) for link in self.links
                 if name not in (link.up, link.low)]
        return [row for row in rows if row[2]]

    # Truth

    @functools.lru_cache(maxsize=None)
    def paths(self, leaf_name):
        """Every forward path from gw to a leaf, without gw, as names."""
        out = []

        def walk(name, path):
            if name == leaf_name:
                out.append(path)
            for link in self.next_hops(name, leaf_name):
                walk(link.low, path + (link.low,))

        walk("gw", ())
        return out

    def rtt_us(self, path, ttl):
        """Delay there and back of the answer of hop number ttl, as configured."""
        us, at = 0, "gw"
        for name in path[:ttl]:
            us += self.link(at, name).delay_us
            at = name
        while at != "gw":
            back = self.back_of(at)
            us += self.link(back, at).delay_us
            at = back
        return us
