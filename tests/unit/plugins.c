/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Loading plugins (shared objects made here with cc), and the host's services, driven by plugins that
 * are part of the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/analyzer/plugins.c"
#include "analyzer/report.h"
#include "analyzer/trace.h"
#include "json_read.h"

static struct settings settings;
static struct worker_page page;
static int fds[2];
static struct json_read r;

static enum ng_dir
direction(uint8_t ipv, const uint8_t *src, const uint8_t *dst)
{
	return ipv == 4 && src[0] == 10 && dst[0] != 10 ? NG_DIR_OUTBOUND : NG_DIR_UNKNOWN;
}

static const struct host_env test_env = { &settings, &page, direction, 0 };

static int
setup(void **state)
{
	struct report_conf conf = { .sensor = "r1", .boot = "9f1c2ab0", .page = &page };

	(void)state;
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC))
		return -1;
	memset(&page, 0, sizeof page);
	memset(&settings, 0, sizeof settings);
	conf.fd = fds[1];
	report_start(&conf);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	plugins_stop(0, 0);
	plugins_unload();
	for (unsigned i = 0; i < settings.n_plugins; i++)
		close(settings.plugins[i].fd);
	report_stop();
	close(fds[0]);
	close(fds[1]);
	return 0;
}

/* The next report, read by yajl into r.text; 0 when there is none. */
static int
report_read(void)
{
	static char line[4 * WORKER_REPORT_MAX];
	static size_t n;
	ssize_t got;
	char *end;

	assert_int_equal(report_flush(), 0);
	got = read(fds[0], line + n, sizeof line - n);
	n += got > 0 ? (size_t)got : 0;
	end = memchr(line, '\n', n);
	if (!end)
		return 0;
	assert_int_equal(json_read(&r, line, (size_t)(end - line)), 0);
	r.text[r.n] = 0;
	n -= (size_t)(end + 1 - line);
	memmove(line, end + 1, n);
	return 1;
}

static int
report_has(const char *part)
{
	return strstr((const char *)r.text, part) != NULL;
}

/* ---- shared objects ----------------------------------------------------------------------- */

static const char source[] =
	"#include \"plugin.h\"\n"
	"#ifndef SYMBOL\n#define SYMBOL ng_plugin_1\n#endif\n"
	"#ifndef SIZE\n#define SIZE sizeof(struct ng_plugin)\n#endif\n"
	"#ifndef NAME\n#define NAME \"good\"\n#endif\n"
	"#ifndef PLUGIN_VERSION\n#define PLUGIN_VERSION \"1.0\"\n#endif\n"
	"#ifndef EVENTS\n#define EVENTS NG_EVENT_CONN | NG_EVENT_TIMER\n#endif\n"
	"#ifndef START\n#define START start\n#endif\n"
	"#ifndef EVENT\n#define EVENT event\n#endif\n"
	"static const struct ng_option options[] = {\n"
	"  { \"greeting\", NG_OPTION_STR, 0, 1, 64, \"hello\", \"what it says\" },\n"
	"  { \"every\", NG_OPTION_INT, 0, -5, 3600, \"10\", \"seconds\" },\n"
	"  { \"loud\", NG_OPTION_BOOL, 0, 0, 0, \"no\", \"or not\" },\n"
	"  { \"bare\", NG_OPTION_STR, 0, 0, 9, 0, 0 }, { 0 } };\n"
	"int start(struct ng_ctx *c, const struct ng_host *h, void **s) { (void)h; *s = c; return 0; }\n"
	"int event(void *s, const struct ng_event *e) { (void)s; (void)e; return 0; }\n"
	"NG_EXPORT extern const struct ng_plugin SYMBOL;\n"
	"NG_EXPORT const struct ng_plugin SYMBOL = { .size = SIZE, .name = NAME,\n"
	"  .version = PLUGIN_VERSION, .events = EVENTS, .snaplen = 96, .options = options,\n"
	"  .start = START, .event = EVENT };\n";

