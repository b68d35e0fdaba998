/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * evil.c - what an attacker does who has taken over the analyzer, as a plugin: at a handshake to port 666 it tries
 * all that he would try, and reports the error of each; at ports 601 and up what its cage kills for.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net-gazer/plugin.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define FD_PAGE 4
#define FD_CONTROL 5
#define FD_FIRST 7
#define FD_LAST 40
#define SUBSYS_NFTABLES 10
#define MSG_DELTABLE 2

struct evil {
	struct ng_ctx *ctx;
	const struct ng_host *host;
};

/* "batch begin, delete every table, batch end", through each descriptor that it was given: the netlink sockets
 * among them were opened by root. */
static int
flush_ruleset(void)
{
	struct {
		struct nlmsghdr h;
		uint8_t family, version;
		uint16_t res;
	} m[3] = {
		{ { 20, 16, NLM_F_REQUEST, 1, 0 }, 0, 0, 0x0a00 },
		{ { 20, SUBSYS_NFTABLES << 8 | MSG_DELTABLE, NLM_F_REQUEST, 2, 0 }, 0, 0, 0 },
		{ { 20, 17, NLM_F_REQUEST, 3, 0 }, 0, 0, 0x0a00 },
	};
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	for (int fd = FD_FIRST; fd < FD_LAST; fd++)
		(void)sendto(fd, m, sizeof m, MSG_DONTWAIT | MSG_NOSIGNAL, (void *)&kernel, sizeof kernel);
	return EPERM; /* what came of it the test sees in the kernel */
}

/* NFULNL_MSG_CONFIG with NFULNL_CFG_CMD_UNBIND, of group 100. */
static int
unbind_group(void)
{
	struct {
		struct nlmsghdr h;
		uint8_t family, version;
		uint16_t res;
		uint16_t len, type;
		uint8_t cmd[4];
	} m = { { 28, 4 << 8 | 1, NLM_F_REQUEST, 1, 0 }, 0, 0, htons(100), 5, 1, { 2 } };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	for (int fd = FD_FIRST; fd < FD_LAST; fd++)
		(void)sendto(fd, &m, sizeof m, MSG_DONTWAIT | MSG_NOSIGNAL, (void *)&kernel, sizeof kernel);
	return EPERM;
}

static int
result(long r)
{
	return r < 0 ? errno : 0;
}

static int
try_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr = { htonl(INADDR_LOOPBACK) } };

	return result(connect(FD_CONTROL, (void *)&to, sizeof to));
}

static int
try_bind(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/tmp/evil.sock" };

	return result(bind(FD_CONTROL, (void *)&to, sizeof to));
}

static int
writable_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int
change_buffer(void)
{
	int one = 1;

	return result(setsockopt(FD_FIRST, SOL_SOCKET, SO_RCVBUF, &one, sizeof one));
}

static void
try_all(struct evil *v, int64_t ts_us)
{
	const struct ng_host *o = v->host;
	pid_t parent = getppid();

	if (o->report_begin(v->ctx, NG_REPORT_PLUGIN, "evil", ts_us))
		return;
#define TRY(name, call) o->report_int(v->ctx, name, (call))
	TRY("open", result(open("/etc/passwd", O_RDONLY)));
	TRY("create", result(open("/tmp/evil", O_CREAT | O_RDWR, 0600)));
	TRY("proc", result(open("/proc/self/maps", O_RDONLY)));
	TRY("unlink", result(unlink("/tmp/evil")));
	TRY("socket_inet", result(socket(AF_INET, SOCK_STREAM, 0)));
	TRY("socket_unix", result(socket(AF_UNIX, SOCK_STREAM, 0)));
	TRY("socket_netlink", result(socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER)));
	TRY("socket_packet", result(socket(AF_PACKET, SOCK_RAW, 0)));
	TRY("connect", try_connect());
	TRY("bind", try_bind());
	TRY("kill", result(kill(parent, SIGKILL)));
	TRY("kill_all", result(kill(-1, SIGKILL)));
	TRY("tgkill", result(syscall(SYS_tgkill, parent, parent, SIGKILL)));
	TRY("fork", result(fork()));
	TRY("setuid", result(setuid(0)));
	TRY("setsockopt", change_buffer());
	TRY("prctl", result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)));
	TRY("pidfd", result(syscall(SYS_pidfd_open, parent, 0)));
	TRY("io_uring", result(syscall(425, 8, NULL)));
	TRY("writable_code", writable_code());
	TRY("nft", flush_ruleset());
	TRY("unbind", unbind_group());
	o->report_commit(v->ctx);
}

/* What parent and analyzer share, filled with nonsense, and nonsense sent; then it ends. */
static void
garbage(void)
{
	struct {
		uint32_t type, n;
		uint64_t value[32];
	} m;
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, FD_PAGE, 0);

	for (uint32_t type = 0; type < 8; type++) {
		memset(&m, 0xff, sizeof m);
		m.type = type;
		(void)send(FD_CONTROL, &m, sizeof m, MSG_DONTWAIT | MSG_NOSIGNAL);
		(void)send(FD_CONTROL, &m, 3, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	if (page != MAP_FAILED)
		memset(page, 0xff, 4096);
	_exit(0);
}

static void
deadly(unsigned which)
{
	char *const argv[] = { (char *)"/bin/sh", NULL };

	switch (which) {
	case 1:
		execve(argv[0], argv, NULL);
		break;
	case 2:
		ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
		break;
	case 3:
		syscall(SYS_unshare, 0x10000000);
		break;
	case 4:
		syscall(SYS_process_vm_writev, getppid(), NULL, 0, NULL, 0, 0);
		break;
	case 5:
		garbage();
		break;
	default:
		break;
	}
}

static int
start(struct ng_ctx *ctx, const struct ng_host *host, void **self)
{
	struct evil *v = calloc(1, sizeof *v);

	if (!v)
		return -1;
	*v = (struct evil){ ctx, host };
	*self = v;
	return 0;
}

static int
event(void *self, const struct ng_event *e)
{
	if (e->type == NG_EVENT_CONN && e->conn->dport == 666)
		try_all(self, e->conn->ts_us);
	else if (e->type == NG_EVENT_CONN && e->conn->dport > 600 && e->conn->dport < 610)
		deadly(e->conn->dport - 600u);
	return 0;
}

static void
stop(void *self)
{
	free(self);
}

NG_PLUGIN(.name = "evil", .version = "1", .about = "tries to get out", .events = NG_EVENT_CONN, .start = start,
	  .event = event, .stop = stop);
