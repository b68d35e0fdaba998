// SPDX-License-Identifier: GPL-2.0-or-later
// Runs of sensors: which is the latest of each, and whether it still reports.
const SILENT_AFTER_S = 35; // three stat reports, one each 10 s, and a little

export function sensor_silent(s)
{
	return s.stat_age_s === undefined || s.stat_age_s > SILENT_AFTER_S;
}

// A sensor that was started again is one sensor: its newest run counts, earlier ones are apart.
export function latest_runs(list)
{
	const seen = new Set(), latest = [], older = [];

	for (const s of list.slice().sort((a, b) => String(b.last_rx).localeCompare(String(a.last_rx)))) {
		(seen.has(s.sensor) ? older : latest).push(s);
		seen.add(s.sensor);
	}
	latest.sort((a, b) => a.sensor.localeCompare(b.sensor));
	return { latest, older };
}