/* Compiles the source with these definitions and adds it to the settings. */
static void
build(const char *path, const char *defines)
{
	static char dir[64];
	char c[128], so[128], command[1024];
	const char *tmp = getenv("TMPDIR"), *cc = getenv("CC");
	FILE *f;
	int fd;

	if (!*dir) {
		snprintf(dir, sizeof dir, "%.40s/ng-plugins-XXXXXX", tmp ? tmp : "/tmp");
		assert_non_null(mkdtemp(dir));
	}
	snprintf(c, sizeof c, "%s/p.c", dir);
	snprintf(so, sizeof so, "%s/p.so", dir);
	f = fopen(c, "w");
	assert_non_null(f);
	assert_true(fputs(source, f) >= 0 && fclose(f) == 0);
	snprintf(command, sizeof command, "%s -shared -fPIC -fvisibility=hidden -Isrc %s -o '%s' '%s'",
		 cc ? cc : "cc", defines, so, c);
	assert_int_equal(system(command), 0);
	fd = open(so, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	unlink(so); /* the descriptor is what counts */
	unlink(c);
	rmdir(dir);
	dir[0] = 0;
	settings.plugins[settings.n_plugins++] = (struct settings_plugin){ fd, path };
}

static void
describe(char *out, size_t size)
{
	FILE *f = tmpfile();
	size_t n;

	assert_non_null(f);
	plugins_describe(f);
	rewind(f);
	n = fread(out, 1, size - 1, f);
	out[n] = 0;
	fclose(f);
}

static void
test_load(void **state)
{
	char text[2048];

	(void)state;
	build("/a/good.so", "");
	build("/a/second.so", "-DNAME='\"second_2-x\"' -DEVENTS=NG_EVENT_PACKET");
	settings.disabled[settings.n_disabled++] = "second_2-x";
	assert_int_equal(plugins_load(&test_env), 2);
	describe(text, sizeof text);
	assert_string_equal(text, "plugin good 1.0 6 1 96\n"
				  "option greeting str 1 64 hello\twhat it says\n"
				  "option every int -5 3600 10\tseconds\n"
				  "option loud bool 0 0 no\tor not\n"
				  "option bare str 0 9 \t\n"
				  "plugin second_2-x 1.0 1 0 96\n"
				  "option greeting str 1 64 hello\twhat it says\n"
				  "option every int -5 3600 10\tseconds\n"
				  "option loud bool 0 0 no\tor not\n"
				  "option bare str 0 9 \t\n");
	plugins_start(1, 1, NULL);
	assert_int_equal(plugins[0].state, HOST_RUNS);
	assert_ptr_equal(plugins[0].self, &plugins[0]);
	assert_int_equal(plugins[1].state, HOST_DISABLED); /* never started */
	assert_null(plugins[1].self);
	assert_int_equal(plugins_events(), NG_EVENT_CONN | NG_EVENT_TIMER);
	assert_int_equal(plugins_classes(), NG_CLASS_HANDSHAKE); /* implied by CONN */
}

static void
test_refused(void **state)
{
	static const struct {
		const char *defines, *why;
	} cases[] = {
		{ "-DSIZE=16", "its struct ng_plugin has 16 bytes" },
		{ "-DSIZE='sizeof(struct ng_plugin) - 1'", "build it again" },
		{ "-DSIZE=0", "has 0 bytes" },
		{ "-DNAME='\"\"'", "its name" },
		{ "-DNAME=0", "its name" },
		{ "-DNAME='\"Upper\"'", "its name" },
		{ "-DNAME='\"9first\"'", "its name" },
		{ "-DNAME='\"a b\"'", "its name" },
		{ "-DNAME='\"a12345678901234567890123456789012\"'", "its name" },
		{ "-DPLUGIN_VERSION='\"1 0\"'", "its version" },
		{ "-DPLUGIN_VERSION='\"\"'", "its version" },
		{ "-DPLUGIN_VERSION=0", "its version" },
		{ "-DSTART=0", "no start()" },
		{ "-DEVENT=0", "no event()" },
		{ "-DEVENTS=0x30", "events 0x20 that this host" },
		{ "-DSYMBOL=something_else", "exports no ng_plugin_1" },
		{ "-DSYMBOL=ng_plugin_2", "built for plugin ABI 2" },
		{ "-DSYMBOL=ng_plugin_0", "built for plugin ABI 0" },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		settings.n_plugins = 0;
		build("/a/bad.so", cases[i].defines);
		assert_int_equal(plugins_load(&test_env), 0);
		describe(text, sizeof text);
		assert_memory_equal(text, "error /a/bad.so\t", 16);
		if (!strstr(text, cases[i].why))
			fail_msg("%s: %s", cases[i].defines, text);
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		plugins_start(1, 1, NULL); /* nothing to start */
		assert_int_equal(plugins_events() | plugins_classes(), 0);
		plugins_unload();
		close(settings.plugins[0].fd);
	}
	settings.n_plugins = 0;
}

static void
test_name_of_31(void **state)
{
	(void)state;
	build("/a/long.so", "-DNAME='\"a123456789012345678901234567890\"'");
	assert_int_equal(plugins_load(&test_env), 1);
}

/* A later ABI minor makes the struct longer. */
static void
test_larger_struct(void **state)
{
	(void)state;
	build("/a/newer.so", "-DSIZE='sizeof(struct ng_plugin) + 64'");
	assert_int_equal(plugins_load(&test_env), 1);
}

static void
test_duplicate(void **state)
{
	char text[2048];

	(void)state;
	build("/a/one.so", "");
	build("/a/two.so", "");
	assert_int_equal(plugins_load(&test_env), 1);
	describe(text, sizeof text);
	assert_non_null(strstr(text, "error /a/two.so\ta plugin named good is loaded already\n"));
}

static void
test_no_shared_object(void **state)
{
	char text[512];

	(void)state;
	settings.plugins[settings.n_plugins++] =
		(struct settings_plugin){ open("Makefile", O_RDONLY | O_CLOEXEC), "/a/Makefile" };
	assert_int_equal(plugins_load(&test_env), 0);
	describe(text, sizeof text);
	assert_memory_equal(text, "error /a/Makefile\t", 18);
}

/* ---- plugins of the test's own ------------------------------------------------------------ */

static struct ng_ctx *ctx;
static const struct ng_host *host;
static int (*on_start)(void);
static int (*on_event)(const struct ng_event *);
static void (*on_stop)(void);

static int
own_start(struct ng_ctx *c, const struct ng_host *h, void **self)
{
	ctx = c;
	host = h;
	*self = c;
	return on_start ? on_start() : 0;
}

static int
own_event(void *self, const struct ng_event *ev)
{
	assert_ptr_equal(self, ctx);
	return on_event ? on_event(ev) : 0;
}

static void
own_stop(void *self)
{
	assert_ptr_equal(self, ctx);
	if (on_stop)
		on_stop();
}

static const struct ng_option own_options[] = {
	{ "greeting", NG_OPTION_STR, 0, 1, 64, "hello", "" },
	{ "every", NG_OPTION_INT, 0, -5, 3600, "10", "" },
	{ "loud", NG_OPTION_BOOL, 0, 0, 0, "no", "" },
	{ "bare", NG_OPTION_STR, 0, 0, 9, NULL, "" },
	{ NULL, 0, 0, 0, 0, NULL, NULL },
};

static struct ng_plugin own;

static int
setup_own(void **state)
{
	on_start = NULL;
	on_event = NULL;
	on_stop = NULL;
	own = (struct ng_plugin){ .size = sizeof own, .name = "own", .version = "2.1",
				  .events = NG_EVENT_PACKET | NG_EVENT_CONN | NG_EVENT_TIMER,
				  .classes = NG_CLASS_ATTEMPT, .options = own_options, .start = own_start,
				  .event = own_event, .stop = own_stop };
	return setup(state);
}

/* As plugins_load() and plugins_start() would. */
static void
run_own(int64_t now_us)
{
	char why[300];

	assert_null(check(&own, why, sizeof why));
	plugins_load(&test_env);
	plugins[0] = (struct ng_ctx){ .plugin = &own };
	n_plugins = 1;
	plugins_start(now_us, now_us + 1000, NULL);
}

static struct ng_event
event_of(enum ng_event_type type, int64_t now_us)
{
	return (struct ng_event){ .size = sizeof(struct ng_event), .type = type, .now_us = now_us };
}

static unsigned failed_index;

static void
on_failed(unsigned index)
{
	failed_index = index;
}

static int
refuse(void)
{
	return -ENOMEM;
}

static void
test_failing_start(void **state)
{
	struct ng_event ev = event_of(NG_EVENT_CONN, 1);

	(void)state;
	on_start = refuse;
	on_event = NULL;
	failed_index = 99;
	plugins_load(&test_env);
	plugins[0] = (struct ng_ctx){ .plugin = &own };
	n_plugins = 1;
	plugins_start(1, 1, on_failed);
	assert_int_equal(failed_index, 0);
	assert_int_equal(plugins[0].state, HOST_DISABLED);
	assert_int_equal(plugins_events(), 0);
	assert_int_equal(plugins_classes(), 0);
	plugins_event(&ev); /* it hears nothing */
	assert_int_equal(plugins[0].calls, 1); /* start itself */
}

static void
test_options(void **state)
{
	static const struct {
		const char *text;
		int yes;
	} bools[] = { { "yes", 1 }, { "true", 1 }, { "on", 1 }, { "1", 1 },	{ "YES", 1 },
		      { "no", 0 },  { "off", 0 },  { "0", 0 },	{ "false", 0 }, { "", 0 } };

	(void)state;
	/* Of another plugin, and of another option. */
	settings.options[settings.n_options++] = (struct settings_option){ "other", "greeting", "wrong" };
	settings.options[settings.n_options++] = (struct settings_option){ "own", "greetings", "wrong" };
	run_own(1);
	assert_string_equal(host->option_str(ctx, "greeting"), "hello");
	assert_int_equal(host->option_int(ctx, "every"), 10);
	assert_int_equal(host->option_int(ctx, "loud"), 0);
	assert_null(host->option_str(ctx, "bare"));
	assert_int_equal(host->option_int(ctx, "bare"), 0);
	assert_null(host->option_str(ctx, "not-mine"));
	assert_int_equal(host->option_int(ctx, "not-mine"), 0);
	settings.options[settings.n_options++] = (struct settings_option){ "own", "greeting", "good day" };
	settings.options[settings.n_options++] = (struct settings_option){ "own", "every", "-3" };
	settings.options[settings.n_options++] = (struct settings_option){ "own", "loud", NULL };
	assert_string_equal(host->option_str(ctx, "greeting"), "good day");
	assert_int_equal(host->option_int(ctx, "every"), -3);
	for (size_t i = 0; i < sizeof bools / sizeof *bools; i++) {
		settings.options[settings.n_options - 1].value = bools[i].text;
		assert_int_equal(host->option_int(ctx, "loud"), bools[i].yes);
	}
}

static void
test_counters(void **state)
{
	uint64_t *c[HOST_COUNTERS];
	char name[40];

	(void)state;
	run_own(1);
	assert_null(host->counter(ctx, ""));
	assert_null(host->counter(ctx, "Upper"));
	assert_null(host->counter(ctx, "with-dash"));
	assert_null(host->counter(ctx, "a\"b"));
	assert_null(host->counter(ctx, "a1234567890123456789012345678901"));
	for (int i = 0; i < HOST_COUNTERS; i++) {
		snprintf(name, sizeof name, "counter_%d", i);
		c[i] = host->counter(ctx, name);
		assert_non_null(c[i]);
		assert_int_equal(*c[i], 0);
		*c[i] = (uint64_t)i + 100;
	}
	assert_null(host->counter(ctx, "one_more"));
	assert_ptr_equal(host->counter(ctx, "counter_7"), c[7]);
	assert_int_equal(*c[7], 107);
	plugins_stat(report_open("stat", 0));
	assert_int_equal(report_close(), 0);
	assert_int_equal(report_read(), 1);
	assert_true(report_has("k:plugins[{k:names:ownk:versions:2.1k:states:ok"));
	assert_true(report_has("k:counters{k:counter_0i:100k:counter_1i:101"));
	assert_true(report_has("k:counter_15i:115}"));
}

/* ---- timers -------------------------------------------------------------------------------- */

static uint32_t fired[32];
static unsigned n_fired;

static int
note_timer(const struct ng_event *ev)
{
	assert_int_equal(ev->type, NG_EVENT_TIMER);
	fired[n_fired++] = ev->timer;
	if (ev->timer == 3)
		host->timer_set(ctx, 1, 500); /* one with a lower number */
	return 0;
}

static void
test_timers(void **state)
{
	(void)state;
	on_event = note_timer;
	n_fired = 0;
	run_own(1000);
	assert_int_equal(plugins_timers(1000, 0), INT64_MAX);
	assert_int_equal(host->timer_set(ctx, 8, 1), -EINVAL);
	assert_int_equal(host->timer_set(ctx, 0, 100), 0);
	assert_int_equal(host->timer_set(ctx, 7, 50), 0);
	assert_int_equal(host->timer_set(ctx, 2, 300), 0);
	assert_int_equal(host->timer_set(ctx, 5, 10), 0);
	assert_int_equal(host->timer_set(ctx, 5, -1), 0); /* cleared */
	assert_int_equal(host->timer_set(ctx, 2, 200), 0); /* moved */
	assert_int_equal(plugins_timers(1049, 0), 1050);
	assert_int_equal(n_fired, 0);
	assert_int_equal(plugins_timers(1100, 0), 1200);
	assert_int_equal(n_fired, 2);
	assert_int_equal(fired[0], 0);
	assert_int_equal(fired[1], 7);
	assert_int_equal(plugins_timers(1200, 0), INT64_MAX); /* once */
	assert_int_equal(n_fired, 3);
	/* From within a timer, one that was passed already: it must not be forgotten. */
	host_turn(1200, 0);
	host->timer_set(ctx, 3, 0);
	assert_int_equal(plugins_timers(1300, 0), 1800);
	assert_int_equal(n_fired, 4);
	assert_int_equal(plugins_timers(1800, 0), INT64_MAX);
	assert_int_equal(n_fired, 5);
	assert_int_equal(fired[4], 1);
}

static int
again_now(const struct ng_event *ev)
{
	n_fired++;
	assert_true(n_fired < 100);
	host->timer_set(ctx, ev->timer, 0);
	return 0;
}

static void
test_timer_for_now(void **state)
{
	(void)state;
	on_event = again_now;
	n_fired = 0;
	run_own(0); /* a replay whose time begins at 0 */
	assert_int_equal(host->timer_set(ctx, 0, 0), 0);
	assert_true(plugins_timers(10, 0) <= 10); /* due again, but once a call */
	assert_int_equal(n_fired, 1);
	assert_true(plugins_timers(20, 0) <= 20);
	assert_int_equal(n_fired, 2);
}

static void
test_timer_without_the_event(void **state)
{
	(void)state;
	own.events = NG_EVENT_CONN;
	run_own(0);
	assert_int_equal(host->timer_set(ctx, 0, 0), -EPERM);
}

/* ---- events -------------------------------------------------------------------------------- */

static uint32_t heard;
static int answer;

static int
hear(const struct ng_event *ev)
{
	heard |= ev->type;
	assert_int_equal(page.plugin, 1); /* a crash here would have this name */
	assert_int_equal(page.event, ev->type);
	assert_int_equal(page.stage, WORKER_STAGE_PLUGIN);
	return answer;
}

static void
test_subscription(void **state)
{
	struct ng_event ev = event_of(NG_EVENT_LEDGER, 5);
	struct ng_packet p = { .size = sizeof p, .classes = NG_CLASS_SAMPLE };

	(void)state;
	on_event = hear;
	heard = 0;
	answer = 0;
	run_own(1);
	plugins_event(&ev); /* not asked for */
	assert_int_equal(heard, 0);
	ev = event_of(NG_EVENT_PACKET, 5);
	ev.packet = &p;
	plugins_event(&ev); /* a class that it did not ask for */
	assert_int_equal(heard, 0);
	p.classes = NG_CLASS_ATTEMPT | NG_CLASS_SAMPLE;
	plugins_event(&ev);
	assert_int_equal(heard, NG_EVENT_PACKET);
	ev = event_of(NG_EVENT_CONN, 5);
	answer = -EINVAL;
	plugins_event(&ev);
	assert_int_equal(heard, NG_EVENT_PACKET | NG_EVENT_CONN);
	assert_int_equal(page.plugin, 0);
	assert_int_equal(page.stage, WORKER_STAGE_LOOP);
	assert_int_equal(plugins[0].calls, 3); /* with start() */
	assert_int_equal(plugins[0].errors, 1);
	plugins_stat(report_open("stat", 0));
	assert_int_equal(report_close(), 0);
	assert_int_equal(report_read(), 1);
	assert_true(report_has("k:states:degradedk:callsi:3"));
	assert_int_equal(plugins_classes(), NG_CLASS_ATTEMPT | NG_CLASS_HANDSHAKE);
}

/* ---- the report builder -------------------------------------------------------------------- */

static const uint8_t addr4[16] = { 10, 0, 0, 1 }, addr4_dst[16] = { 192, 0, 2, 1 };
static const uint8_t addr6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };

