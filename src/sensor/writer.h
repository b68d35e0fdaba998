/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * writer.h - the process that copies report lines to stdout or a file: it may block, the analyzer
 * may not.
 */
#ifndef WRITER_H
#define WRITER_H

#define WRITER_CLOSED 3 /* exit status: nobody reads the output any more */

#define WRITER_FULL 4   /* the next line might not fit into the limit */

/* Descriptor 0 to descriptor 1, until the end of 0, or SIGTERM and the end of a line.  `limit`: an int64_t, bytes of
 * a regular file; 0: none.  Does not return. */
void writer_main(void *limit);

#endif
