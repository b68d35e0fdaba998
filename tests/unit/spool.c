/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The spool: every truncation and bit flips all over a segment, failing disks (the calls are ours),
 * limits, a second process, a directory with a stranger's files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* The n-th of these calls fails, n counted down over all of them. */
static int fail_in, fail_errno;

static int
failing(void)
{
	if (!fail_in || --fail_in)
		return 0;
	errno = fail_errno;
	return 1;
}

static int
test_fsync(int fd)
{
	return failing() ? -1 : fsync(fd);
}

static ssize_t
test_write(int fd, const void *p, size_t n)
{
	return failing() ? -1 : write(fd, p, n > 100 ? 100 : n); /* short writes too */
}

static int
test_renameat(int a, const char *from, int b, const char *to)
{
	return failing() ? -1 : renameat(a, from, b, to);
}

#define fsync test_fsync
#define write test_write
#define renameat test_renameat
#include "lib/spool.c"
#undef fsync
#undef write
#undef renameat
#include "lib/crc32c.h"

static char dir[] = "/tmp/ng-spool-XXXXXX";
static const struct spool_limits roomy = { .bytes = 1 << 20 };

static int
open_dir(void)
{
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
setup(void **state)
{
	(void)state;
	fail_in = 0;
	strcpy(dir, "/tmp/ng-spool-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int
teardown(void **state)
{
	struct dirent *e;
	DIR *d = opendir(dir);

	(void)state;
	while ((e = readdir(d)))
		unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	return rmdir(dir);
}

static size_t
files(const char *suffix)
{
	struct dirent *e;
	DIR *d = opendir(dir);
	size_t n = 0;

	while ((e = readdir(d)))
		n += strlen(e->d_name) > 4 && !strcmp(e->d_name + strlen(e->d_name) - 4, suffix);
	closedir(d);
	return n;
}

/* A segment of n records "record SEQ", from seq `first`. */
static size_t
image_of(uint8_t *out, uint64_t first, unsigned n)
{
	size_t at = spool_put_header(out, "9f1c2ab0");

	for (unsigned i = 0; i < n; i++) {
		char text[64];
		int len = snprintf(text, sizeof text, "record %llu", (unsigned long long)(first + i));

		at += spool_put_record(out + at, first + i, text, (uint32_t)len);
	}
	return at;
}

static void
test_crc(void **state)
{
	(void)state;
	/* RFC 3720 B.4, and the check value of the catalogue of CRCs. */
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
	assert_int_equal(crc32c(0, (uint8_t[32]){ 0 }, 32), 0x8a9136aa);
}

static void
test_scan(void **state)
{
	uint8_t image[4096];
	size_t at = image_of(image, 7, 3);
	struct spool_record r;
	struct spool_scan s;

	(void)state;
	at += spool_put_gap(image + at, 10, 99, 42);
	assert_int_equal(spool_scan(&s, image, at), 0);
	assert_string_equal(s.label, "9f1c2ab0");
	for (uint64_t seq = 7; seq < 10; seq++) {
		assert_int_equal(spool_next(&s, &r), 1);
		assert_int_equal(r.seq, seq);
		assert_int_equal(r.gap, 0);
		assert_memory_equal(r.data, "record ", 7);
	}
	assert_int_equal(spool_next(&s, &r), 1);
	assert_true(r.gap && r.seq == 10 && r.gap_last == 99 && r.gap_n == 42);
	assert_int_equal(spool_next(&s, &r), 0);
	assert_int_equal(s.damaged, 0);
}

/* The records that a damaged image still gives; each must be one of ours, in order. */
static unsigned
survivors(const uint8_t *image, size_t size, uint64_t first, unsigned n, uint64_t *damaged)
{
	struct spool_record r;
	struct spool_scan s;
	unsigned found = 0;
	uint64_t next = first;

	spool_scan(&s, image, size);
	while (spool_next(&s, &r)) {
		char text[64];
		int len = snprintf(text, sizeof text, "record %llu", (unsigned long long)r.seq);

		assert_true(r.seq >= next && r.seq < first + n && !r.gap);
		assert_int_equal(r.len, len);
		assert_memory_equal(r.data, text, (size_t)len);
		next = r.seq + 1;
		found++;
	}
	*damaged = s.damaged;
	return found;
}

static void
test_truncated(void **state)
{
	enum { N = 40 };
	static uint8_t image[4096];
	size_t size = image_of(image, 1000, N), record = (size - SPOOL_HEADER) / N;
	uint64_t damaged;

	(void)state;
	assert_int_equal(record * N + SPOOL_HEADER, size);
	for (size_t cut = 0; cut <= size; cut++) {
		uint8_t *copy = malloc(cut ? cut : 1); /* its own allocation: ASan watches the end */
		size_t whole = cut < SPOOL_HEADER ? 0 : (cut - SPOOL_HEADER) / record;

		memcpy(copy, image, cut);
		assert_int_equal(survivors(copy, cut, 1000, N, &damaged), whole);
		assert_int_equal(damaged, cut != SPOOL_HEADER + whole * record);
		free(copy);
	}
}

static void
test_bit_flips(void **state)
{
	enum { N = 40 };
	static uint8_t image[4096];
	size_t size = image_of(image, 1000, N), record = (size - SPOOL_HEADER) / N;
	uint64_t damaged;

	(void)state;
	for (size_t bit = 0; bit < size * 8; bit++) {
		unsigned want = bit / 8 < SPOOL_HEADER ? N : N - 1;

		image[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(survivors(image, size, 1000, N, &damaged), want);
		/* The last four bytes of the header mean nothing. */
		assert_int_equal(damaged, bit / 8 < 28 || bit / 8 >= SPOOL_HEADER);
		image[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	/* A run of garbage over three records costs these three. */
	memset(image + SPOOL_HEADER + 5 * record + 3, 0xff, 2 * record);
	assert_int_equal(survivors(image, size, 1000, N, &damaged), N - 3);
	assert_int_equal(damaged, 1);
}

static void
test_write_and_reopen(void **state)
{
	uint8_t image[4096], *back;
	size_t size = image_of(image, 1, 5), n;
	struct spool_segment seg;
	struct spool *s, *other;

	(void)state;
	assert_int_equal(spool_open(&s, open_dir(), &roomy), 0);
	assert_int_equal(spool_open(&other, open_dir(), &roomy), -EWOULDBLOCK);
	assert_int_equal(spool_write(s, image, size, 0), 1);
	assert_int_equal(spool_write(s, image, size, 0), 2);
	assert_int_equal(spool_bytes(s), 2 * size);
	assert_int_equal(spool_written(s), 2 * size);
	spool_close(s);

	/* What a crash and what strangers leave. */
	for (int i = 0; i < 4; i++) {
		const char *names[] = { "0000000000000009.tmp", "notes.seg", "000000000000000G.seg", "ffffffffffffffff.seg" };
		char path[64];

		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		close(open(path, O_WRONLY | O_CREAT, 0600));
	}
	assert_int_equal(spool_open(&s, open_dir(), &roomy), 0);
	assert_int_equal(files(".tmp"), 0);
	assert_int_equal(spool_segments(s), 2);
	assert_int_equal(spool_bytes(s), 2 * size);
	assert_int_equal(spool_written(s), 0);
	assert_true(spool_find(s, 0, &seg) && seg.number == 1 && seg.bytes == size);
	assert_int_equal(spool_load(s, 1, &back, &n), 0);
	assert_int_equal(n, size);
	assert_memory_equal(back, image, size);
	free(back);
	assert_int_equal(spool_drop(s, 1), 0);
	assert_int_equal(spool_drop(s, 1), -ENOENT);
	assert_true(spool_find(s, 1, &seg) && seg.number == 2);
	assert_int_equal(spool_find(s, 3, &seg), 0);
	/* Numbers go on. */
	assert_int_equal(spool_write(s, image, size, 0), 3);
	spool_close(s);
}

static void
test_limits(void **state)
{
	uint8_t image[4096];
	size_t size = image_of(image, 1, 5), less = image_of(image, 1, 2);
	struct spool_limits tight = { .bytes = 2 * size + less - 1, .day_bytes = 3 * size };
	struct spool *s;

	(void)state;
	size = image_of(image, 1, 5);
	assert_int_equal(spool_open(&s, open_dir(), &tight), 0);
	assert_int_equal(spool_write(s, image, size, 1000), 1);
	assert_int_equal(spool_write(s, image, size, 1000), 2);
	assert_int_equal(spool_write(s, image, less, 1000), -ENOSPC);
	assert_int_equal(spool_drop(s, 1), 0);
	assert_int_equal(spool_write(s, image, size, 1000), 3);
	assert_int_equal(spool_drop(s, 2), 0);
	assert_int_equal(spool_write(s, image, less, 1000), -EDQUOT);
	assert_int_equal(spool_segments(s), 1);
	/* Another day; a clock that goes back begins one too, instead of never. */
	assert_int_equal(spool_write(s, image, less, 1000 + DAY_US), 5); /* 4 was tried */
	assert_int_equal(spool_replace(s, 5, image, size, 0), -EMSGSIZE);
	assert_int_equal(spool_replace(s, 4, image, less, 0), -ENOENT);
	assert_int_equal(spool_replace(s, 3, image, less, 0), 0);
	assert_int_equal(spool_bytes(s), 2 * less);
	spool_close(s);
}

/* The n-th call of the disk fails, for each n: nothing of the new segment, all of the old ones. */
static void
test_failing_disk(void **state)
{
	static const int errors[] = { EIO, ENOSPC };
	uint8_t image[4096];
	size_t size = image_of(image, 1, 20);
	struct spool *s;

	(void)state;
	assert_int_equal(spool_open(&s, open_dir(), &roomy), 0);
	assert_int_equal(spool_write(s, image, size, 0), 1);
	for (int e = 0; e < 2; e++) {
		int n = 1;

		for (;; n++) {
			int64_t r;

			fail_in = n;
			fail_errno = errors[e];
			r = spool_write(s, image, size, 0);
			if (fail_in) { /* fewer calls than n: it went well */
				assert_true(r > 0);
				assert_int_equal(spool_drop(s, (uint64_t)r), 0);
				break;
			}
			assert_int_equal(r, -errors[e]);
			assert_int_equal(files(".seg"), 1);
			assert_int_equal(files(".tmp"), 0);
			assert_int_equal(spool_segments(s), 1);
			assert_int_equal(spool_bytes(s), size);
		}
		assert_true(n > 5);
		fail_in = 0;
	}
	spool_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test_setup_teardown(test_write_and_reopen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failing_disk, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
