/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conf.c: every way in, every error with its file, line, value and what would be right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../src/lib/conf.c"

static int
check_even(const char *value, char *want, size_t size)
{
	if (strlen(value) % 2 == 0)
		return 0;
	snprintf(want, size, "an even number of characters");
	return -1;
}

static const struct conf_option options[] = {
	{ "config", CONF_STR, 1, 100, NULL, NULL, "T_CONFIG", 'c', -1, "a file", NULL },
	{ "iface", CONF_LIST, 1, 4, NULL, NULL, "T_IFACE", 'i', 0, "a list", NULL },
	{ "colour", CONF_STR, 1, 10, "red", "red|green|blue", NULL, 0, 0, "a word of three", NULL },
	{ "count", CONF_INT, -5, 100, "7", NULL, "T_COUNT", 0, 0, "a number", NULL },
	{ "loud", CONF_BOOL, 0, 0, "no", NULL, NULL, 0, 0, "a switch", NULL },
	{ "pair", CONF_STR, 0, 20, NULL, NULL, NULL, 0, 0, "checked", check_even },
	{ "hidden", CONF_STR, 0, 20, "x", NULL, NULL, 0, 1, "of the file only", NULL },
	{ "words", CONF_LIST, 1, 20, "a,b", NULL, NULL, 0, 0, "a list with a default", NULL },
};
#define N (sizeof options / sizeof *options)

static const struct conf_option plugin_options[] = {
	{ "step", CONF_INT, 1, 10, "3", NULL, NULL, 0, 0, "a step", NULL },
	{ "word", CONF_STR, 0, 20, NULL, NULL, NULL, 0, 0, "a word", NULL },
};
static const struct conf_section sections[] = { { "plug", plugin_options, 2 } };

static char path[64], err[500];
static struct conf *conf;

static int
setup(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof path, "/tmp/ng-unit-conf-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	unsetenv("T_CONFIG");
	unsetenv("T_IFACE");
	unsetenv("T_COUNT");
	conf = conf_new(options, N, sections, 1);
	assert_non_null(conf);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	conf_free(conf);
	unlink(path);
	return 0;
}

static int
file_bytes(const char *bytes, size_t n, int lenient)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
	memset(err, 0, sizeof err);
	return conf_file(conf, path, lenient, err, sizeof err);
}

static int
file(const char *text)
{
	return file_bytes(text, strlen(text), 0);
}

static int
lenient(const char *text)
{
	return file_bytes(text, strlen(text), 1);
}

/* The error of `text` begins with PATH:line: and says `what`. */
static void
wrong(const char *text, int line, const char *what)
{
	char want[600];

	assert_int_equal(file(text), -1);
	if (line)
		snprintf(want, sizeof want, "%s:%d: %s", path, line, what);
	else
		snprintf(want, sizeof want, "%s: %s", path, what);
	assert_string_equal(err, want);
}

static void
test_defaults(void **state)
{
	(void)state;
	assert_null(conf_str(conf, "config"));
	assert_int_equal(conf_list_n(conf, "iface"), 0);
	assert_null(conf_list(conf, "iface", 0));
	assert_string_equal(conf_str(conf, "colour"), "red");
	assert_int_equal(conf_int(conf, "count"), 7);
	assert_int_equal(conf_bool(conf, "loud"), 0);
	assert_int_equal(conf_list_n(conf, "words"), 2);
	assert_string_equal(conf_list(conf, "words", 1), "b");
	assert_string_equal(conf_origin(conf, "count"), "default");
	assert_string_equal(conf_section_str(conf, "plug", "step"), "3");
	assert_null(conf_section_str(conf, "plug", "word"));
	assert_null(conf_section_str(conf, "plug", "none"));
	assert_null(conf_section_str(conf, "none", "step"));
}

static void
test_file(void **state)
{
	(void)state;
	assert_int_equal(file("# a comment\ncolour = blue\ncount = -5\nloud = ON\niface = {\"eth0\", \"lo\"}\n"
			      "hidden = \"\"\nwords = {}\npair = \"with # in it\"\n"
			      "plug {\n  step = 10\n  word = \"a \\\"b\\\"\"\n}\n"), 0);
	assert_string_equal(conf_str(conf, "colour"), "blue");
	assert_int_equal(conf_int(conf, "count"), -5);
	assert_int_equal(conf_bool(conf, "loud"), 1);
	assert_int_equal(conf_list_n(conf, "iface"), 2);
	assert_string_equal(conf_list(conf, "iface", 1), "lo");
	assert_string_equal(conf_str(conf, "hidden"), "");
	assert_int_equal(conf_list_n(conf, "words"), 0);
	assert_string_equal(conf_str(conf, "pair"), "with # in it");
	assert_string_equal(conf_section_str(conf, "plug", "step"), "10");
	assert_string_equal(conf_section_str(conf, "plug", "word"), "a \"b\"");
	assert_string_equal(conf_origin(conf, "colour"), path);
	assert_int_equal(file(""), 0);
}

