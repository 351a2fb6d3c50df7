// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a program and writes the most memory that it, or a program it started, had resident at any
 * time, in KB.
 *
 *   peak FILE PROGRAM [ARG...]
 *
 * The kernel's own figure for a waited child (ru_maxrss) begins with the memory of the process that
 * forked it. So the program is traced, and its high-water mark read at the moment it exits, while
 * its memory is still there; ru_maxrss is the answer only for a process that ended without stopping
 * there (a thread that was not the first ended it).
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/lib/sample.h"

#define OPTIONS (PTRACE_O_TRACEEXIT | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL)

static long high_water_kb(pid_t pid)
{
	char path[64], line[128];
	long kb = 0;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "VmHWM: %ld", &kb) == 1)
			break;
	fclose(f);
	return kb;
}

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		die("start %s", argv[0]);
	if (pid)
		return pid;
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	execv(argv[0], argv);
	die("run %s", argv[0]);
}

/* Follows the program to its end. Returns its wait status; *kb is the largest mark seen. */
static int follow(pid_t main_pid, long *kb)
{
	int status, main_status = 0;
	struct rusage ru = { 0 };

	for (pid_t pid; (pid = wait4(-1, &status, __WALL, &ru)) > 0;) {
		if (!WIFSTOPPED(status)) {
			if (pid == main_pid)
				main_status = status;
			if (*kb == 0)
				*kb = ru.ru_maxrss;
			continue;
		}
		int event = status >> 16, signal = WSTOPSIG(status);
		if (event == PTRACE_EVENT_EXIT) {
			long mark = high_water_kb(pid);
			*kb = mark > *kb ? mark : *kb;
		}
		if (event || signal == SIGTRAP || signal == SIGSTOP)
			signal = 0;
		ptrace(PTRACE_CONT, pid, NULL, (void *)(intptr_t)signal);
	}
	return main_status;
}

int main(int argc, char **argv)
{
	int status;
	long kb = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: peak FILE PROGRAM [ARG...]\n");
		return 2;
	}
	pid_t pid = start(argv + 2);
	if (waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status))
		die("trace %s", argv[2]);
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(intptr_t)OPTIONS) ||
	    ptrace(PTRACE_CONT, pid, NULL, NULL))
		die("trace %s", argv[2]);
	status = follow(pid, &kb);
	FILE *f = fopen(argv[1], "we");
	if (!f || fprintf(f, "%ld\n", kb) < 0 || fclose(f))
		die("write %s", argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
