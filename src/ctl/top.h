/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * top.h - `net-gazerctl top`: who is busy now, once a second on a terminal, or once.
 */
#ifndef TOP_H
#define TOP_H

int top_main(int argc, char **argv);

#endif