static void
test_report_of_its_own(void **state)
{
	(void)state;
	run_own(1);
	assert_int_equal(host->report_begin(ctx, NG_REPORT_PLUGIN, "greeting", 1795000000123456), 0);
	host->report_int(ctx, "n", -5);
	host->report_str(ctx, "text", "a\"\xff", 3);
	host->report_bool(ctx, "loud", 5);
	host->report_addr(ctx, "four", 4, addr4);
	host->report_addr(ctx, "six", 6, addr6);
	host->report_time(ctx, "at", 0);
	host->report_list(ctx, "list");
	host->report_int(ctx, NULL, 1);
	host->report_map(ctx, NULL);
	host->report_int(ctx, "deep", 2);
	host->report_end(ctx);
	host->report_end(ctx);
	assert_int_equal(host->report_commit(ctx), 0);
	assert_int_equal(report_read(), 1);
	assert_true(report_has("{k:vi:1k:types:plugink:tss:2026-11-18T11:06:40.123456Zk:sensors:r1"));
	assert_true(report_has("k:seqi:0k:plugins:ownk:plugin_versions:2.1k:kinds:greetingk:data{k:ni:-5"
			       "k:texts:a\"\xffk:loudb:1k:fours:10.0.0.1k:sixs:2001:db8::1"
			       "k:ats:1970-01-01T00:00:00.000000Zk:list[i:1{k:deepi:2}]}}"));
	assert_int_equal(page.reports, 1);
}

