// SPDX-License-Identifier: GPL-2.0-or-later
// Bundles the page: `node build.mjs DIR` takes the libraries from DIR/node_modules and writes to DIR/dist
// what the collector carries inside it: index.html, app.js, app.css, icon.svg, and a file for each page that
// is loaded when it is first looked at; and the same packed (NAME.gz).
//
// app.js holds all that more than one page needs, and hands it to them: a page's file imports it from
// ./app.js, which the browser has.  So names are fixed, nothing is there twice, and no page waits for another.
//
// Fails when a page would be too heavy or would break the page's own security policy.
import { createRequire } from 'node:module';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { world } from './world.mjs';

const FIRST_LOAD_MAX_BYTES = 80 * 1024; // gzip: what the first page needs
const WITH_MAP_MAX_BYTES = 120 * 1024;  // gzip: the same and the map
const ALL_MAX_BYTES = 150 * 1024;       // gzip: all pages

const here = path.dirname(fileURLToPath(import.meta.url));
const dir = path.resolve(process.argv[2] ?? 'build/ui');
const dist = path.join(dir, 'dist');
const modules = path.join(dir, 'node_modules');
const esbuild = createRequire(path.join(dir, 'package.json'))('esbuild');
const { PAGES } = await import('./pages.js');

const common = {
	outdir: dist,
	nodePaths: [modules],
	bundle: true,
	minify: true,
	target: ['es2021', 'chrome100', 'firefox100', 'safari15.4'],
	legalComments: 'none',
	logLevel: 'warning',
};
const banner = (libraries) => ({ js: `/* net-gazer, GPL-2.0-or-later.${libraries} */` });

// import() of a page stays as it is.
const lazy = {
	name: 'lazy pages',
	setup: (build) => build.onResolve({ filter: /^\./ }, (a) =>
		a.kind === 'dynamic-import' ? { path: a.path, external: true } : null),
};

// The countries' shapes, as the map's file has them inside.
const world_data = {
	name: 'world data',
	setup: (build) => {
		build.onResolve({ filter: /^world-data$/ }, (a) => ({ path: a.path, namespace: 'world' }));
		build.onLoad({ filter: /./, namespace: 'world' }, async () => ({ contents: JSON.stringify(await world(dir)), loader: 'json' }));
	},
};

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });

// What is in app.js is known only when it was made once.
const app = { ...common, format: 'esm', metafile: true, plugins: [lazy] };
const { metafile } = await esbuild.build({ ...app, entryPoints: { app: path.join(here, 'main.js') }, write: false });
const shared = new Set(Object.keys(metafile.inputs).map((f) => path.resolve(f)));
const own = [...shared].filter((f) => path.dirname(f) === here && !['main.js', 'page.js', 'now.js', 'login.js'].includes(path.basename(f)));
await esbuild.build({
	...app,
	stdin: {
		contents: ["import './main.js'", "export * from 'preact'", ...own.map((f) => `export * from './${path.basename(f)}'`)].join(';\n'),
		resolveDir: here, sourcefile: 'app.js',
	},
	entryNames: 'app',
	banner: banner(' With preact (MIT), htm (Apache-2.0), uPlot (MIT).'),
});

const from_app = {
	name: 'from app.js',
	setup: (build) => build.onResolve({ filter: /^(\.\/.*\.js|preact)$/ }, (a) =>
		a.kind === 'import-statement' && (a.path === 'preact' || shared.has(path.resolve(a.resolveDir, a.path)))
			? { path: './app.js', external: true } : null),
};
const lazy_files = PAGES.filter((p) => p.load).map((p) => `${p.id}.js`);
for (const name of lazy_files)
	await esbuild.build({ ...common, format: 'esm', entryPoints: { [path.basename(name, '.js')]: path.join(here, name) },
		plugins: [lazy, world_data, from_app], banner: banner('') });
await esbuild.build({ ...common, entryPoints: { app: path.join(here, 'app.css') }, target: ['chrome100', 'firefox100', 'safari15.4'] });
for (const name of ['index.html', 'icon.svg'])
	writeFileSync(path.join(dist, name), readFileSync(path.join(here, name)));

// As a browser would find it out: a page that wants what app.js does not hand out.
const handed = new Set([...readFileSync(path.join(dist, 'app.js'), 'utf8').matchAll(/export\{([^}]*)\}/g)]
	.flatMap((m) => m[1].split(',').map((x) => x.split(' as ').pop())));
for (const name of lazy_files)
	for (const [, list] of readFileSync(path.join(dist, name), 'utf8').matchAll(/import\{([^}]*)\}from"\.\/app\.js"/g))
		for (const x of list.split(',').map((y) => y.split(' as ')[0]))
			if (!handed.has(x))
				throw new Error(`${name} imports ${x}, which app.js does not export (two modules with that name?)`);

const sizes = new Map(readdirSync(dist).map((name) => {
	const packed = gzipSync(readFileSync(path.join(dist, name)), { level: 9 });
	if (!name.endsWith('.svg'))
		writeFileSync(path.join(dist, `${name}.gz`), packed);
	return [name, packed.length];
}));
const sum = (names) => names.reduce((n, name) => n + sizes.get(name), 0);
const said = [...sizes].map(([name, n]) => `${name} ${n}`).join(', ');
const first = sum(['index.html', 'app.js', 'app.css', 'icon.svg']), with_map = first + (sizes.get('map.js') ?? 0), all = sum([...sizes.keys()]);
if (first > FIRST_LOAD_MAX_BYTES || with_map > WITH_MAP_MAX_BYTES || all > ALL_MAX_BYTES)
	throw new Error(`first load is ${first} bytes gzip of ${FIRST_LOAD_MAX_BYTES}, with the map ${with_map} of ${WITH_MAP_MAX_BYTES}, all pages ${all} of ${ALL_MAX_BYTES}: ${said}`);

const html = readFileSync(path.join(dist, 'index.html'), 'utf8');
if (/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=/i.test(html))
	throw new Error('index.html has an inline script or style: the page\'s Content-Security-Policy forbids them');
for (const name of ['app.js', ...lazy_files])
	if (/sourceMappingURL|\beval\(|new Function\b/.test(readFileSync(path.join(dist, name), 'utf8')))
		throw new Error(`${name} has a source map or evaluates text: the page's Content-Security-Policy forbids it`);
