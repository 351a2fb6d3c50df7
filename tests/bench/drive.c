// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Times CNI chains and commands as a runtime meets them: whole processes, from start to exit. The
 * variants of a plan take turns, round by round, so that the machine's weather falls on all of them
 * alike; each has a host network namespace of its own.
 *
 *   drive PLAN ROUNDS [WARM-UP ROUNDS]
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/lib/chain.h"
#include "tests/bench/lib/netns.h"
#include "tests/bench/lib/plan.h"
#include "tests/bench/lib/sample.h"

#define SETTLE_US 20000 /* between two steps: the kernel finishes what the last one left to it */
#define ARGS_MAX 48
#define JOIN_LINK "/run/netns/ctr" /* the bundle of crun names this namespace */

extern char **environ;

static int own_mnt = -1, pure_mnt = -1;

/*
 * A second mount namespace without the version 2 tree inside version 1's, which some runtimes
 * refuse.
 */
static void make_pure_view(void)
{
	own_mnt = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (unshare(CLONE_NEWNS))
		die("make a mount namespace");
	(void)umount2("/sys/fs/cgroup/unified", MNT_DETACH);
	pure_mnt = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (own_mnt < 0 || pure_mnt < 0 || setns(own_mnt, CLONE_NEWNS))
		die("return to the first mount namespace");
}

static void enter(const struct variant *v)
{
	netns_enter(v->netns);
	if (setns(v->pure_cgroup ? pure_mnt : own_mnt, CLONE_NEWNS))
		die("enter the mount namespace of %s", v->name);
}

static int next_netns(struct variant *v, char *path, size_t size)
{
	int n = v->next++;

	chain_netns_path(v, n, path, size);
	close(netns_make(path));
	return n;
}

static void give_up(struct variant *v)
{
	v->failed = true;
	sample(v->name, "failed", "count", 1);
}

static void prepare(struct variant *v)
{
	char path[256];

	v->netns = netns_make(NULL);
	enter(v);
	netns_lo_up();
	if (v->host_cmd && system(v->host_cmd))
		die("%s: run %s", v->name, v->host_cmd);
	double start = now_us();
	for (int i = 0; i < v->prefill && !v->failed; i++)
		if (chain_run(v, "ADD", next_netns(v, path, sizeof path), false, NULL))
			give_up(v);
	if (v->prefill)
		fprintf(stderr, "%s: %d attachments made in %.1f s\n", v->name, v->prefill,
			(now_us() - start) / 1e6);
}

static void round_chain(struct variant *v, bool record)
{
	char path[256];
	int n = next_netns(v, path, sizeof path);

	usleep(SETTLE_US);
	int r = chain_run(v, "ADD", n, record, NULL);
	usleep(SETTLE_US);
	if (!r)
		r = chain_run(v, "DEL", n, record, NULL);
	if (r)
		give_up(v);
	netns_drop(path);
	usleep(SETTLE_US);
}

/*
 * Starts one process per container, lets them go at once and waits for all. Returns how many
 * failed.
 */
static int at_once(struct variant *v, const char *cmd, int first, double *us)
{
	int gate[2], status, bad = 0;
	char c;

	if (pipe2(gate, O_CLOEXEC))
		die("make a pipe");
	fflush(stdout);
	for (int i = 0; i < v->parallel; i++) {
		pid_t pid = fork();
		if (pid < 0)
			die("start worker %d of %s", i, v->name);
		if (pid)
			continue;
		close(gate[1]);
		if (read(gate[0], &c, 1))
			_exit(1);
		_exit(chain_run(v, cmd, first + i, false, NULL) ? 3 : 0);
	}
	usleep(SETTLE_US);
	double start = now_us();
	close(gate[1]);
	for (int i = 0; i < v->parallel; i++)
		if (wait(&status) < 0 || status)
			bad++;
	*us = now_us() - start;
	close(gate[0]);
	return bad;
}

static void round_parallel(struct variant *v, bool record)
{
	static const char *const cmds[] = { "ADD", "DEL" };
	char path[256], op[32];
	double us;
	int first = v->next;

	for (int i = 0; i < v->parallel; i++)
		next_netns(v, path, sizeof path);
	usleep(SETTLE_US);
	for (int k = 0; k < 2; k++) {
		int bad = at_once(v, cmds[k], first, &us);
		snprintf(op, sizeof op, "%s failures", cmds[k]);
		sample(v->name, op, "count", bad);
		if (record && !bad)
			sample(v->name, cmds[k], "us", us);
	}
	for (int i = 0; i < v->parallel; i++) {
		chain_netns_path(v, first + i, path, sizeof path);
		netns_drop(path);
	}
	usleep(10 * SETTLE_US);
}

static int run_command(const struct variant *v, int n)
{
	char *line = plan_fill(v->command, n), *argv[ARGS_MAX + 1], *save;
	posix_spawn_file_actions_t fa;
	int argc = 0, status;
	pid_t pid;

	char *arg = strtok_r(line, " ", &save);
	for (; arg && argc < ARGS_MAX; arg = strtok_r(NULL, " ", &save))
		argv[argc++] = arg;
	argv[argc] = NULL;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&fa, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	errno = posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ);
	if (errno)
		die("%s: start %s", v->name, argv[0]);
	posix_spawn_file_actions_destroy(&fa);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	free(line);
	if (status)
		fprintf(stderr, "%s: %s ended with status %#x\n", v->name, v->command,
			(unsigned)status);
	return status ? -1 : 0;
}

/*
 * From nothing to nothing: with plugins also the namespace, the ADD before and the DEL after the
 * command.
 */
static void round_command(struct variant *v, bool record)
{
	char path[256] = "";
	double exit_us = 0, start;
	int n, r = 0;

	usleep(SETTLE_US);
	start = now_us();
	n = v->nplugin ? next_netns(v, path, sizeof path) : v->next++;
	if (v->nplugin) {
		r = chain_run(v, "ADD", n, record, NULL);
		(void)unlink(JOIN_LINK);
		if (symlink(path, JOIN_LINK))
			die("link %s to %s", JOIN_LINK, path);
	}
	if (!r)
		r = run_command(v, n);
	exit_us = now_us() - start;
	if (!r && v->nplugin)
		r = chain_run(v, "DEL", n, record, NULL);
	if (v->nplugin)
		netns_drop(path);
	double all_us = now_us() - start;
	if (r)
		give_up(v);
	else if (record)
		sample(v->name, "whole life", "us", all_us);
	if (!r && record && v->nplugin)
		sample(v->name, "start to exit", "us", exit_us);
	usleep(SETTLE_US);
}

static void round_of(struct variant *v, bool record)
{
	if (v->failed)
		return;
	enter(v);
	if (v->command)
		round_command(v, record);
	else if (v->parallel > 1)
		round_parallel(v, record);
	else
		round_chain(v, record);
}

int main(int argc, char **argv)
{
	static struct plan plan;

	if (argc < 3) {
		fprintf(stderr, "usage: drive PLAN ROUNDS [WARM-UP ROUNDS]\n");
		return 2;
	}
	require_private();
	int rounds = atoi(argv[2]), warm = argc > 3 ? atoi(argv[3]) : 2;
	plan_read(&plan, argv[1]);
	make_pure_view();
	for (int i = 0; i < plan.nvariant; i++)
		prepare(&plan.variant[i]);
	for (int r = -warm; r < rounds; r++)
		for (int i = 0; i < plan.nvariant; i++)
			round_of(&plan.variant[(i + (r < 0 ? 0 : r)) % plan.nvariant], r >= 0);
	return 0;
}