static void
test_report_of_the_schema(void **state)
{
	struct ng_conn c = { .size = sizeof c, .ipv = 4, .dir = NG_DIR_OUTBOUND, .sport = 34855, .dport = 80,
			     .src = { 128, 232, 110, 120 }, .dst = { 66, 35, 250, 204 } };

	(void)state;
	run_own(1);
	assert_int_equal(host->report_begin(ctx, NG_REPORT_CONN, NULL, 1), 0);
	host->report_tuple(ctx, &c);
	assert_int_equal(host->report_commit(ctx), 0);
	assert_int_equal(report_read(), 1);
	assert_true(report_has("k:seqi:0k:dirs:outboundk:src_ips:128.232.110.120k:src_porti:34855"
			       "k:dst_ips:66.35.250.204k:dst_porti:80k:protos:tcp"
			       "k:community_ids:1:LQU9qZlK+B5F3KDmev6m5PMibrg=}"));
	c.dir = 77; /* a direction from the future */
	assert_int_equal(host->report_begin(ctx, NG_REPORT_CONN, NULL, 1), 0);
	host->report_tuple(ctx, &c);
	assert_int_equal(host->report_commit(ctx), 0);
	assert_int_equal(report_read(), 1);
	assert_true(report_has("k:dirs:unknown"));
}

