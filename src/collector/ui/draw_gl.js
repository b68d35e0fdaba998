// SPDX-License-Identifier: GPL-2.0-or-later
// Draws the path graph with WebGL2: each link is a ribbon whose bend the vertex shader makes, each hop a
// square whose shape the fragment shader cuts.  What they are comes from a texture, by the number of the
// vertex: browsers without a GPU draw instances one by one, at many times the price.  What is outside the
// view is not sent, and a link that looks straight is one piece.  draw_2d.js draws the same without WebGL.
//
// A picture: { links: Float32Array [ax ay bx by width look]..., nodes: Float32Array [x y radius look]... },
// in units of the layout.  look = colour + 8 * flags; the colours are places in a palette of 8.
export const LINK_FLOATS = 6, NODE_FLOATS = 4;
export const LOOK = { OFF: 8, DASHED: 16, SQUARE: 16, FULL: 32, DIAMOND: 64 };

// Rows of a texture: TEXELS of four numbers each.
const TEXELS = 1024, LINK_TEXELS = 2, NODE_TEXELS = 1;
const PULL = `
uniform highp sampler2D items;
vec4 item(int i) {
	return texelFetch(items, ivec2(i % ${TEXELS}, i / ${TEXELS}), 0);
}
// One of the six corners of two triangles.
vec2 corner_of(int k) {
	return vec2(k == 2 || k == 3 || k == 5 ? 1.0 : 0.0, k == 1 || k >= 4 ? 1.0 : -1.0);
}`;

const LINK_VERTEX = `#version 300 es
${PULL}
uniform int pieces;
uniform vec4 view;    // scale x y, offset x y: layout to pixels
uniform vec2 size;    // of the canvas, pixels
uniform float thin;   // widths, in pixels of one unit
uniform float pixel;
uniform vec3 palette[8];
out vec3 colour;
out float side, half_px, along;
flat out int look;
void main() {
	int link = gl_VertexID / (6 * pieces), k = gl_VertexID % (6 * pieces);
	vec4 ends = item(link * 2);
	vec2 width_look = item(link * 2 + 1).xy, corner = corner_of(k % 6);
	// Place along the link, 0 to 1; side, -1 or 1.
	vec2 strip = vec2((float(k / 6) + corner.x) / float(pieces), corner.y);
	vec2 a = ends.xy * view.xy + view.zw, b = ends.zw * view.xy + view.zw;
	float t = strip.x, s = t * t * (3.0 - 2.0 * t), mid = (a.x + b.x) / 2.0;
	float u = 1.0 - t;
	vec2 at = vec2(u * u * u * a.x + 3.0 * u * t * mid + t * t * t * b.x, mix(a.y, b.y, s));
	vec2 way = vec2(3.0 * (u * u * (mid - a.x) + t * t * (b.x - mid)) + 1e-4, 6.0 * t * u * (b.y - a.y));
	vec2 across = normalize(vec2(-way.y, way.x));
	look = int(width_look.y + 0.5);
	half_px = max(width_look.x * thin, pixel) / 2.0 + pixel;
	side = strip.y * half_px;
	along = t * length(b - a);
	colour = palette[look & 7];
	vec2 p = (at + across * side) / size * 2.0 - 1.0;
	gl_Position = vec4(p.x, -p.y, 0.0, 1.0);
}`;

const LINK_FRAGMENT = `#version 300 es
precision highp float;
in vec3 colour;
in float side, half_px, along;
flat in int look;
uniform float pixel;
out vec4 o;
void main() {
	if ((look & 16) != 0 && mod(along, 9.0 * pixel) > 3.5 * pixel)
		discard;
	float a = clamp((half_px - abs(side)) / pixel, 0.0, 1.0) * ((look & 8) != 0 ? 0.13 : 1.0);
	o = vec4(colour * a, a);
}`;

const NODE_VERTEX = `#version 300 es
${PULL}
uniform vec4 view;
uniform vec2 size;
uniform float thin, pixel;
uniform vec3 palette[8];
out vec2 at;
out vec3 colour;
flat out int look;
flat out float radius;
void main() {
	vec4 node = item(gl_VertexID / 6);    // x y radius look
	vec2 corner = corner_of(gl_VertexID % 6) * vec2(2.0, 1.0) - vec2(1.0, 0.0);
	look = int(node.w + 0.5);
	radius = max(node.z * thin, 1.2 * pixel);
	at = corner * (radius + pixel);
	colour = palette[look & 7];
	vec2 p = (node.xy * view.xy + view.zw + at) / size * 2.0 - 1.0;
	gl_Position = vec4(p.x, -p.y, 0.0, 1.0);
}`;

const NODE_FRAGMENT = `#version 300 es
precision highp float;
in vec2 at;
in vec3 colour;
flat in int look;
flat in float radius;
uniform float pixel;
uniform vec3 paper;
out vec4 o;
void main() {
	float d = (look & 64) != 0 ? abs(at.x) + abs(at.y) : (look & 16) != 0 ? max(abs(at.x), abs(at.y)) : length(at);
	float in_ring = (look & 32) != 0 ? 0.0 : clamp((radius - 1.5 * pixel - d) / pixel + 0.5, 0.0, 1.0);
	float a = clamp((radius - d) / pixel + 0.5, 0.0, 1.0) * ((look & 8) != 0 ? 0.13 : 1.0);
	o = vec4(mix(colour, paper, in_ring) * a, a);
}`;

