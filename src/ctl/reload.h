/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * reload.h - `net-gazerctl reload`: SIGHUP with an answer.
 */
#ifndef RELOAD_H
#define RELOAD_H

int reload_main(int argc, char **argv);

#endif
