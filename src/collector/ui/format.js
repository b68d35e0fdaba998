// SPDX-License-Identifier: GPL-2.0-or-later
// Values to words: microseconds, counts, shares, ages.  Pure functions; unknown is `undefined` and
// stays visible as a dash, never as 0.

export const UNKNOWN = '–';

const count_format = new Intl.NumberFormat('en-US');

export function count(n)
{
	return Number.isFinite(n) ? count_format.format(n) : UNKNOWN;
}

// Milliseconds with three figures: 0.81, 20.1, 310.  `decimals` lets a column line the points up.
export function ms(us)
{
	if (!Number.isFinite(us))
		return { text: UNKNOWN, decimals: 0 };
	const v = us / 1000;
	const decimals = v < 9.995 ? 2 : v < 99.95 ? 1 : 0;

	return { text: decimals ? v.toFixed(decimals) : count_format.format(Math.round(v)), decimals };
}

// The same with its unit, for a number that stands alone.
export function span(us)
{
	if (!Number.isFinite(us))
		return { text: UNKNOWN, unit: '' };
	if (us < 1000)
		return { text: String(Math.round(us)), unit: 'µs' };
	if (us < 999500)
		return { text: ms(us).text, unit: 'ms' };
	return { text: (us / 1e6).toFixed(us < 9.995e6 ? 2 : 1), unit: 's' };
}

// A share never rounds to a lie: 99.996 % is not 100 %, one in a million is not 0 %.
export function percent(part, whole)
{
	if (!Number.isFinite(part) || !Number.isFinite(whole) || whole <= 0)
		return UNKNOWN;
	const p = part / whole * 100;

	if (p <= 0)
		return '0';
	if (p >= 100)
		return '100';
	if (p < 0.1)
		return '<0.1';
	if (p > 99.99)
		return '>99.99';
	if (p > 99)
		return (Math.floor(p * 100) / 100).toFixed(2);
	return p.toFixed(1);
}

export function age(s)
{
	if (s < 1)
		return 'now';
	if (s < 60)
		return `${Math.floor(s)} s`;
	if (s < 3600)
		return `${Math.floor(s / 60)} min`;
	if (s < 2 * 86400)
		return `${Math.floor(s / 3600)} h`;
	return `${Math.floor(s / 86400)} d`;
}

export function kib(n)
{
	if (!Number.isFinite(n))
		return UNKNOWN;
	if (n < 1024)
		return `${Number.isInteger(n) ? count(n) : n.toFixed(1)} KiB`;
	return n < 1024 * 1024 ? `${(n / 1024).toFixed(1)} MiB` : `${(n / 1024 / 1024).toFixed(1)} GiB`;
}

// The API's times are strings; a number is taken as it is.
export function unix_s(t)
{
	return typeof t === 'number' ? t : Date.parse(t) / 1000;
}

const pad2 = (n) => String(n).padStart(2, '0');

export function clock(unix_s)
{
	const d = new Date(unix_s * 1000);

	return `${pad2(d.getHours())}:${pad2(d.getMinutes())}:${pad2(d.getSeconds())}`;
}

// The exact time for a hover: as reported, to the microsecond, and as this browser's clock says it.
export function exact(ts)
{
	const t = Date.parse(ts);

	if (!Number.isFinite(t))
		return String(ts);
	return `${String(ts).replace('T', ' ').replace(/Z$/, '')} UTC, ${clock(t / 1000)} here`;
}

const SERVICES = {
	20: 'ftp-data', 21: 'ftp', 22: 'ssh', 23: 'telnet', 25: 'smtp', 53: 'dns', 80: 'http', 88: 'kerberos',
	110: 'pop3', 111: 'rpc', 119: 'nntp', 123: 'ntp', 135: 'msrpc', 139: 'netbios', 143: 'imap', 179: 'bgp',
	389: 'ldap', 443: 'https', 445: 'smb', 465: 'smtps', 514: 'syslog', 515: 'lpd', 548: 'afp', 554: 'rtsp',
	587: 'submission', 631: 'ipp', 636: 'ldaps', 853: 'dns-tls', 873: 'rsync', 993: 'imaps', 995: 'pop3s',
	1194: 'openvpn', 1433: 'mssql', 1521: 'oracle', 1723: 'pptp', 1883: 'mqtt', 2049: 'nfs', 3128: 'proxy',
	3306: 'mysql', 3389: 'rdp', 5060: 'sip', 5222: 'xmpp', 5223: 'push', 5228: 'gcm', 5432: 'postgres',
	5900: 'vnc', 6379: 'redis', 6443: 'kube', 8080: 'http-alt', 8443: 'https-alt', 8883: 'mqtts',
	9100: 'print', 9200: 'elastic', 11211: 'memcache', 27017: 'mongo',
};

export function service(port)
{
	return SERVICES[port];
}

export function host_port(ip, port)
{
	if (port === undefined)
		return String(ip);
	return String(ip).includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

// As the API takes a time, to the second.
export function iso_s(unix_s)
{
	return new Date(unix_s * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
}

// Day and time here, for what is not of today: 21 Nov 19:04.
export function day_clock(unix_s)
{
	const d = new Date(unix_s * 1000);

	return `${d.getDate()} ${MONTHS[d.getMonth()]} ${pad2(d.getHours())}:${pad2(d.getMinutes())}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export const WINDOWS = [
	{ s: 300, id: '5m', label: '5 min', words: '5 minutes' },
	{ s: 3600, id: '1h', label: '1 h', words: 'hour' },
	{ s: 86400, id: '24h', label: '24 h', words: '24 hours' },
	{ s: 7 * 86400, id: '7d', label: '7 d', words: '7 days' },
	{ s: 30 * 86400, id: '30d', label: '30 d', words: '30 days' },
];

// How long, in words that can follow "the last".
export function long_words(s)
{
	return WINDOWS.find((w) => w.s === s)?.words ?? (s % 86400 ? s % 3600 ? `${Math.round(s / 60)} minutes` : `${s / 3600} hours` : `${s / 86400} days`);
}

// Which time an answer is of: wider than asked where minutes, or hours, are no longer kept.
export function covered(v, window_s, until_s)
{
	const from_s = unix_s(v?.from_ts), end_s = unix_s(v?.until_ts);

	if (!(end_s > from_s))
		return { long_s: window_s, until_s, wider: false };
	return { from_s, until_s: end_s, long_s: end_s - from_s, wider: end_s - from_s > Math.ceil(window_s / 60) * 60 };
}

const ABOUT = 1.05; // so much longer is still called by its name

// "last hour", "hour until 21 Nov 19:04": of the answer `v`, once it is here.
export function window_words(window_s, until_s, v)
{
	const c = covered(v, window_s, until_s);
	const words = long_words(c.long_s > window_s * ABOUT ? c.long_s : window_s);

	return until_s ? `${words} until ${day_clock(c.until_s)}` : words;
}
