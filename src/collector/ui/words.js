// SPDX-License-Identifier: GPL-2.0-or-later
// What each word and number on the page means, in plain words: shown on hover, on focus, and in the
// ledger's help.

export const WORDS = {
	__proto__: null,
	// handshake states
	established: 'SYN, SYN-ACK and the closing ACK were seen: the connection stood.',
	answered: 'The other side sent its SYN-ACK. The closing ACK is not watched, or was not seen.',
	refused: 'The other side answered with a reset: nothing listens there, or it does not want us.',
	timeout: 'No answer came to the SYN.',
	unreachable: 'A router answered with an ICMP error instead of the destination.',
	aborted: 'The initiator gave up with a reset before the answer came.',
	orphan: 'A SYN-ACK whose SYN was not seen: it took another way, or was sampled out.',
	other: 'Unreachable, aborted, or without its SYN.',
	untold: 'Failed, counted by an earlier version of the collector, which did not keep how.',
	// directions
	outbound: 'From the home networks, or from the router itself, to the outside.',
	inbound: 'From the outside to the home networks, or to the router itself.',
	internal: 'Both ends are in the home networks, or one is the router itself.',
	external: 'Neither end is in the home networks.',
	local: 'Over loopback: the router to itself.',
	// firewall verdicts, seen from the rules before and behind the filter
	accepted: 'The firewall let the SYN through: it was seen before the filter and behind it.',
	dropped: 'The SYN was seen before the firewall\'s filter and did not come out behind it.',
	rejected: 'The firewall answered the SYN with a refusal.',
	// kinds of attempts
	single: 'One port of one address at a time, however many in all.',
	vertical_scan: 'Many ports of one address.',
	horizontal_scan: 'One port of many addresses.',
	flood: 'More SYNs than somebody would send who wants an answer.',
	// numbers of a row
	rtt: 'From the last SYN to its SYN-ACK, as the firewall\'s kernel stamped them: the way to the destination and back.',
	rtt_src: 'From the SYN-ACK to the ACK that ends the handshake: the way to the one who asked and back, and how fast he is.',
	setup: 'From the first SYN to the SYN-ACK, waits for retransmission included: what the person felt.',
	retrans: 'How often the SYN had to be sent again.',
	ambiguous: 'The SYN was sent more than once: nobody can know which one was answered, so this time stays out of median and p95.',
	coverage: 'Packets understood, of all that the rules matched. What is missing was sampled out, lost, unreadable, or is just under way; the ledger says which.',
	// the ledger
	seen: 'Packets that the firewall\'s rules matched: handshakes, attempts, and what the plugins asked for.',
	sampled_out: 'Matched, but above the rate limit in the rules: counted and let go, so that a flood cannot drown the router.',
	logged: 'Copied by the kernel for the sensor (NFLOG).',
	received: 'Copies that the analyzer read.',
	gap: 'Copies that the kernel numbered but could not deliver: the sensor was too slow, or its queue too small.',
	tail: 'Copied, but not yet read: under way just now. A tail that stays is loss with nothing behind it to show the gap.',
	parsed: 'Understood: these are in the numbers above.',
	truncated: 'The copy ended inside a header.',
	malformed: 'Not a valid packet: lengths or flags contradict each other.',
	unsupported: 'Valid, but of a kind that the decoder does not read.',
	in_hand: 'Read, then lost because the analyzer crashed while it held them. It was started again.',
	filtered: 'Understood, but not on an interface that the configuration names.',
	reports: 'Reports that the sensor made, of all types.',
	reports_dropped: 'Reports that the sensor had to give up because the collector could not take them in time.',
	numbered: 'Every report carries a number; these are the numbers from the first to the last that came here.',
	stored: 'Reports of this run that the collector keeps, each once.',
	missing: 'Numbers between the first and the last that never came: dropped by the sensor, or still under way.',
	flows_live: 'Handshakes that the sensor is following at this moment.',
	flows_evicted: 'Handshakes that had to make room for others in the full table.',
	no_ts: 'Packets without the kernel\'s time: the time of receipt was taken, so their times are a little late.',
	clock_steps: 'Jumps of the sensor\'s clock. A handshake across one has no RTT.',
	kernel_drops: 'Lost inside the kernel, by NFLOG\'s own sequence numbers.',
	enobufs: 'Times that the kernel said the sensor\'s queue was full.',
	offload: 'Whether the router moves established connections past the firewall. Handshakes are seen all the same.',
	rss_kib: 'Memory of the sensor\'s processes.',
	cpu_us: 'Processor time of the sensor since it started.',
	// paths
	hops: 'The distance of the destination, or of the last router that answered.',
	silent: 'Distances at which nobody answered. Some routers never do; it is no fault of the connection.',
	added: 'How much longer the answer takes than that of the hop before. A router that answers slowly makes its own time longer, and not that of those behind it.',
	cached: 'Known from other paths of the last hours, so it was not probed again.',
	nat: 'Addresses were translated between here and the hop before.',
	mpls: 'The label that the packet carried there.',
	path_changed: 'The same flow took other routers than in the trace before.',
	// sandbox
	no_caps: 'The process that reads packets holds no privilege.',
	no_new_privs: 'It cannot gain one by starting another program.',
	seccomp: 'It may only use a short list of system calls.',
	landlock: 'It can open no file. Kernels before 5.13 do not have this, and some routers leave it out.',
	// plugins
	degraded: 'The plugin works, but lost or skipped something: see its counters.',
	disabled: 'Switched off by the sensor after repeated crashes; everything else goes on.',
	calls: 'How often the sensor called the plugin.',
	cpu_per_call: 'Average time of one call.',
	max_us: 'The slowest single call.',
};

// The way of a handshake as its row says it.
export const WAYS = { __proto__: null, outbound: 'out', inbound: 'in', internal: 'lan', external: 'ext', local: 'local', unknown: '?' };

export const LEDGER_HELP = [
	['seen', 'Seen'], ['sampled_out', 'Sampled out'], ['logged', 'Logged'], ['received', 'Received'], ['gap', 'Gap'],
	['tail', 'Tail'], ['parsed', 'Parsed'], ['truncated', 'Truncated'], ['malformed', 'Malformed'],
	['unsupported', 'Unsupported'], ['in_hand', 'In hand'], ['reports', 'Reports'], ['reports_dropped', 'Dropped'],
	['numbered', 'Numbered'], ['stored', 'Stored'], ['missing', 'Missing'], ['coverage', 'Coverage'],
];
