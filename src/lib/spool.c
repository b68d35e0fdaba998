/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * spool.c - see spool.h.  What is known of the directory is a sorted array of numbers and sizes, made
 * again at each start from the files themselves.
 */
#include "spool.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"

#define MAGIC "NGSPOOL1"
#define DAY_US 86400000000LL

struct spool {
	int dirfd;
	int lockfd;
	struct spool_limits limits;
	struct spool_segment *segment; /* by number */
	size_t n;
	size_t room;
	uint64_t next;
	uint64_t bytes;
	uint64_t written;
	uint64_t day_written;
	int64_t day_us;                /* when the day began; CLOCK_BOOTTIME */
};

static void
put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof v);
}

static void
put64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof v);
}

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return le32toh(v);
}

static uint64_t
get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return le64toh(v);
}

static uint32_t
record_crc(const uint8_t *p, size_t payload)
{
	uint32_t crc = crc32c(0, p, 4);

	return crc32c(crc, p + 8, 8 + payload);
}

int
spool_scan(struct spool_scan *s, const void *image, size_t size)
{
	const uint8_t *p = image;

	*s = (struct spool_scan){ .image = image, .size = size };
	if (size >= SPOOL_HEADER && !memcmp(p, MAGIC, 8) && get32(p + 24) == crc32c(0, p, 24)) {
		memcpy(s->label, p + 8, SPOOL_LABEL);
		s->at = SPOOL_HEADER;
		return 0;
	}
	s->damaged = 1;
	return -EBADMSG;
}

/* A whole record at `at`; its length, or 0. */
static size_t
record_at(const struct spool_scan *s, size_t at, struct spool_record *r)
{
	const uint8_t *p = s->image + at;
	uint32_t word, len;

	if (s->size - at < SPOOL_RECORD)
		return 0;
	word = get32(p);
	len = word & SPOOL_LEN;
	if (len > SPOOL_PAYLOAD_MAX || len > s->size - at - SPOOL_RECORD || (word & SPOOL_GAP && len != 16) ||
	    get32(p + 4) != record_crc(p, len))
		return 0;
	*r = (struct spool_record){ .seq = get64(p + 8), .data = p + SPOOL_RECORD, .len = len };
	if (word & SPOOL_GAP) {
		r->gap = 1;
		r->gap_last = get64(r->data);
		r->gap_n = get64(r->data + 8);
	}
	return SPOOL_RECORD + len;
}

int
spool_next(struct spool_scan *s, struct spool_record *r)
{
	size_t n = 0, began = s->at;

	/* Behind damage the next record begins anywhere. */
	while (s->at < s->size && !(n = record_at(s, s->at, r)))
		s->at++;
	/* The header's own damage was counted. */
	if (s->at > began && !(began == 0 && s->damaged))
		s->damaged++;
	s->at += n;
	return n > 0;
}

size_t
spool_image_size(size_t n, size_t payload)
{
	return SPOOL_HEADER + n * SPOOL_RECORD + payload;
}

size_t
spool_put_header(uint8_t *out, const char *label)
{
	memset(out, 0, SPOOL_HEADER);
	memcpy(out, MAGIC, 8);
	memcpy(out + 8, label, strnlen(label, SPOOL_LABEL));
	put32(out + 24, crc32c(0, out, 24));
	return SPOOL_HEADER;
}

static size_t
put_record(uint8_t *out, uint64_t seq, const void *data, uint32_t len, uint32_t flag)
{
	put32(out, len | flag);
	put64(out + 8, seq);
	memcpy(out + SPOOL_RECORD, data, len);
	put32(out + 4, record_crc(out, len));
	return SPOOL_RECORD + len;
}

size_t
spool_put_record(uint8_t *out, uint64_t seq, const void *data, uint32_t len)
{
	return put_record(out, seq, data, len, 0);
}

