/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * metrics.h - `net-gazerctl metrics`: numbers of the status in Prometheus' text format, a fixed and small set.
 */
#ifndef METRICS_H
#define METRICS_H

int metrics_main(int argc, char **argv);

#endif
