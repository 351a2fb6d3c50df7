// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/lib/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/lib/plan.h"
#include "tests/bench/lib/sample.h"

#define RESULT_DIR "/run/bench-results"
#define REPLY_MAX 65536
#define PEAK_FILE "/run/bench-peak"

struct call {
	struct variant *v;
	const struct plan_plugin *p;
	const char *cmd;
	int n;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void chain_netns_path(const struct variant *v, int n, char *out, size_t size)
{
	snprintf(out, size, "/run/netns/%s-%d", v->name, n);
}

static void result_path(const struct variant *v, int n, char *out, size_t size)
{
	snprintf(out, size, RESULT_DIR "/%s-%d", v->name, n);
}

static void result_keep(const struct variant *v, int n, const char *result)
{
	char path[256];

	(void)mkdir(RESULT_DIR, 0700);
	result_path(v, n, path, sizeof path);
	FILE *f = fopen(path, "we");
	if (!f || fputs(result, f) < 0 || fclose(f))
		die("write %s", path);
}

/* NULL when the ADD left none. */
static char *result_take(const struct variant *v, int n)
{
	char path[256], *text = NULL;
	size_t cap = 0;

	result_path(v, n, path, sizeof path);
	FILE *f = fopen(path, "re");
	if (!f)
		return NULL;
	if (getdelim(&text, &cap, 0, f) < 0) {
		free(text);
		text = NULL;
	}
	fclose(f);
	(void)unlink(path);
	return text;
}

/* The plugin's configuration with the marks filled in and prevResult before the last brace. */
static char *config(const struct call *c, const char *prev)
{
	char *conf = plan_fill(c->p->conf, c->n), *all, *brace = strrchr(conf, '}');

	if (!prev || !*prev || !brace)
		return conf;
	*brace = 0;
	if (asprintf(&all, "%s,\"prevResult\":%s}", conf, prev) < 0)
		die("compose a configuration");
	free(conf);
	return all;
}

static pid_t spawn_plugin(const struct call *c, int in, int out)
{
	const struct variant *v = c->v;
	char *bin = c->p->bin, env[6][512], *envp[7] = { NULL };
	char *direct[] = { bin, NULL }, *measured[] = { v->peak, (char *)PEAK_FILE, bin, NULL };
	char **argv = v->peak ? measured : direct;
	posix_spawn_file_actions_t fa;
	pid_t pid;

	snprintf(env[0], sizeof *env, "CNI_COMMAND=%s", c->cmd);
	snprintf(env[1], sizeof *env, "CNI_CONTAINERID=c%d-%s", c->n, v->name);
	snprintf(env[2], sizeof *env, "CNI_NETNS=/run/netns/%s-%d", v->name, c->n);
	snprintf(env[3], sizeof *env, "CNI_IFNAME=%s",
		 strcmp(base_name(bin), "loopback") ? "eth0" : "lo");
	snprintf(env[4], sizeof *env, "CNI_PATH=%.*s", (int)(base_name(bin) - bin - 1), bin);
	snprintf(env[5], sizeof *env, "PATH=%s",
		 v->path ? v->path : "/usr/sbin:/usr/bin:/sbin:/bin");
	for (int i = 0; i < 6; i++)
		envp[i] = env[i];
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO);
	errno = posix_spawn(&pid, argv[0], &fa, NULL, argv, envp);
	if (errno)
		die("start %s", argv[0]);
	posix_spawn_file_actions_destroy(&fa);
	return pid;
}

/* A plugin may end without reading; its exit status tells more than our EPIPE. */
static void feed(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t r = write(fd, text, left);
		if (r < 0)
			break;
		text += r;
		left -= (size_t)r;
	}
	close(fd);
}

static char *read_reply(int fd)
{
	char *reply = malloc(REPLY_MAX);
	size_t got = 0;
	ssize_t r;

	if (!reply)
		die("hold a reply");
	while ((r = read(fd, reply + got, REPLY_MAX - 1 - got)) > 0)
		got += (size_t)r;
	reply[got] = 0;
	close(fd);
	return reply;
}

/* One plugin from spawn to exit. Returns what it wrote, or NULL when it failed. */
static char *call_plugin(const struct call *c, const char *prev, double *us)
{
	char *conf = config(c, prev);
	int in[2], out[2], status;

	signal(SIGPIPE, SIG_IGN);
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		die("make a pipe");
	double start = now_us();
	pid_t pid = spawn_plugin(c, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	feed(in[1], conf);
	char *reply = read_reply(out[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*us = now_us() - start;
	if (status) {
		fprintf(stderr, "%s: %s %s of container %d ended with status %#x: %s\n", c->v->name,
			base_name(c->p->bin), c->cmd, c->n, (unsigned)status, reply);
		free(reply);
		reply = NULL;
	}
	free(conf);
	return reply;
}

static void record_plugin(const struct call *c, double us)
{
	char op[64];
	FILE *f;
	double kb;

	if (c->v->nplugin > 1 && !c->v->peak) {
		snprintf(op, sizeof op, "%s %s", c->cmd, base_name(c->p->bin));
		sample(c->v->name, op, "us", us);
	}
	if (!c->v->peak || !(f = fopen(PEAK_FILE, "re")))
		return;
	if (fscanf(f, "%lf", &kb) == 1) {
		snprintf(op, sizeof op, "peak %s", base_name(c->p->bin));
		sample(c->v->name, op, "KB", kb);
	}
	fclose(f);
}

int chain_run(struct variant *v, const char *cmd, int n, bool record, double *us)
{
	bool add = !strcmp(cmd, "ADD");
	char *prev = add ? NULL : result_take(v, n);
	double start = now_us(), plugin_us = 0, took;

	for (int i = 0; i < v->nplugin; i++) {
		struct call c = { v, &v->plugin[add ? i : v->nplugin - 1 - i], cmd, n };
		char *reply = call_plugin(&c, prev, &plugin_us);
		if (!reply) {
			free(prev);
			return -1;
		}
		if (record)
			record_plugin(&c, plugin_us);
		if (add) {
			free(prev);
			prev = reply;
		} else {
			free(reply);
		}
	}
	took = now_us() - start;
	if (add)
		result_keep(v, n, prev);
	free(prev);
	if (record && !v->peak)
		sample(v->name, cmd, "us", took);
	if (us)
		*us = took;
	return 0;
}
