/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plugins.h - `net-gazerctl plugins`: what is loaded, what is not and why.
 */
#ifndef PLUGINS_H
#define PLUGINS_H

int plugins_main(int argc, char **argv);

#endif
