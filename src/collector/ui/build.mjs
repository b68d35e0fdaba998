// SPDX-License-Identifier: GPL-2.0-or-later
// Bundles the page: `node build.mjs DIR` takes the libraries from DIR/node_modules and writes
// index.html, app.js, app.css and icon.svg to DIR/dist, which the collector carries inside it.
// Fails when the first load would be too heavy or would break the page's own security policy.
import { createRequire } from 'node:module';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const FIRST_LOAD_MAX_BYTES = 60 * 1024; // gzip, all four files

const here = path.dirname(fileURLToPath(import.meta.url));
const dir = path.resolve(process.argv[2] ?? 'build/ui');
const dist = path.join(dir, 'dist');
const modules = path.join(dir, 'node_modules');
const esbuild = createRequire(path.join(dir, 'package.json'))('esbuild');

mkdirSync(dist, { recursive: true });
await esbuild.build({
	entryPoints: { app: path.join(here, 'main.js') },
	outdir: dist,
	nodePaths: [modules],
	bundle: true,
	minify: true,
	format: 'esm',
	target: ['es2021', 'chrome100', 'firefox100', 'safari15.4'],
	legalComments: 'none',
	banner: { js: '/* net-gazer, GPL-2.0-or-later. With preact (MIT), htm (Apache-2.0), uPlot (MIT). */' },
	logLevel: 'warning',
});
await esbuild.build({
	entryPoints: { app: path.join(here, 'app.css') },
	outdir: dist,
	nodePaths: [modules],
	bundle: true,
	minify: true,
	target: ['chrome100', 'firefox100', 'safari15.4'],
	logLevel: 'warning',
});
for (const name of ['index.html', 'icon.svg'])
	writeFileSync(path.join(dist, name), readFileSync(path.join(here, name)));

let bytes = 0;
const sizes = ['index.html', 'app.js', 'app.css', 'icon.svg'].map((name) => {
	const n = gzipSync(readFileSync(path.join(dist, name)), { level: 9 }).length;
	bytes += n;
	return `${name} ${n}`;
});
if (bytes > FIRST_LOAD_MAX_BYTES)
	throw new Error(`first load is ${bytes} bytes gzip (${sizes.join(', ')}); the limit is ${FIRST_LOAD_MAX_BYTES}`);

const html = readFileSync(path.join(dist, 'index.html'), 'utf8');
if (/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=/i.test(html))
	throw new Error('index.html has an inline script or style: the page\'s Content-Security-Policy forbids them');
const js = readFileSync(path.join(dist, 'app.js'), 'utf8');
if (/sourceMappingURL|\beval\(|new Function\b/.test(js))
	throw new Error('app.js has a source map or evaluates text: the page\'s Content-Security-Policy forbids it');
