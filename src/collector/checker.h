/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * checker.h - the process that looks whether a password is right: 19 MiB and tens of milliseconds each time,
 * which the loop must not wait for.  It can compute and answer, nothing else (priv_cage()).
 */
#ifndef CHECKER_H
#define CHECKER_H

struct checker;
struct loop;

#define CHECKER_WAITING 8 /* at a time, one is worked on */

/* 1: right; 0: wrong; -EIO: the process is gone. */
typedef void checker_fn(void *arg, int result);

/* Forks; early, while there is little to inherit.  NULL: cannot, logged. */
struct checker *checker_start(struct loop *);
/* What was asked is not answered any more. */
void checker_stop(struct checker *);

/* 0, or -EBUSY: too many wait, or -EIO.  Texts are copied. */
int checker_ask(struct checker *, const char *hash, const char *password, checker_fn *, void *arg);

#endif
