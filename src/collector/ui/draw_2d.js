// SPDX-License-Identifier: GPL-2.0-or-later
// Draws the path graph on a plain canvas, for browsers without WebGL: the same picture as draw_gl.js, slower.
import { in_view, LINK_FLOATS, LOOK, NODE_FLOATS } from './draw_gl.js';

const DIM = 0.13;

export function draw_2d(canvas)
{
	const c = canvas.getContext('2d');
	let picture = { links: [], nodes: [] };

	function link(l, i, view)
	{
		const ax = l[i] * view.kx + view.x, ay = l[i + 1] * view.ky + view.y;
		const bx = l[i + 2] * view.kx + view.x, by = l[i + 3] * view.ky + view.y, mid = (ax + bx) / 2;

		c.beginPath();
		c.moveTo(ax, ay);
		if (view.bend)
			c.bezierCurveTo(mid, ay, mid, by, bx, by);
		else
			c.lineTo(bx, by);
		c.lineWidth = Math.max(l[i + 4] * view.thin, 1);
		c.stroke();
	}

	function node(l, i, view, paper)
	{
		const x = l[i] * view.kx + view.x, y = l[i + 1] * view.ky + view.y, r = Math.max(l[i + 2] * view.thin, 1.2), look = l[i + 3];

		c.beginPath();
		if (look & LOOK.DIAMOND) {
			c.moveTo(x, y - r);
			c.lineTo(x + r, y);
			c.lineTo(x, y + r);
			c.lineTo(x - r, y);
			c.closePath();
		} else if (look & LOOK.SQUARE) {
			c.rect(x - r, y - r, 2 * r, 2 * r);
		} else {
			c.arc(x, y, r, 0, 7);
		}
		c.fill();
		if (look & LOOK.FULL)
			return;
		c.fillStyle = paper;
		c.beginPath();
		c.arc(x, y, Math.max(r - 1.5, 0), 0, 7);
		c.fill();
	}

	return {
		kind: '2d',
		set(p) {
			picture = p;
		},
		draw(view, look) {
			const colour = (i) => `rgb(${[0, 1, 2].map((k) => Math.round(look.palette[i * 3 + k] * 255)).join()})`;
			const colours = Array.from({ length: 8 }, (_, i) => colour(i));
			const paper = `rgb(${[...look.paper].map((v) => Math.round(v * 255)).join()})`;
			const { links, nodes } = picture;
			const seen = in_view(view, canvas.width / look.pixel, canvas.height / look.pixel);

			c.setTransform(look.pixel, 0, 0, look.pixel, 0, 0);
			c.clearRect(0, 0, canvas.width, canvas.height);
			for (let i = 0; i < links.length; i += LINK_FLOATS) {
				const l = links[i + 5];
				if (!seen(links[i], links[i + 1], links[i + 2], links[i + 3]))
					continue;
				c.strokeStyle = colours[l & 7];
				c.globalAlpha = l & LOOK.OFF ? DIM : 1;
				c.setLineDash(l & LOOK.DASHED ? [3.5, 5.5] : []);
				link(links, i, view);
			}
			c.setLineDash([]);
			for (let i = 0; i < nodes.length; i += NODE_FLOATS) {
				if (!seen(nodes[i], nodes[i + 1], nodes[i], nodes[i + 1]))
					continue;
				c.fillStyle = colours[nodes[i + 3] & 7];
				c.globalAlpha = nodes[i + 3] & LOOK.OFF ? DIM : 1;
				node(nodes, i, view, paper);
			}
			c.globalAlpha = 1;
		},
		free() {},
	};
}
