/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_BASE_PROC_H
#define NARU_BASE_PROC_H

#include <stddef.h>

struct err;

/* A child process with a document on stdin and one expected on stdout; stderr is passed through. */
struct proc_spec {
	const char *path; /* executable; no search in PATH */
	/*
	 * not NULL: the child is a copy of us that runs main(arg) in place of the executable,
	 * with its environment and no descriptor of ours but stderr; its value is the exit status
	 */
	int (*main)(const void *arg);
	const void *arg;
	char *const *argv; /* NULL: just the base name of path */
	char *const *envp; /* the whole environment, NULL-terminated */
	const char *in;
	size_t in_len;
	size_t out_max; /* at most this much of stdout is taken; 0 = 1 MiB */
	int timeout_ms; /* 0 = 60 s; the child is killed when it runs longer */
};

struct proc_result {
	char *out; /* malloc'd, NUL-terminated */
	size_t out_len;
	int status; /* exit status, 0..255; -1 when killed */
	int signal; /* signal that ended it, or 0 */
};

/*
 * Runs to the end. Returns 0 when the child ran, whatever its status; -ETIMEDOUT (killed), -EFBIG
 * (too much output, killed), or -errno of the start. ETXTBSY is retried for a second, as the file
 * may just have been installed. The child is gone on return.
 */
int proc_run(const struct proc_spec *spec, struct proc_result *res, struct err *e);
void proc_result_clear(struct proc_result *res);

#endif
