/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ctl.h - net-gazerctl, which is net-gazer's program under another name (a link): half of what it
 * needs is there anyway, and a router's flash pays for every byte.
 */
#ifndef CTL_H
#define CTL_H

#define CTL_NAME "net-gazerctl"

/* As if started by that name; argv[0] is not looked at.  The exit status. */
int ctl_main(int argc, char **argv);

#endif