static void
test_bool_words(void **state)
{
	static const struct { const char *word; int value; } words[] = {
		{ "yes", 1 }, { "true", 1 }, { "on", 1 }, { "1", 1 }, { "Yes", 1 },
		{ "no", 0 }, { "false", 0 }, { "off", 0 }, { "0", 0 }, { "FALSE", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		char text[40];

		snprintf(text, sizeof text, "loud = %s\n", words[i].word);
		assert_int_equal(file(text), 0);
		assert_int_equal(conf_bool(conf, "loud"), words[i].value);
	}
}

static void
test_file_errors(void **state)
{
	(void)state;
	wrong("count = 101\n", 1, "count = \"101\": must be a number from -5 to 100");
	wrong("\n\ncount = -6\n", 3, "count = \"-6\": must be a number from -5 to 100");
	wrong("count = 5x\n", 1, "count = \"5x\": must be a number from -5 to 100");
	wrong("count = \"\"\n", 1, "count = \"\": must be a number from -5 to 100");
	wrong("count = \" 5\"\n", 1, "count = \" 5\": must be a number from -5 to 100");
	wrong("count = 99999999999999999999\n", 1,
	      "count = \"99999999999999999999\": must be a number from -5 to 100");
	wrong("loud = maybe\n", 1, "loud = \"maybe\": must be yes or no");
	wrong("colour = pink\n", 1, "colour = \"pink\": must be one of red|green|blue");
	wrong("colour = re\n", 1, "colour = \"re\": must be one of red|green|blue");
	wrong("colour = \"red|green\"\n", 1, "colour = \"red|green\": must be one of red|green|blue");
	wrong("iface = {\"eth0\", \"eth10\"}\n", 1, "iface = \"eth10\": must be 1 to 4 characters");
	wrong("iface = {\"eth0\",\n \"\"}\n", 2, "iface = \"\": must be 1 to 4 characters");
	wrong("pair = abc\n", 1, "pair = \"abc\": must be an even number of characters");
	wrong("plug {\n\n step = 11\n}\n", 3, "step = \"11\": must be a number from 1 to 10");
	wrong("colur = red\n", 1, "unknown option \"colur\": did you mean \"colour\"?");
	wrong("zebra = 1\n", 1, "unknown option \"zebra\": see net-gazer.conf(5) or --help for those there are");
	wrong("plug {\n stop = 3\n}\n", 2, "unknown option \"stop\": did you mean \"step\"?");
	wrong("plug {\n colour = red\n}\n", 2,
	      "unknown option \"colour\": see net-gazer.conf(5) or --help for those there are");
	wrong("config = \"x\"\n", 1, "config belongs on the command line, not into a file");
	wrong("other { a = 1 }\n", 1,
	      "unknown option \"other\": see net-gazer.conf(5) or --help for those there are");
	wrong("count 5\n", 1, "missing equal sign after option 'count'");
	assert_int_equal(file("count = {5}\n"), -1);
	assert_int_equal(file("plug = 5\n"), -1);
	assert_int_equal(file("plug {\n"), -1);
	assert_int_equal(file("count = \"5\n"), -1);
	/* Nothing of a file with an error is taken. */
	assert_int_equal(file("colour = blue\ncount = 500\n"), -1);
	assert_string_equal(conf_str(conf, "colour"), "red");
	/* The first error is told. */
	wrong("count = 500\nloud = maybe\n", 1, "count = \"500\": must be a number from -5 to 100");
}

static void
test_no_file(void **state)
{
	(void)state;
	assert_int_equal(conf_file(conf, "/nonexistent/x", 0, err, sizeof err), -1);
	assert_string_equal(err, "/nonexistent/x: No such file or directory");
	assert_int_equal(conf_file(conf, "/tmp", 0, err, sizeof err), -1);
	assert_string_equal(err, "/tmp: not a file");
	assert_int_equal(conf_file(conf, "/dev/null", 0, err, sizeof err), 0);
	assert_int_equal(file_bytes("\n\ncount = 5\0\n", 13, 0), -1);
	assert_non_null(strstr(err, ":3: holds a NUL byte"));
}

static void
test_too_large(void **state)
{
	char *text = malloc(CONF_FILE_MAX + 1);

	(void)state;
	memset(text, '\n', CONF_FILE_MAX + 1);
	assert_int_equal(file_bytes(text, CONF_FILE_MAX + 1, 0), -1);
	assert_non_null(strstr(err, "larger than"));
	assert_int_equal(file_bytes(text, CONF_FILE_MAX - 1, 0), 0);
	free(text);
}

static void
test_long_list(void **state)
{
	char text[2000] = "iface = {\"e0\"";

	(void)state;
	for (int i = 0; i < CONF_LIST_MAX; i++)
		strcat(text, ", \"e1\"");
	strcat(text, "}\n");
	wrong(text, 1, "iface has 65 entries, at most 64 are allowed");
}

static void
test_lenient(void **state)
{
	(void)state;
	assert_int_equal(lenient("zebra = 1\nother {\n a = 1\n b = {\"1\", \"2\"}\n}\ncount = 9\n"), 0);
	assert_int_equal(conf_int(conf, "count"), 9);
	assert_int_equal(lenient("a { }\nb {\n}\n# x {\n/* y { */ words = {\"z {\"}\nz = \"q {\" c {k = v}\ncount = 8"), 0);
	assert_int_equal(conf_int(conf, "count"), 8);
	assert_int_equal(lenient("other { a = 1 }\nplug { step = 4 }\nother { b = 2 }\n"), 0);
	assert_string_equal(conf_section_str(conf, "plug", "step"), "4");
	/* What is known is checked all the same. */
	assert_int_equal(lenient("other { a = 1 }\ncount = 900\n"), -1);
	assert_non_null(strstr(err, ":2: count = \"900\""));
}

static void
test_environment(void **state)
{
	(void)state;
	setenv("T_IFACE", "a,b,,c", 1);
	setenv("T_COUNT", "", 1);
	assert_int_equal(conf_environment(conf, err, sizeof err), 0);
	assert_int_equal(conf_list_n(conf, "iface"), 3);
	assert_string_equal(conf_list(conf, "iface", 2), "c");
	assert_string_equal(conf_origin(conf, "iface"), "environment T_IFACE");
	assert_int_equal(conf_int(conf, "count"), 7);
	setenv("T_COUNT", "many", 1);
	assert_int_equal(conf_environment(conf, err, sizeof err), -1);
	assert_string_equal(err, "environment T_COUNT: count = \"many\": must be a number from -5 to 100");
}

static char letters[20];

static void
on_letter(void *arg, int letter)
{
	size_t n = strlen(letters);

	assert_ptr_equal(arg, letters);
	letters[n] = (char)letter;
}

static int
command(const char *line, int *first)
{
	char *copy = strdup(line), *argv[20] = { (char *)"prog" }, *p = copy;
	int argc = 1, r;

	while ((argv[argc] = strsep(&p, " ")))
		argc++;
	memset(letters, 0, sizeof letters);
	memset(err, 0, sizeof err);
	r = conf_command_line(conf, argc, argv, "nvhVO", on_letter, letters, first, err, sizeof err);
	free(copy);
	return r;
}

static void
test_command_line(void **state)
{
	int first;

	(void)state;
	assert_int_equal(command("-v -i a,b -vn --count 9 -i c --colour=green", &first), 0);
	assert_string_equal(letters, "vvn");
	assert_int_equal(first, 10);
	assert_int_equal(conf_list_n(conf, "iface"), 3);
	assert_string_equal(conf_list(conf, "iface", 2), "c");
	assert_string_equal(conf_str(conf, "colour"), "green");
	assert_string_equal(conf_origin(conf, "iface"), "command line -i");
	assert_string_equal(conf_origin(conf, "count"), "command line --count");
	assert_int_equal(command("-c file --help --options", &first), 0);
	assert_string_equal(letters, "hO");
	assert_string_equal(conf_str(conf, "config"), "file");
	assert_int_equal(command("--count -5 stray", &first), 0);
	assert_int_equal(first, 3);
	assert_int_equal(conf_int(conf, "count"), -5);
}

static void
test_command_line_errors(void **state)
{
	int first;

	(void)state;
	assert_int_equal(command("--count 900", &first), -1);
	assert_string_equal(err, "command line --count: count = \"900\": must be a number from -5 to 100");
	assert_int_equal(command("-i toolong", &first), -1);
	assert_string_equal(err, "command line -i: iface = \"toolong\": must be 1 to 4 characters");
	assert_int_equal(command("--nothing", &first), -1);
	assert_string_equal(err, "--nothing: unknown option; see --help");
	assert_int_equal(command("--count", &first), -1);
	assert_string_equal(err, "--count: needs a value; see --help");
	assert_int_equal(command("--hidden x", &first), -1);
	assert_string_equal(err, "--hidden: unknown option; see --help");
	assert_int_equal(command("-q", &first), -1);
	assert_int_equal(conf_set(conf, "nothing", "1", "here", err, sizeof err), -1);
	assert_string_equal(err, "here: unknown option");
}

static void
test_precedence(void **state)
{
	int first;

	(void)state;
	setenv("T_COUNT", "2", 1);
	setenv("T_IFACE", "e", 1);
	assert_int_equal(command("--count 1", &first), 0);
	assert_int_equal(conf_environment(conf, err, sizeof err), 0);
	assert_int_equal(file("count = 3\niface = {\"f\"}\nloud = yes\n"), 0);
	assert_int_equal(conf_int(conf, "count"), 1);
	assert_string_equal(conf_list(conf, "iface", 0), "e");
	assert_int_equal(conf_bool(conf, "loud"), 1);
	/* A bad value is an error wherever it stands. */
	assert_int_equal(file("count = 300\n"), -1);
}

static void
test_find(void **state)
{
	const char *const some[] = { "/nonexistent/1", path, "/", NULL };
	const char *const none[] = { "/nonexistent/1", NULL };

	(void)state;
	assert_ptr_equal(conf_find(some), path);
	assert_null(conf_find(none));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_defaults), T(test_file), T(test_bool_words), T(test_file_errors), T(test_no_file),
		T(test_too_large), T(test_long_list), T(test_lenient), T(test_environment), T(test_command_line),
		T(test_command_line_errors), T(test_precedence), T(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
