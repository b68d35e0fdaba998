/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * geo - looks addresses up for the collector, which starts it (geo.h), and checks what `geo import` brings.
 *
 *   geo serve
 *   geo import ATTRIBUTION NAME...     descriptors: 3 the result, 4 and up the files of these names
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "compile.h"
#include "keeper.h"
#include "lib/log.h"
#include "sandbox.h"

#define FILES_MAX 16
#define FD_OUT 3
#define FD_IN 4

int
main(int argc, char **argv)
{
	int in[FILES_MAX];

	log_init("net-gazer-collector", LOG_L_INFO);
	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && !strcmp(argv[1], "serve"))
		return keeper_run();
	if (argc < 4 || argc > 3 + FILES_MAX || strcmp(argv[1], "import"))
		fatal("geo is started by net-gazer-collector");
	for (int i = 0; i < argc - 3; i++)
		in[i] = FD_IN + i;
	sandbox_opening();
	return compile(FD_OUT, in, argv + 3, argc - 3, argv[2]);
}
