// SPDX-License-Identifier: GPL-2.0-or-later
// One chromium page, driven by test_page.py: a JSON command a line on stdin, an answer a line on
// stdout.  Keeps what a page must never cause: dialogs, console errors, requests to elsewhere.
//   node driver.mjs NODE_MODULES_PARENT PROFILE_FOLDER [gl]: with WebGL in software, which makes all painting slower
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';

const [, , modules, profile, gl] = process.argv;
const { chromium } = createRequire(path.join(modules, 'package.json'))('playwright-core');

const context = await chromium.launchPersistentContext(profile, {
	executablePath: '/usr/bin/chromium',
	headless: true,
	args: ['--no-sandbox', ...gl === 'gl' ? ['--use-angle=swiftshader', '--enable-unsafe-swiftshader'] : ['--disable-gpu'], '--disable-quic', '--no-first-run', '--disable-background-networking',
		'--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
	viewport: { width: 1280, height: 800 },
	colorScheme: 'light',
	reducedMotion: 'reduce',
	timeout: 120000,
});
context.setDefaultTimeout(60000);
const page = context.pages()[0] ?? await context.newPage();
const seen = { dialogs: [], errors: [], requests: [], failed: [] };

page.on('dialog', (d) => {
	seen.dialogs.push(`${d.type()}: ${d.message()}`);
	d.dismiss().catch(() => {});
});
page.on('console', (m) => {
	if (m.type() === 'error' || m.type() === 'warning')
		seen.errors.push(`${m.type()}: ${m.text()} (${m.location().url})`);
});
page.on('pageerror', (e) => seen.errors.push(`uncaught: ${e.stack ?? e}`));
page.on('popup', (p) => seen.errors.push(`popup: ${p.url()}`));
context.on('request', (r) => seen.requests.push(r.url()));
page.on('requestfailed', (r) => seen.failed.push(`${r.url()}: ${r.failure()?.errorText}`));
await page.addInitScript(() => {
	window.violations = [];
	document.addEventListener('securitypolicyviolation', (e) =>
		window.violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
});

const commands = {
	goto: ({ url }) => page.goto(url, { waitUntil: 'load' }).then((r) => ({ status: r.status(), headers: r.headers() })),
	reload: () => page.reload({ waitUntil: 'load' }).then(() => null),
	// `code` is a function's text; it gets `arg`.
	eval: ({ code, arg }) => page.evaluate(`(${code})(${JSON.stringify(arg ?? null)})`),
	press: ({ key }) => page.keyboard.press(key).then(() => null),
	type: ({ text }) => page.keyboard.type(text).then(() => null),
	click: ({ selector }) => page.click(selector).then(() => null),
	hover: ({ selector }) => page.hover(selector).then(() => null),
	away: () => page.mouse.move(1, 1).then(() => null),
	size: ({ width, height }) => page.setViewportSize({ width, height }).then(() => null),
	scheme: ({ scheme }) => page.emulateMedia({ colorScheme: scheme }).then(() => null),
	// `only`: a rule; `but`: a rule left out.
	axe: async ({ only, but }) => {
		const what = only ? { runOnly: [only] } : { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
			rules: but ? { [but]: { enabled: false } } : {} };

		await page.evaluate(`${readFileSync(path.join(modules, 'node_modules/axe-core/axe.min.js'), 'utf8')};null`);
		return page.evaluate(`axe.run(document, ${JSON.stringify(what)})
			.then((r) => r.violations.map((v) => v.id + ': ' + v.help + ': ' + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200)).join(' | ')))`);
	},
	// Nodes that the renderer holds, in the document or not, after its garbage was collected.
	nodes: async () => {
		const cdp = await context.newCDPSession(page);

		await cdp.send('Performance.enable');
		await cdp.send('HeapProfiler.collectGarbage');
		const { metrics } = await cdp.send('Performance.getMetrics');
		await cdp.detach();
		return metrics.find((m) => m.name === 'Nodes').value;
	},
	shot: ({ file, full }) => page.screenshot({ path: file, fullPage: full }).then(() => null),
	seen: async () => ({ ...seen, violations: await page.evaluate('window.violations ?? []') }),
};

process.stdout.write('{"ready":true}\n');
for await (const line of readline.createInterface({ input: process.stdin })) {
	const { op, ...rest } = JSON.parse(line);
	let answer;

	try {
		answer = { value: await commands[op](rest) };
	} catch (e) {
		answer = { error: String(e.stack ?? e) };
	}
	process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await context.close();
