/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status.h - `net-gazerctl status`: what the daemon says of itself, for a person or as it came.
 */
#ifndef STATUS_H
#define STATUS_H

int status_main(int argc, char **argv);

#endif
