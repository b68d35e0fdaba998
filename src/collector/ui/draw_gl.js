// SPDX-License-Identifier: GPL-2.0-or-later
// Draws the path graph with WebGL2: each link is one instance of a ribbon whose bend the vertex shader
// makes, each hop one of a square whose shape the fragment shader cuts.  Moving and zooming changes four
// numbers; nothing is sent again.  draw_2d.js draws the same where there is no WebGL.
//
// A picture: { links: Float32Array [ax ay bx by width look]..., nodes: Float32Array [x y radius look]... },
// in units of the layout.  look = colour + 8 * flags; the colours are places in a palette of 8.
export const LINK_FLOATS = 6, NODE_FLOATS = 4;
export const LOOK = { OFF: 8, DASHED: 16, SQUARE: 16, FULL: 32, DIAMOND: 64 };

const LINK_VERTEX = `#version 300 es
in vec2 strip;        // place along the link, 0 to 1; side, -1 or 1
in vec4 ends;
in vec2 width_look;
uniform vec4 view;    // scale x y, offset x y: layout to pixels
uniform vec2 size;    // of the canvas, pixels
uniform float thin;   // widths, in pixels of one unit
uniform float pixel;
uniform vec3 palette[8];
out vec3 colour;
out float side, half_px, along;
flat out int look;
void main() {
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
in vec2 corner;
in vec4 node;         // x y radius look
uniform vec4 view;
uniform vec2 size;
uniform float thin, pixel;
uniform vec3 palette[8];
out vec2 at;
out vec3 colour;
flat out int look;
flat out float radius;
void main() {
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

function program(gl, vertex, fragment, attributes, uniforms)
{
	const p = gl.createProgram();

	gl.attachShader(p, shader(gl, gl.VERTEX_SHADER, vertex));
	gl.attachShader(p, shader(gl, gl.FRAGMENT_SHADER, fragment));
	attributes.forEach((name, i) => gl.bindAttribLocation(p, i, name));
	gl.linkProgram(p);
	if (!gl.getProgramParameter(p, gl.LINK_STATUS))
		throw new Error(`WebGL: ${gl.getProgramInfoLog(p)}`);
	return { p, at: Object.fromEntries(uniforms.map((name) => [name, gl.getUniformLocation(p, name)])) };
}

// A strip of `n` pieces: more where a bend is large enough to be seen.
function strip(n)
{
	const list = new Float32Array((n + 1) * 4);

	for (let i = 0; i <= n; i++)
		list.set([i / n, -1, i / n, 1], i * 4);
	return list;
}

const STRIPS = [1, 8, 16];

// Attributes of one vertex array: [place, floats, offset in floats], all from one buffer with a stride.
function points_at(gl, buffer, stride, list, each)
{
	gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
	for (const [place, n, offset] of list) {
		gl.enableVertexAttribArray(place);
		gl.vertexAttribPointer(place, n, gl.FLOAT, false, stride * 4, offset * 4);
		gl.vertexAttribDivisor(place, each);
	}
}

// null where the browser has no WebGL2.
export function draw_gl(canvas)
{
	const gl = canvas.getContext('webgl2', { antialias: false, premultipliedAlpha: true, powerPreference: 'low-power' });

	if (!gl)
		return null;
	const uniforms = ['view', 'size', 'thin', 'pixel', 'palette', 'paper'];
	const links = program(gl, LINK_VERTEX, LINK_FRAGMENT, ['strip', 'ends', 'width_look'], uniforms);
	const nodes = program(gl, NODE_VERTEX, NODE_FRAGMENT, ['corner', 'node'], uniforms);
	const link_data = gl.createBuffer(), node_data = gl.createBuffer(), corners = gl.createBuffer();
	const strips = STRIPS.map((n) => {
		const vertices = gl.createBuffer(), array = gl.createVertexArray();

		gl.bindVertexArray(array);
		gl.bindBuffer(gl.ARRAY_BUFFER, vertices);
		gl.bufferData(gl.ARRAY_BUFFER, strip(n), gl.STATIC_DRAW);
		points_at(gl, vertices, 2, [[0, 2, 0]], 0);
		points_at(gl, link_data, LINK_FLOATS, [[1, 4, 0], [2, 2, 4]], 1);
		return { array, n: (n + 1) * 2, vertices };
	});
	const node_array = gl.createVertexArray();
	gl.bindVertexArray(node_array);
	gl.bindBuffer(gl.ARRAY_BUFFER, corners);
	gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
	points_at(gl, corners, 2, [[0, 2, 0]], 0);
	points_at(gl, node_data, NODE_FLOATS, [[1, 4, 0]], 1);
	gl.enable(gl.BLEND);
	gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
	let links_n = 0, nodes_n = 0;

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

	return {
		kind: 'gl',
		set(picture) {
			links_n = picture.links.length / LINK_FLOATS;
			nodes_n = picture.nodes.length / NODE_FLOATS;
			gl.bindBuffer(gl.ARRAY_BUFFER, link_data);
			gl.bufferData(gl.ARRAY_BUFFER, picture.links, gl.DYNAMIC_DRAW);
			gl.bindBuffer(gl.ARRAY_BUFFER, node_data);
			gl.bufferData(gl.ARRAY_BUFFER, picture.nodes, gl.DYNAMIC_DRAW);
		},
		// view: { kx, ky, x, y, thin, bend: 0 to 2 }; look: { pixel, palette, paper }.
		draw(view, look) {
			const s = strips[view.bend];

			gl.viewport(0, 0, canvas.width, canvas.height);
			gl.clearColor(0, 0, 0, 0);
			gl.clear(gl.COLOR_BUFFER_BIT);
			use(links, view, look);
			gl.bindVertexArray(s.array);
			gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, s.n, links_n);
			use(nodes, view, look);
			gl.bindVertexArray(node_array);
			gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, nodes_n);
		},
		free() {
			gl.getExtension('WEBGL_lose_context')?.loseContext();
		},
	};
}
