/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * anyother.h - for parsers on yajl that treat null, true, false and fractions alike.  ANY_OTHER(fn) defines what
 * calls fn for each, ANY_OTHER_CALLBACKS(fn) are the members of yajl_callbacks.
 */
#ifndef ANYOTHER_H
#define ANYOTHER_H

#define ANY_OTHER(fn) \
	static int \
	fn##_boolean(void *arg, int v) \
	{ \
		(void)v; \
		return fn(arg); \
	} \
	\
	static int \
	fn##_double(void *arg, double v) \
	{ \
		(void)v; \
		return fn(arg); \
	}

#define ANY_OTHER_CALLBACKS(fn) .yajl_null = fn, .yajl_boolean = fn##_boolean, .yajl_double = fn##_double

#endif
