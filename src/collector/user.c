/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * user.c - the command user: who may log in.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "access.h"
#include "command.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "password.h"

/* One line, without echo when a person types it.  -1: there is none, or it is too long. */
static int
read_line(const char *prompt, char out[PASSWORD_MOST + 2])
{
	int person = isatty(STDIN_FILENO);
	struct termios before, quiet;
	size_t n;
	int r = -1;

	if (person && tcgetattr(STDIN_FILENO, &before))
		return -1;
	if (person) {
		fputs(prompt, stderr);
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	setvbuf(stdin, NULL, _IONBF, 0); /* no copy of it stays in a buffer */
	if (fgets(out, PASSWORD_MOST + 2, stdin)) {
		n = strcspn(out, "\n");
		r = out[n] || n <= PASSWORD_MOST ? 0 : -1;
		out[n] = 0;
	}
	if (person) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputs("\n", stderr);
	}
	return r;
}

static void
read_password(const char *name, char password[PASSWORD_MOST + 2])
{
	char again[PASSWORD_MOST + 2], prompt[100];

	snprintf(prompt, sizeof prompt, "Password of %s: ", name);
	if (read_line(prompt, password) || strlen(password) < PASSWORD_LEAST)
		fatal("user add %s: a password has %d to %d bytes, on one line of stdin", name, PASSWORD_LEAST, PASSWORD_MOST);
	if (!isatty(STDIN_FILENO))
		return;
	if (read_line("Again: ", again) || strcmp(password, again))
		fatal("user add %s: the two are not the same; nothing was changed", name);
	explicit_bzero(again, sizeof again);
}

static int
add(struct access *a, const char *name)
{
	char password[PASSWORD_MOST + 2], hash[ACCESS_PASSWORD_MAX];
	int r;

	if (!access_user_name_ok(name))
		fatal("user add %s: a name has 1 to 64 letters, digits, . _ - @ and begins with a letter or digit", name);
	read_password(name, password);
	r = password_hash(password, hash, sizeof hash);
	explicit_bzero(password, sizeof password);
	return r ? r : access_user_set(a, name, hash, clock_wall_us());
}

static void
print_user(void *arg, const char *name, int64_t changed_us)
{
	char text[JSON_TIME_LEN + 1];

	(void)arg;
	json_time_text(text, changed_us);
	printf("%-32s password of %.19sZ\n", name, text);
}

int
user_command(const struct conf *conf, char *const *arguments, int n)
{
	const char *what = arguments[0], *name = n > 1 ? arguments[1] : NULL;
	struct access *a;
	char err[500];
	int r;

	if (strcmp(what, "list") ? !name || (strcmp(what, "add") && strcmp(what, "remove")) : !!name)
		fatal("user: say add NAME, remove NAME or list");
	if (access_open(&a, conf_str(conf, "database"), err, sizeof err))
		fatal("%s", err);
	if (!name)
		r = access_users(a, print_user, NULL);
	else if (!strcmp(what, "add"))
		r = add(a, name);
	else
		r = access_user_remove(a, name);
	access_close(a);
	if (r < 0)
		fatal("user %s: %s", what, r == -ENOSPC ? "there are too many" : strerror(-r));
	if (!strcmp(what, "remove") && !r) {
		log_error("user remove %s: there is none", name);
		return 1;
	}
	return fflush(stdout) ? 2 : 0;
}
