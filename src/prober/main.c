/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * prober - sends probes and reads their answers, for the analyzer's plugins and for people.  Started
 * by net-gazer(8), or by net-gazerctl(8) where no daemon runs, with the descriptors of src/prober.h;
 * holds no privilege.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "budget.h"
#include "client.h"
#include "control.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "prober.h"
#include "prober/engine.h"
#include "route.h"
#include "sandbox.h"
#include "serve.h"
#include "settings.h"
#include "sock.h"

static struct settings settings;
static struct loop *loop;
static struct engine *engine;
static struct loop_timer run_timer;

static void on_run(struct loop_timer *);

/* Behind whatever came in: begin and send what is due, and come back when something is. */
static void
run(void *arg)
{
	int64_t next_us = serve_run(loop_now_us(loop), loop_wall_us(loop));

	(void)arg;
	if (next_us == INT64_MAX)
		loop_timer_clear(&run_timer);
	else
		loop_timer_set(loop, &run_timer, next_us - loop_now_us(loop), on_run, NULL);
	if (serve_busy())
		control_hurry();
}

static void
on_run(struct loop_timer *t)
{
	(void)t;
	run(NULL);
}

static void
on_answer(void *arg, const struct wire_answer *a, int64_t ts_us)
{
	(void)arg;
	engine_answer(engine, a, ts_us, loop_now_us(loop));
}

static int
on_request(void *arg, unsigned client, const void *bytes, size_t len)
{
	(void)arg;
	return serve_packet(client, bytes, len, loop_now_us(loop), loop_wall_us(loop));
}

static void
on_gone(void *arg, unsigned client)
{
	(void)arg;
	serve_gone(client);
}

static void
on_found(void *arg, const struct prober_ctl *m)
{
	serve_found(m, loop_now_us(loop));
	run(arg);
}

static void
on_stats(void *arg, uint64_t stat[16])
{
	(void)arg;
	serve_stats(stat);
}

static int
on_busy(void *arg)
{
	(void)arg;
	return serve_busy() != 0;
}

static int64_t
on_send(void *arg, const struct wire_probe *p)
{
	(void)arg;
	return sock_send(p);
}

static void
on_hop(void *arg, uint32_t client, uint32_t id, const struct prober_hop *hop)
{
	(void)arg;
	serve_hop(client, id, hop);
}

static void
on_done(void *arg, uint32_t client, const struct prober_result *r)
{
	(void)arg;
	serve_done(client, r);
}

static void
on_signal(void *arg, int signo)
{
	(void)arg;
	(void)signo;
	loop_stop(loop, 0);
}

static int
is_seqpacket(int fd)
{
	int type = 0;
	socklen_t size = sizeof type;

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_SEQPACKET;
}

int
main(int argc, char **argv)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
	static const struct engine_calls engine_calls = { on_send, on_hop, on_done };
	static const struct client_calls client_calls = { on_request, on_gone, run };
	static const struct control_calls control_calls = { on_found, on_stats, on_busy };
	static const struct sock_calls sock_calls = { on_answer, run };
	/* Looked at before anything else could get the number. */
	int control_fd = is_seqpacket(PROBER_FD_CONTROL) ? PROBER_FD_CONTROL : -1;
	struct engine_conf engine_conf;
	struct budget *budget;
	uint64_t posture;
	char err[300];

	(void)argv;
	log_init("net-gazer: prober", LOG_L_INFO);
	if (argc > 1 || !is_seqpacket(PROBER_FD_REQUESTS))
		fatal("this program is started by net-gazer(8)");
	if (settings_read(&settings, PROBER_FD_SETTINGS, err, sizeof err))
		fatal("%s", err);
	log_set_level((enum log_level)settings.verbose);

	/* All memory is taken here. */
	loop = loop_new();
	if (!loop || loop_signals(loop, signals, on_signal, NULL))
		fatal("epoll, signalfd: %s", strerror(errno));
	budget = budget_open(PROBER_FD_BUDGETS, settings.prefix_budget, loop_wall_us(loop));
	engine_conf = (struct engine_conf){ .traces = settings.traces, .probe_rate = settings.probe_rate };
	hash_random(engine_conf.key, sizeof engine_conf.key);
	engine = engine_new(&engine_conf, &engine_calls, NULL);
	if (!budget || !engine ||
	    serve_start(&(struct serve_conf){ &settings, engine, budget, control_lookup, NULL }, loop_now_us(loop)))
		fatal("no memory for %u traces", settings.traces);
	route_start(settings.route_fd, settings.mark);

	posture = sandbox_close();

	if (sock_start(loop, &settings, &sock_calls, NULL))
		fatal("a descriptor of the settings is no socket");
	if (client_start(loop, PROBER_FD_REQUESTS, settings.listen_fd, &client_calls, NULL) ||
	    control_start(loop, control_fd, &control_calls, NULL))
		fatal("descriptors 5 and 6 cannot be watched");
	control_ready(posture);

	loop_run(loop);

	serve_stop();
	engine_free(engine);
	budget_close(budget);
	loop_free(loop);
	return 0;
}
