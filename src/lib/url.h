/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * url.h - addresses of a collector, wherever somebody may write one.
 */
#ifndef URL_H
#define URL_H

/* http:// or https://, a name or an address ([IPv6], [IPv6%zone]), perhaps :PORT from 1 to 65535, and behind these a path and a
 * query or nothing; neither user and password nor a fragment. */
int url_ok(const char *text);

#endif
