// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/dhcp/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipam/dhcp/options.h"
#include "ipam/dhcp/record.h"
#include "ipam/dhcp/server.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"

#define BACKLOG 128
#define PASSED_FD 3 /* sd_listen_fds(3) */

struct flags {
	const char *pidfile, *host_prefix, *socket, *data_dir;
	int64_t timeout_ms, resend_max_ms, resend_timeout_ms;
	bool broadcast;
};

enum flag_type { F_TEXT, F_TIME, F_SWITCH };

static const struct flag {
	const char *name;
	enum flag_type type;
	size_t off;
	const char *help;
} flags[] = {
	{ "pidfile", F_TEXT, offsetof(struct flags, pidfile), "PATH  write the process id there" },
	{ "hostprefix", F_TEXT, offsetof(struct flags, host_prefix),
	  "PATH  before the path of every namespace" },
	{ "socketpath", F_TEXT, offsetof(struct flags, socket),
	  "PATH  listen there [" DHCP_SOCKET "]" },
	{ "datadir", F_TEXT, offsetof(struct flags, data_dir),
	  "PATH  keep leases there [" DHCP_DATA_DIR "]" },
	{ "timeout", F_TIME, offsetof(struct flags, timeout_ms),
	  "TIME  wait for the answer to a request, then start over [10s]" },
	{ "resendmax", F_TIME, offsetof(struct flags, resend_max_ms),
	  "TIME  longest pause between two packets [62s]" },
	{ "resendtimeout", F_TIME, offsetof(struct flags, resend_timeout_ms),
	  "TIME  give up an ADD after it [208s]; plugins wait 50s" },
	{ "broadcast", F_SWITCH, offsetof(struct flags, broadcast),
	  "have servers answer by broadcast" },
};

static void say(const char *line)
{
	(void)fprintf(stderr, "dhcp: %s\n", line);
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: dhcp daemon [-FLAG VALUE]...\n");
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		(void)fprintf(stderr, "  -%-14s %s\n", flags[i].name, flags[i].help);
	return 2;
}

/* "1m30s", "500ms", "2h": as the reference's flags have it. */
static int parse_time(const char *text, int64_t *out)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	int64_t sum = 0;

	if (!*text)
		return -EINVAL;
	while (*text) {
		char *end;
		size_t i = 0;
		long n = strtol(text, &end, 10);

		if (end == text || n < 0 || n > 1000000)
			return -EINVAL;
		size_t len = strcspn(end, "0123456789");
		while (i < ARRAY_LEN(units) &&
		       (strlen(units[i].unit) != len || memcmp(units[i].unit, end, len)))
			i++;
		if (i == ARRAY_LEN(units))
			return -EINVAL;
		sum += n * units[i].ms;
		text = end + len;
	}
	*out = sum;
	return sum > 0 ? 0 : -EINVAL;
}

static int take_flag(const struct flag *f, const char *value, struct flags *out)
{
	void *member = (char *)out + f->off;

	if (f->type == F_TIME)
		return parse_time(value, member);
	if (f->type == F_TEXT) {
		*(const char **)member = value;
		return 0;
	}
	if (strcmp(value, "true") && strcmp(value, "false"))
		return -EINVAL;
	*(bool *)member = !strcmp(value, "true");
	return 0;
}

/* -name value, -name=value, with one dash or two; a switch needs no value. */
static int parse_flags(int argc, char **argv, struct flags *out)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i] + strspn(argv[i], "-");
		size_t len = strcspn(name, "="), k = 0;
		const char *value = name[len] ? name + len + 1 : NULL;

		while (k < ARRAY_LEN(flags) &&
		       (strlen(flags[k].name) != len || memcmp(flags[k].name, name, len)))
			k++;
		if (name == argv[i] || name > argv[i] + 2 || k == ARRAY_LEN(flags)) {
			(void)fprintf(stderr, "dhcp: %s: no such flag\n", argv[i]);
			return -EINVAL;
		}
		if (!value)
			value = flags[k].type == F_SWITCH ? "true" : i + 1 < argc ? argv[++i] : "";
		if (take_flag(&flags[k], value, out) < 0) {
			(void)fprintf(stderr, "dhcp: -%s: expected %s, got \"%s\"\n", flags[k].name,
				      flags[k].type == F_TIME ? "a time like 10s or 1m30s" :
								"true or false",
				      value);
			return -EINVAL;
		}
	}
	return 0;
}