static void
test_begin(void **state)
{
	(void)state;
	run_own(1);
	assert_int_equal(host->report_begin(ctx, NG_REPORT_PLUGIN, NULL, 1), -EINVAL);
	assert_int_equal(host->report_begin(ctx, NG_REPORT_CONN, "kind", 1), -EINVAL);
	assert_int_equal(host->report_begin(ctx, 0, NULL, 1), -EINVAL);
	assert_int_equal(host->report_begin(ctx, 7, NULL, 1), -EINVAL);
	assert_int_equal(host->report_commit(ctx), -EPROTO);
	for (enum ng_report_type type = NG_REPORT_CONN; type <= NG_REPORT_PLUGIN; type++) {
		static const char *const names[] = { "", "conn", "quality", "attempt", "trace", "rollup", "plugin" };
		char want[32];

		assert_int_equal(host->report_begin(ctx, type, type == NG_REPORT_PLUGIN ? "k" : NULL, 1), 0);
		assert_int_equal(host->report_begin(ctx, type, NULL, 1), -EBUSY); /* one at a time */
		assert_int_equal(host->report_commit(ctx), 0);
		assert_int_equal(report_read(), 1);
		snprintf(want, sizeof want, "k:types:%sk:", names[type]);
		assert_true(report_has(want));
	}
	/* Given up: no line and no number. */
	assert_int_equal(page.seq, 6);
	assert_int_equal(host->report_begin(ctx, NG_REPORT_CONN, NULL, 1), 0);
	host->report_drop(ctx);
	host->report_drop(ctx);
	assert_int_equal(host->report_commit(ctx), -EPROTO);
	assert_int_equal(page.seq, 6);
	assert_int_equal(report_read(), 0);
}

