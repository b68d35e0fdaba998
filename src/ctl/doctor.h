/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doctor.h - `net-gazerctl doctor`: why there is no data, one line for each thing that can be wrong.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

int doctor_main(int argc, char **argv);

#endif
