/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look.h - what a start would open, looked at without one.
 */
#ifndef LOOK_H
#define LOOK_H

#include <stddef.h>

#include "sensor/plan.h"

/* Output, spool directory and certificates, each as the one who will open it: run by root, this gives up being
 * root.  Nothing is made.  0, or -1 with option, path, and what to run. */
int look_files(const struct plan *, char *err, size_t size);

#endif