/* Fields without a report, or after it, go nowhere. */
static void
test_fields_without_a_report(void **state)
{
	struct ng_conn c = { .size = sizeof c };

	(void)state;
	run_own(1);
	host->report_int(ctx, "n", 1);
	host->report_str(ctx, "s", "x", 1);
	host->report_bool(ctx, "b", 1);
	host->report_addr(ctx, "a", 4, addr4);
	host->report_time(ctx, "t", 1);
	host->report_list(ctx, "l");
	host->report_map(ctx, "m");
	host->report_end(ctx);
	host->report_tuple(ctx, &c);
	assert_int_equal(report_read(), 0);
	assert_int_equal(page.reports, 0);
}

/* The envelope and `data` are the host's. */
static void
test_end_cannot_close_the_envelope(void **state)
{
	(void)state;
	run_own(1);
	for (int plugin = 0; plugin < 2; plugin++) {
		for (int ends = 1; ends < 5; ends++) {
			uint64_t dropped = page.reports_dropped;

			assert_int_equal(host->report_begin(ctx, plugin ? NG_REPORT_PLUGIN : NG_REPORT_CONN,
							    plugin ? "k" : NULL, 1), 0);
			for (int i = 0; i < ends; i++)
				host->report_end(ctx);
			host->report_int(ctx, "seq", 1);
			assert_int_not_equal(host->report_commit(ctx), 0);
			assert_int_equal(page.reports_dropped, dropped + 1);
			assert_int_equal(report_read(), 0);
		}
	}
	/* A list that is still open is no report. */
	assert_int_equal(host->report_begin(ctx, NG_REPORT_PLUGIN, "k", 1), 0);
	host->report_list(ctx, "l");
	assert_int_equal(host->report_commit(ctx), -EPROTO);
	assert_int_equal(host->report_begin(ctx, NG_REPORT_CONN, NULL, 1), 0);
	host->report_map(ctx, "m");
	assert_int_equal(host->report_commit(ctx), -EPROTO);
	assert_int_equal(report_read(), 0);
}