function shader(gl, type, text)
{
	const s = gl.createShader(type);

	gl.shaderSource(s, text);
	gl.compileShader(s);
	return s;
}

function program(gl, vertex, fragment, uniforms)
{
	const p = gl.createProgram();

	gl.attachShader(p, shader(gl, gl.VERTEX_SHADER, vertex));
	gl.attachShader(p, shader(gl, gl.FRAGMENT_SHADER, fragment));
	gl.linkProgram(p);
	if (!gl.getProgramParameter(p, gl.LINK_STATUS))
		throw new Error(`WebGL: ${gl.getProgramInfoLog(p)}`);
	return { p, at: Object.fromEntries(uniforms.map((name) => [name, gl.getUniformLocation(p, name)])) };
}

const PIECES = 24, STRAIGHT_PX = 2, EDGE_PX = 20;

// Whether what reaches from a to b (ax <= bx), in units of the layout, touches a canvas of this size.
export function in_view({ kx, ky, x, y }, w, h)
{
	return (ax, ay, bx, by) => bx * kx + x > -EDGE_PX && ax * kx + x < w + EDGE_PX &&
		Math.max(ay, by) * ky + y > -EDGE_PX && Math.min(ay, by) * ky + y < h + EDGE_PX;
}

// Those items of `list` (floats each) that are wanted, one behind the other in `to` (texels each): how many.
function choose(list, floats, to, texels, wanted)
{
	let n = 0;

	for (let i = 0; i < list.length; i += floats)
		if (wanted(list, i)) {
			for (let k = 0; k < floats; k++)
				to[n * texels * 4 + k] = list[i + k];
			n++;
		}
	return n;
}

function rows_for(items, texels)
{
	return new Float32Array(Math.ceil(items * texels / TEXELS) * TEXELS * 4);
}

// null where the browser has no WebGL2.
export function draw_gl(canvas)
{
	const gl = canvas.getContext('webgl2', { antialias: false, premultipliedAlpha: true, powerPreference: 'low-power' });

	if (!gl)
		return null;
	const uniforms = ['view', 'size', 'thin', 'pixel', 'palette', 'paper', 'pieces'];
	const links = program(gl, LINK_VERTEX, LINK_FRAGMENT, uniforms);
	const nodes = program(gl, NODE_VERTEX, NODE_FRAGMENT, uniforms);

	gl.bindVertexArray(gl.createVertexArray());
	gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
	gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
	gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
	gl.enable(gl.BLEND);
	gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
	let picture, link_rows, node_rows;

	function use({ p, at }, view, look)
	{
		gl.useProgram(p);
		gl.uniform4f(at.view, view.kx * look.pixel, view.ky * look.pixel, view.x * look.pixel, view.y * look.pixel);
		gl.uniform2f(at.size, canvas.width, canvas.height);
		gl.uniform1f(at.thin, view.thin * look.pixel);
		gl.uniform1f(at.pixel, look.pixel);
		gl.uniform3fv(at.palette, look.palette);
		if (at.paper)
			gl.uniform3fv(at.paper, look.paper);
	}

	function show(rows, texels, n, vertices)
	{
		const height = Math.ceil(n * texels / TEXELS);

		if (!n)
			return;
		gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, TEXELS, height, 0, gl.RGBA, gl.FLOAT, rows);
		gl.drawArrays(gl.TRIANGLES, 0, n * vertices);
	}

	return {
		kind: 'gl',
		set(next) {
			picture = next;
			link_rows = rows_for(next.links.length / LINK_FLOATS, LINK_TEXELS);
			node_rows = rows_for(next.nodes.length / NODE_FLOATS, NODE_TEXELS);
		},
		// view: { kx, ky, x, y, thin, bend: false where columns are too near }; look: { pixel, palette, paper }.
		draw(view, look) {
			const seen = in_view(view, canvas.width / look.pixel, canvas.height / look.pixel);
			const straight = (l, i) => !view.bend || Math.abs(l[i + 1] - l[i + 3]) * view.ky < STRAIGHT_PX;

			gl.viewport(0, 0, canvas.width, canvas.height);
			gl.clearColor(0, 0, 0, 0);
			gl.clear(gl.COLOR_BUFFER_BIT);
			use(links, view, look);
			for (const bent of [false, true]) {
				const pieces = bent ? PIECES : 1;
				const n = choose(picture.links, LINK_FLOATS, link_rows, LINK_TEXELS, (l, i) => straight(l, i) !== bent && seen(l[i], l[i + 1], l[i + 2], l[i + 3]));

				gl.uniform1i(links.at.pieces, pieces);
				show(link_rows, LINK_TEXELS, n, 6 * pieces);
			}
			use(nodes, view, look);
			show(node_rows, NODE_TEXELS, choose(picture.nodes, NODE_FLOATS, node_rows, NODE_TEXELS, (l, i) => seen(l[i], l[i + 1], l[i], l[i + 1])), 6);
		},
		free() {
			gl.getExtension('WEBGL_lose_context')?.loseContext();
		},
	};
}
