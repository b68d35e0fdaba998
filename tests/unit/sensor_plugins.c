/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plugins.c: what `analyzer --describe` may say, and which files may be loaded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../src/sensor/plugins.c"

static struct plugin *plugin;
static char err[2048];

static int
parse(const char *text)
{
	char *copy = strdup(text);
	int r;

	if (plugin)
		plugin_free(plugin);
	plugin = calloc(1, sizeof *plugin);
	plugin->fd = -1;
	r = plugins_parse(plugin, copy, err, sizeof err);
	free(copy);
	return r;
}

static int
teardown(void **state)
{
	(void)state;
	if (plugin)
		plugin_free(plugin);
	plugin = NULL;
	return 0;
}

static void
test_good(void **state)
{
	(void)state;
	assert_int_equal(parse("plugin handshake 1.0 6 1 0\n"
			       "option max-rate int 0 1000000 5000\treports a second\n"
			       "option local bool 0 0 yes\tlocal ones\n"
			       "option word str 0 20 two words\ttext\n"
			       "option empty str 0 20 \ttext\n"
			       "option needed str 1 5000 \ttext\n"), 0);
	assert_string_equal(plugin->name, "handshake");
	assert_string_equal(plugin->version, "1.0");
	assert_int_equal(plugin->n_options, 5);
	assert_int_equal(plugin->options[0].type, CONF_INT);
	assert_int_equal(plugin->options[0].max, 1000000);
	assert_string_equal(plugin->options[0].def, "5000");
	assert_string_equal(plugin->options[0].help, "reports a second");
	assert_int_equal(plugin->options[1].type, CONF_BOOL);
	assert_string_equal(plugin->options[2].def, "two words");
	assert_string_equal(plugin->options[3].def, "");
	assert_null(plugin->options[4].def);
	assert_int_equal(plugin->options[4].max, 900);
	/* NG_EVENT_CONN brings the class, whatever the plugin says. */
	assert_int_equal(parse("plugin a 1 2 0 0\n"), 0);
	assert_int_equal(plugin->classes, NG_CLASS_HANDSHAKE);
	assert_int_equal(parse("plugin a 1 1 6 256\n"), 0);
	assert_int_equal(plugin->classes, NG_CLASS_ATTEMPT | NG_CLASS_SAMPLE);
	assert_int_equal(plugin->snaplen, 256);
}

static void
test_error_line(void **state)
{
	(void)state;
	assert_int_equal(parse("error /x/bad.so\tno symbol ng_plugin_1\n"), -1);
	assert_string_equal(err, "no symbol ng_plugin_1");
	assert_int_equal(parse("error without tab\n"), -1);
	assert_string_equal(err, "without tab");
	assert_int_equal(parse(""), -1);
	assert_string_equal(err, "the analyzer says nothing of it");
	assert_int_equal(parse("\n\n"), -1);
}

static void
test_bad(void **state)
{
	static const char *const texts[] = {
		"nonsense\n", "plugin\n", "plugin a\n", "plugin a 1\n", "plugin a 1 2\n", "plugin a 1 2 3\n",
		"plugin a 1 x 1 0\n", "plugin a 1 1 -1 0\n", "plugin a 1 1 1 4294967296\n", "plugin A 1 1 1 0\n",
		"plugin 1a 1 1 1 0\n", "plugin a/b 1 1 1 0\n", "plugin  1 1 1 0\n", "plugin a\x1b 1 1 1 0\n",
		"plugin aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1 1 1 0\n", "plugin a 1\x01 1 1 0\n",
		"plugin a 1 1 1 0\nplugin b 1 1 1 0\n", "option x int 0 1 0\th\nplugin a 1 1 1 0\n",
		"plugin a 1 1 1 0\noption\n", "plugin a 1 1 1 0\noption x\n", "plugin a 1 1 1 0\noption x int 0 1 0\n",
		"plugin a 1 1 1 0\noption x float 0 1 0\th\n", "plugin a 1 1 1 0\noption x strange 0 1 0\th\n",
		"plugin a 1 1 1 0\noption x int 5 1 5\th\n", "plugin a 1 1 1 0\noption x int 0 y 0\th\n",
		"plugin a 1 1 1 0\noption X int 0 1 0\th\n", "plugin a 1 1 1 0\noption x str 0 9 a\x1b\th\n",
		"plugin a 1 1 1 0\noption x int 0 1 0\th\x07\n", "plugin a 1 1 1 0\noption x int 0 1\th\n",
		"plugin a 1 1 1 0\noption x int 0 1 0\th\noption x int 0 1 0\th\n",
		/* Its own default is not allowed: conf_new() would end the parent for that. */
		"plugin a 1 1 1 0\noption x int 0 1 2\th\n", "plugin a 1 1 1 0\noption x bool 0 0 maybe\th\n",
		"plugin a 1 1 1 0\noption x str 1 3 four\th\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		if (!parse(texts[i]))
			fail_msg("accepted: %s", texts[i]);
		assert_true(strlen(err) > 10);
	}
}

static void
test_too_many_options(void **state)
{
	char text[4000] = "plugin a 1 1 1 0\n";

	(void)state;
	for (int i = 0; i < PLUGINS_OPTIONS_MAX; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "option x%d int 0 9 1\th\n", i);
	assert_int_equal(parse(text), 0);
	strcat(text, "option y int 0 9 1\th\n");
	assert_int_equal(parse(text), -1);
}

static char dir[64], file[80], link_[80];

static int
make_files(void **state)
{
	int fd;

	(void)state;
	snprintf(dir, sizeof dir, "/tmp/ng-unit-plugins-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/p.so", dir);
	snprintf(link_, sizeof link_, "%s/l.so", dir);
	fd = open(file, O_CREAT | O_WRONLY, 0644);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(symlink("p.so", link_), 0);
	return 0;
}

static int
remove_files(void **state)
{
	(void)state;
	unlink(link_);
	unlink(file);
	rmdir(dir);
	return 0;
}

static void
opens(const char *path)
{
	int fd = plugins_open(path, err, sizeof err);

	if (fd < 0)
		fail_msg("%s", err);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

static void
refuses(const char *path, const char *part)
{
	assert_int_equal(plugins_open(path, err, sizeof err), -1);
	if (!strstr(err, part))
		fail_msg("\"%s\" does not say \"%s\"", err, part);
}

static void
test_files(void **state)
{
	char want[300];

	(void)state;
	opens(file);
	opens(link_);
	chmod(file, 0664);
	snprintf(want, sizeof want, "%s is writable by others; run: chmod go-w %s", file, file);
	refuses(file, want);
	refuses(link_, want);
	chmod(file, 0646);
	refuses(file, want);
	chmod(file, 0755);
	opens(file);
	chmod(dir, 0775);
	snprintf(want, sizeof want, "%s is writable by others; run: chmod go-w %s", dir, dir);
	refuses(file, want);
	chmod(dir, 01777);
	refuses(file, want);
	chmod(dir, 0700);
	opens(file);
	refuses("/dev/null", "no regular file");
	refuses("/nonexistent/x.so", "No such file");
	if (!geteuid()) {
		assert_int_equal(chown(file, 65534, 65534), 0);
		refuses(file, "chown root");
		assert_int_equal(chown(file, 0, 0), 0);
		assert_int_equal(chown(dir, 65534, 0), 0);
		refuses(file, "chown root");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_good, teardown), cmocka_unit_test_teardown(test_error_line, teardown),
		cmocka_unit_test_teardown(test_bad, teardown), cmocka_unit_test_teardown(test_too_many_options, teardown),
		cmocka_unit_test_setup_teardown(test_files, make_files, remove_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