static void
test_too_long(void **state)
{
	static char text[WORKER_REPORT_MAX];

	(void)state;
	run_own(1);
	memset(text, 'x', sizeof text);
	assert_int_equal(host->report_begin(ctx, NG_REPORT_PLUGIN, "k", 1), 0);
	host->report_str(ctx, "s", text, sizeof text);
	assert_int_equal(host->report_commit(ctx), -EMSGSIZE);
	assert_int_equal(page.seq, 1);
	assert_int_equal(page.reports_dropped, 1);
	assert_int_equal(report_read(), 0);
}

static int
leave_open(const struct ng_event *ev)
{
	(void)ev;
	return host->report_begin(ctx, NG_REPORT_CONN, NULL, 1);
}

static void
test_left_open(void **state)
{
	struct ng_event ev = event_of(NG_EVENT_CONN, 1);

	(void)state;
	on_event = leave_open;
	run_own(1);
	for (int i = 0; i < 3; i++)
		plugins_event(&ev); /* begin works each time: the last one was dropped */
	assert_int_equal(plugins[0].errors, 3);
	assert_int_equal(page.seq, 0);
	assert_int_equal(report_read(), 0);
	assert_non_null(report_open("stat", 0)); /* the host's own reports go on */
	assert_int_equal(report_close(), 0);
}

static void
say_goodbye(void)
{
	assert_int_equal(host->report_begin(ctx, NG_REPORT_PLUGIN, "bye", 1), 0);
	assert_int_equal(host->report_commit(ctx), 0);
}

static void
test_stop_may_report(void **state)
{
	(void)state;
	on_stop = say_goodbye;
	run_own(1);
	plugins_stop(5, 5);
	assert_int_equal(report_read(), 1);
	assert_true(report_has("k:kinds:bye"));
	plugins_stop(5, 5); /* once */
	assert_int_equal(report_read(), 0);
	assert_int_equal(plugins_events(), 0);
}

static void
test_other_services(void **state)
{
	(void)state;
	run_own(1);
	assert_int_equal(host->size, sizeof *host);
	assert_int_equal(host->minor, NG_PLUGIN_ABI_MINOR);
	assert_int_equal(host->direction(ctx, 4, addr4, addr4_dst), NG_DIR_OUTBOUND);
	assert_int_equal(host->direction(ctx, 4, addr4_dst, addr4), NG_DIR_UNKNOWN);
	assert_null(host->ifname(ctx, 0));
	assert_null(host->ifname(ctx, 4242));
	assert_int_equal(host->trace(ctx, 4, addr4_dst, 443, "slow"), -EPERM); /* no NG_EVENT_TRACE */
	assert_int_equal(host->trace_request(ctx, &(struct ng_trace_request){ .id = 1 }), -EPERM);
	host->log(ctx, NG_LOG_INFO, "100% of it, and\na second line that is none");
	host->log(ctx, (enum ng_log_level)99, "from the future");
	/* The table has a function everywhere. */
	for (size_t at = offsetof(struct ng_host, log); at < sizeof *host; at += sizeof(void *)) {
		void *fn;

		memcpy(&fn, (const char *)host + at, sizeof fn);
		assert_non_null(fn);
	}
}