/* ---- socket */

/* systemd's, when it passed one: 1, and it is not ours to remove. */
static int passed_socket(int *fd, struct err *e)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");

	if (!pid || !n || strtol(pid, NULL, 10) != (long)getpid())
		return 0;
	if (strcmp(n, "1") != 0)
		return err_say(e, -EINVAL,
			       "Too many (%.20s) socket passed through LISTEN_FDS; expected one",
			       n);
	*fd = PASSED_FD;
	(void)fd_set_cloexec(*fd, true);
	return 1;
}

/* A socket that nobody serves was left by one that was killed. */
static int bind_socket(int fd, const struct sockaddr_un *un, struct err *e)
{
	const struct sockaddr *sa = (const struct sockaddr *)(const void *)un;
	cleanup_fd int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, sa, sizeof *un) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return err_set(e, -errno, "Error listening on %s", un->sun_path);
	if (probe >= 0 && connect(probe, sa, sizeof *un) == 0)
		return err_say(e, -EADDRINUSE, "another daemon listens on %s", un->sun_path);
	if (unlink(un->sun_path) < 0 || bind(fd, sa, sizeof *un) < 0)
		return err_set(e, -errno, "Error listening on %s", un->sun_path);
	return 0;
}

static int listen_on(const char *path, int *out, struct err *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cleanup_free char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	int r = 0;

	if (fd < 0 || !dir)
		return err_set(e, -errno, "make a socket");
	if (str_copyf(un.sun_path, sizeof un.sun_path, "%s", path) < 0)
		return err_say(e, -ENAMETOOLONG, "-socketpath: expected at most %zu bytes",
			       sizeof un.sun_path - 1);
	if (slash && slash != dir) {
		*slash = 0;
		r = file_mkdirs(dir, 0700, e);
	}
	(void)umask(0117); /* 0660, as the reference's unit has it */
	if (r == 0)
		r = bind_socket(fd, &un, e);
	(void)umask(022);
	if (r < 0)
		return r;
	if (listen(fd, BACKLOG) < 0)
		return err_set(e, -errno, "Error listening on %s", path);
	*out = take_fd(fd);
	return 0;
}

/* ---- process */

static int write_pidfile(const char *path, struct err *e)
{
	char text[32];

	if (!path)
		return 0;
	if (*path != '/')
		return err_say(e, -EINVAL, "Error writing pidfile \"%s\": path not absolute", path);
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	(void)snprintf(text, sizeof text, "%d", (int)getpid());
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_set(e, -errno, "Error writing pidfile \"%s\"", path);
	return 0;
}

/* A descriptor for each lease. */
static void raise_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

static int serve(const struct flags *f, struct err *e)
{
	cleanup_fd int listening = -1, dir = record_dir(f->data_dir, e);
	struct server_conf c = {
		.host = { .pace = { .answer_ms = f->timeout_ms, .resend_max_ms = f->resend_max_ms },
			  .broadcast = f->broadcast,
			  .dir = dir },
		.host_prefix = f->host_prefix,
		.give_up_ms = f->resend_timeout_ms,
	};
	int passed, r = dir;

	if (dir < 0)
		return r;
	if ((r = passed = passed_socket(&listening, e)) < 0 ||
	    (!passed && (r = listen_on(f->socket, &listening, e)) < 0))
		return r;
	if ((r = write_pidfile(f->pidfile, e)) == 0)
		r = server_run(&c, listening, say, e);
	if (!passed)
		(void)unlink(f->socket);
	if (f->pidfile && r == 0)
		(void)unlink(f->pidfile);
	return r;
}

int dhcp_daemon(int argc, char **argv)
{
	struct flags f = { .host_prefix = "",
			   .socket = DHCP_SOCKET,
			   .data_dir = DHCP_DATA_DIR,
			   .timeout_ms = 10000,
			   .resend_max_ms = 62000,
			   .resend_timeout_ms = 208000 };
	struct err e = ERR_INIT;

	if (parse_flags(argc, argv, &f) < 0)
		return usage();
	(void)signal(SIGPIPE, SIG_IGN);
	raise_limit();
	if (serve(&f, &e) == 0)
		return 0;
	say(e.text);
	return 1;
}
