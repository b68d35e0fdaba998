/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * print.c - see print.h.
 */
#include "print.h"

#include <stdio.h>

#include "ctl/ask.h"

void
print_text(const char *text, int width)
{
	for (; *text; text++, width--)
		putchar(*text >= ' ' && *text <= '~' ? *text : '?');
	for (; width > 0; width--)
		putchar(' ');
}

void
print_plugins(yajl_val status)
{
	puts("PLUGIN           VERSION    STATE        CLASSES                   FILE");
	for (size_t i = 0; i < ask_n(status, "plugins"); i++) {
		yajl_val p = ask_at(status, "plugins", i);
		char classes[80] = "";
		size_t n = 0;

		for (size_t k = 0; k < ask_n(p, "classes") && n < sizeof classes; k++) {
			yajl_val c = ask_at(p, "classes", k);

			n += (size_t)snprintf(classes + n, sizeof classes - n, "%s%s", k ? "," : "",
					      YAJL_IS_STRING(c) ? YAJL_GET_STRING(c) : "");
		}
		print_text(ask_str(p, "name"), 16);
		putchar(' ');
		print_text(ask_str(p, "version"), 10);
		putchar(' ');
		print_text(ask_str(p, "state"), 12);
		putchar(' ');
		print_text(classes, 25);
		putchar(' ');
		print_text(ask_str(p, "path"), 0);
		putchar('\n');
	}
	if (ask_int(status, "plugins_refused"))
		printf("%lld more cannot be loaded; net-gazer's log says why, `net-gazer -n' says it again\n",
		       (long long)ask_int(status, "plugins_refused"));
}