size_t
spool_put_gap(uint8_t *out, uint64_t first, uint64_t last, uint64_t n)
{
	uint8_t payload[16];

	put64(payload, last);
	put64(payload + 8, n);
	return put_record(out, first, payload, sizeof payload, SPOOL_GAP);
}

/* NUMBER.seg; 0 when it is no such name, or a number behind which there is no other that spool_write() could return. */
static int
parse_name(const char *name, uint64_t *number)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 16; i++) {
		const char *digits = "0123456789abcdef", *d = name[i] ? strchr(digits, name[i]) : NULL;

		if (!d)
			return 0;
		v = v << 4 | (uint64_t)(d - digits);
	}
	*number = v;
	return v < INT64_MAX && !strcmp(name + i, ".seg");
}

static void
print_name(char out[24], uint64_t number, const char *suffix)
{
	snprintf(out, 24, "%016llx.%s", (unsigned long long)number, suffix);
}

static int
insert(struct spool *s, uint64_t number, uint64_t bytes)
{
	if (s->n == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		struct spool_segment *bigger = realloc(s->segment, room * sizeof *bigger);

		if (!bigger)
			return -ENOMEM;
		s->segment = bigger;
		s->room = room;
	}
	s->segment[s->n++] = (struct spool_segment){ .number = number, .bytes = bytes };
	s->bytes += bytes;
	if (number >= s->next)
		s->next = number + 1;
	return 0;
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x = ((const struct spool_segment *)a)->number, y = ((const struct spool_segment *)b)->number;

	return (x > y) - (x < y);
}