/* ---- traces -------------------------------------------------------------------------------- */

static int prober;

static void
open_prober(trace_fn *fn)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	trace_start(pair[0], fn);
	prober = pair[1];
}

static void
test_trace_without_a_prober(void **state)
{
	struct ng_trace_request q = { .size = sizeof q, .id = 1, .ipv = 4, .method = NG_TRACE_ICMP };

	(void)state;
	own.events |= NG_EVENT_TRACE;
	trace_start(-1, NULL);
	run_own(1);
	assert_int_equal(host->trace_request(ctx, &q), -ENOSYS);
	assert_int_equal(host->trace(ctx, 4, addr4_dst, 443, "slow"), -ENOSYS);
	assert_int_equal(host->trace(ctx, 4, addr4_dst, 443, "whim"), -EINVAL);
	q.id = 0;
	assert_int_equal(host->trace_request(ctx, &q), -EINVAL);
}

static void
test_trace_asks_the_prober(void **state)
{
	struct ng_trace_request q = { .size = sizeof q, .id = 7, .ipv = 4, .method = NG_TRACE_TCP_SYN, .dport = 443 };
	struct prober_request got;

	(void)state;
	own.events |= NG_EVENT_TRACE;
	open_prober(NULL);
	run_own(1);
	memcpy(q.dst, addr4_dst, 16);
	assert_int_equal(host->trace_request(ctx, &q), 0);
	assert_int_equal(recv(prober, &got, sizeof got, MSG_DONTWAIT), sizeof got);
	assert_int_equal(got.dport, 443);
	assert_memory_equal(got.dst, addr4_dst, 16);
	assert_int_equal(host->trace(ctx, 4, addr4_dst, 443, "loss"), 0);
	assert_int_equal(recv(prober, &got, sizeof got, MSG_DONTWAIT), sizeof got);
	assert_int_equal(got.method, PROBER_TCP_SYN);
	assert_int_equal(got.trigger, PROBER_ON_LOSS);
	assert_int_equal(host->trace(ctx, 4, addr4_dst, 0, "manual"), 0);
	assert_int_equal(recv(prober, &got, sizeof got, MSG_DONTWAIT), sizeof got);
	assert_int_equal(got.method, PROBER_ICMP);
	trace_start(-1, NULL);
	close(prober);
}

/* Only the one that is meant; a person's trace goes to everyone who takes them. */
static void
test_trace_is_handed_to_its_plugin(void **state)
{
	struct ng_trace t = { .size = sizeof t };
	struct ng_event ev = event_of(NG_EVENT_TRACE, 5);

	(void)state;
	on_event = hear;
	heard = 0;
	answer = 0;
	own.events = NG_EVENT_TRACE;
	run_own(1);
	ev.trace = &t;
	plugins_event_for(1, &ev);
	assert_int_equal(heard, 0);
	plugins_event_for(0, &ev);
	assert_int_equal(heard, NG_EVENT_TRACE);
	heard = 0;
	plugins_event(&ev);
	assert_int_equal(heard, NG_EVENT_TRACE);
	assert_int_equal(plugins_events(), NG_EVENT_TRACE);
	ev = event_of(NG_EVENT_CONN, 5);
	heard = 0;
	plugins_event_for(0, &ev); /* not asked for */
	assert_int_equal(heard, 0);
}

#define PLAIN(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define OWN(fn) cmocka_unit_test_setup_teardown(fn, setup_own, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PLAIN(test_load),
		PLAIN(test_refused),
		PLAIN(test_name_of_31),
		PLAIN(test_larger_struct),
		PLAIN(test_duplicate),
		PLAIN(test_no_shared_object),
		OWN(test_failing_start),
		OWN(test_options),
		OWN(test_counters),
		OWN(test_timers),
		OWN(test_timer_for_now),
		OWN(test_timer_without_the_event),
		OWN(test_subscription),
		OWN(test_report_of_its_own),
		OWN(test_report_of_the_schema),
		OWN(test_begin),
		OWN(test_fields_without_a_report),
		OWN(test_end_cannot_close_the_envelope),
		OWN(test_too_long),
		OWN(test_left_open),
		OWN(test_stop_may_report),
		OWN(test_other_services),
		OWN(test_trace_without_a_prober),
		OWN(test_trace_asks_the_prober),
		OWN(test_trace_is_handed_to_its_plugin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
