/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * enroll.h - `forwarder --enroll`, which `net-gazer enroll` becomes: a code that a person was given is
 * exchanged for this sensor's token, which goes into a file; the lines of net-gazer.conf that use it are
 * printed, or written.
 */
#ifndef ENROLL_H
#define ENROLL_H

/* What the process ends with. */
int enroll_main(int argc, char **argv);

#endif