static int
read_directory(struct spool *s)
{
	int fd = openat(s->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct dirent *e;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	while (!r && (e = readdir(dir))) {
		size_t len = strlen(e->d_name);
		struct stat st;
		uint64_t number;

		if (len == 20 && !strcmp(e->d_name + 16, ".tmp"))
			unlinkat(s->dirfd, e->d_name, 0);
		else if (parse_name(e->d_name, &number) && !fstatat(s->dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
			 S_ISREG(st.st_mode))
			r = insert(s, number, (uint64_t)st.st_size);
	}
	closedir(dir);
	if (s->n)
		qsort(s->segment, s->n, sizeof *s->segment, by_number);
	return r;
}

int
spool_open(struct spool **out, int dirfd, const struct spool_limits *limits)
{
	struct spool *s = calloc(1, sizeof *s);
	int r;

	if (!s) {
		close(dirfd);
		return -ENOMEM;
	}
	s->dirfd = dirfd;
	s->limits = *limits;
	s->next = 1;
	s->day_us = INT64_MIN;
	s->lockfd = openat(dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = s->lockfd < 0 || flock(s->lockfd, LOCK_EX | LOCK_NB) ? -errno : read_directory(s);
	if (r) {
		spool_close(s);
		return r;
	}
	*out = s;
	return 0;
}

void
spool_close(struct spool *s)
{
	if (!s)
		return;
	close(s->dirfd);
	if (s->lockfd >= 0)
		close(s->lockfd);
	free(s->segment);
	free(s);
}

static int
write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return w ? -errno : -EIO;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/* The file `name`, whole or not at all.  A failed fsync(2) is never repeated: the kernel may have
 * dropped the pages, and a second one would say that all is well. */
static int
write_file(struct spool *s, uint64_t number, const void *image, size_t size, int64_t now_us)
{
	char tmp[24], name[24];
	int fd, r;

	if (s->day_us == INT64_MIN || now_us - s->day_us >= DAY_US || now_us < s->day_us) {
		s->day_us = now_us;
		s->day_written = 0;
	}
	if (s->limits.day_bytes && s->day_written + size > s->limits.day_bytes)
		return -EDQUOT;
	print_name(tmp, number, "tmp");
	print_name(name, number, "seg");
	fd = openat(s->dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, image, size);
	s->written += size;
	s->day_written += size;
	if (!r && fsync(fd))
		r = -errno;
	if (close(fd) && !r)
		r = -errno;
	if (!r && renameat(s->dirfd, tmp, s->dirfd, name))
		r = -errno;
	if (r) {
		unlinkat(s->dirfd, tmp, 0);
		return r;
	}
	/* The name is there; only a power cut could still take it away. */
	return fsync(s->dirfd) ? -errno : 0;
}

static size_t
index_of(const struct spool *s, uint64_t from)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->segment[mid].number < from)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int64_t
spool_write(struct spool *s, const void *image, size_t size, int64_t now_us)
{
	uint64_t number = s->next;
	char name[24];
	int r;

	if (size > SPOOL_SEGMENT_MAX)
		return -EMSGSIZE;
	if (s->bytes + size > s->limits.bytes)
		return -ENOSPC;
	r = insert(s, number, size);
	if (r)
		return r;
	r = write_file(s, number, image, size, now_us);
	if (r) {
		/* Also when only the directory could not be synced: the caller keeps the records. */
		print_name(name, number, "seg");
		unlinkat(s->dirfd, name, 0);
		s->n--;
		s->bytes -= size;
		return r;
	}
	return (int64_t)number;
}

int
spool_replace(struct spool *s, uint64_t number, const void *image, size_t size, int64_t now_us)
{
	size_t i = index_of(s, number);
	int r;

	if (i == s->n || s->segment[i].number != number)
		return -ENOENT;
	if (size > s->segment[i].bytes)
		return -EMSGSIZE;
	r = write_file(s, number, image, size, now_us);
	if (r)
		return r;
	s->bytes -= s->segment[i].bytes - size;
	s->segment[i].bytes = size;
	return 0;
}

int
spool_find(const struct spool *s, uint64_t from, struct spool_segment *out)
{
	size_t i = index_of(s, from);

	if (i == s->n)
		return 0;
	*out = s->segment[i];
	return 1;
}

int
spool_find_below(const struct spool *s, uint64_t below, struct spool_segment *out)
{
	size_t i = index_of(s, below);

	if (!i)
		return 0;
	*out = s->segment[i - 1];
	return 1;
}

void
spool_tag(struct spool *s, uint64_t number, uint64_t tag)
{
	size_t i = index_of(s, number);

	if (i < s->n && s->segment[i].number == number)
		s->segment[i].tag = tag;
}

int
spool_load(const struct spool *s, uint64_t number, uint8_t **image, size_t *size)
{
	uint8_t *buf = NULL;
	struct stat st;
	size_t n = 0;
	char name[24];
	int fd, r = 0;

	print_name(name, number, "seg");
	fd = openat(s->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		r = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size > SPOOL_SEGMENT_MAX)
		r = -EBADMSG;
	else if (!(buf = malloc((size_t)st.st_size + 1)))
		r = -ENOMEM;
	while (!r && n < (size_t)st.st_size) {
		ssize_t got = read(fd, buf + n, (size_t)st.st_size - n);

		if (got < 0 && errno != EINTR)
			r = -errno;
		else if (got == 0)
			break;
		else if (got > 0)
			n += (size_t)got;
	}
	close(fd);
	if (r) {
		free(buf);
		return r;
	}
	*image = buf;
	*size = n;
	return 0;
}

int
spool_drop(struct spool *s, uint64_t number)
{
	size_t i = index_of(s, number);
	char name[24];

	if (i == s->n || s->segment[i].number != number)
		return -ENOENT;
	print_name(name, number, "seg");
	if (unlinkat(s->dirfd, name, 0) && errno != ENOENT)
		return -errno;
	s->bytes -= s->segment[i].bytes;
	s->n--;
	memmove(&s->segment[i], &s->segment[i + 1], (s->n - i) * sizeof *s->segment);
	return 0;
}

uint64_t
spool_bytes(const struct spool *s)
{
	return s->bytes;
}

uint64_t
spool_limit(const struct spool *s)
{
	return s->limits.bytes;
}

uint64_t
spool_segments(const struct spool *s)
{
	return s->n;
}

uint64_t
spool_written(const struct spool *s)
{
	return s->written;
}
