// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/snapshot.h"

#include "tests/lib/snapshot_part.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_MAX (1u << 20)
#define PROGRAM_MAX (64u << 20)

/* ---- lines ---- */

/* veth3f2a91c0 -> veth*, wherever it stands as a word */
static void fold_veth(char *text)
{
	for (char *p = text; (p = strstr(p, "veth")); p += 4) {
		size_t hex = strspn(p + 4, "0123456789abcdef");

		if (hex != 8 || isalnum((unsigned char)p[12]) ||
		    (p > text && isalnum((unsigned char)p[-1])))
			continue;
		p[4] = '*';
		memmove(p + 5, p + 12, strlen(p + 12) + 1);
	}
}

void snap_line(struct snap *s, const char *fmt, ...)
{
	char *body, *line;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&body, fmt, ap) < 0 || asprintf(&line, "%s %s", s->scope, body) < 0)
		abort();
	va_end(ap);
	free(body);
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	for (size_t n = strlen(line); n && line[n - 1] == ' ';)
		line[--n] = '\0';
	if (s->flags & SNAPSHOT_FOLD_VETH)
		fold_veth(line);
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 256;
		s->line = realloc(s->line, s->cap * sizeof *s->line);
		if (!s->line)
			abort();
	}
	s->line[s->n++] = line;
}

void snap_cut(struct snap *s, size_t n)
{
	while (s->n > n)
		free(s->line[--s->n]);
}

/* ---- reading ---- */

static char *read_all(int fd, size_t max)
{
	size_t len = 0, cap = 4096;
	char *buf = malloc(cap);

	if (!buf)
		abort();
	for (ssize_t n; len < max && (n = read(fd, buf + len, cap - len - 1)) != 0;) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(buf);
			return NULL;
		}
		len += (size_t)n;
		if (cap - len < 4096) {
			cap *= 2;
			buf = realloc(buf, cap);
			if (!buf)
				abort();
		}
	}
	buf[len] = '\0';
	return buf;
}

char *snap_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return NULL;

	char *text = read_all(fd, FILE_MAX);
	int err = errno;

	close(fd);
	errno = err;
	return text;
}

char *snap_program(char *const argv[])
{
	int out[2], status = 0;

	if (pipe2(out, O_CLOEXEC) < 0)
		return NULL;

	pid_t pid = vfork();

	if (pid == 0) {
		static char *const env[] = { NULL };

		if (dup2(out[1], 1) >= 0)
			execve(argv[0], argv, env);
		_exit(127);
	}
	close(out[1]);

	char *text = pid < 0 ? NULL : read_all(out[0], PROGRAM_MAX);

	close(out[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status != 0) {
		free(text);
		errno = WIFEXITED(status) && WEXITSTATUS(status) == 127 ? ENOENT : EIO;
		return NULL;
	}
	return text;
}

/* ---- taking ---- */

static void take_here(struct snap *s)
{
	if (s->flags & (SNAPSHOT_NET | SNAPSHOT_SYSCTL))
		snap_net(s);
	if (s->flags & SNAPSHOT_SYSCTL)
		snap_sysctl(s);
	if (s->flags & SNAPSHOT_FW)
		snap_firewall(s);
	if (s->flags & (SNAPSHOT_CT | SNAPSHOT_CT_ALL))
		snap_conntrack(s);
}

static void take_netns(struct snap *s, const char *netns, int home)
{
	char path[4096];

	snprintf(path, sizeof path, "%s%s", strchr(netns, '/') ? "" : "/run/netns/", netns);

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	s->scope = netns;
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) {
		snap_line(s, "unreadable: %s", strerror(errno));
	} else {
		take_here(s);
		if (setns(home, CLONE_NEWNET) < 0)
			abort(); /* everything after would look at the wrong namespace */
	}
	if (fd >= 0)
		close(fd);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join(struct snap *s)
{
	size_t len = 1;

	if (s->n)
		qsort(s->line, s->n, sizeof *s->line, by_text);
	for (size_t i = 0; i < s->n; i++)
		len += strlen(s->line[i]) + 1;

	char *text = malloc(len), *p = text;

	if (!text)
		abort();
	for (size_t i = 0; i < s->n; i++) {
		p = stpcpy(p, s->line[i]);
		*p++ = '\n';
	}
	*p = '\0';
	snap_cut(s, 0);
	free(s->line);
	return text;
}

char *snapshot_take_of(unsigned flags, const char *const *netns, pid_t parent)
{
	struct snap s = { .flags = flags, .scope = "host" };
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	take_here(&s);
	for (; home >= 0 && netns && *netns; netns++)
		take_netns(&s, *netns, home);
	if (home >= 0)
		close(home);
	s.scope = "machine";
	if (flags & SNAPSHOT_MOUNTS)
		snap_mounts(&s);
	if ((flags & SNAPSHOT_PROCS) && parent > 0)
		snap_procs(&s, parent);
	if (flags & SNAPSHOT_CGROUPS)
		snap_cgroups(&s);
	if (flags & SNAPSHOT_FILES)
		snap_files(&s);
	return join(&s);
}

char *snapshot_take_list(unsigned flags, const char *const *netns)
{
	return snapshot_take_of(flags, netns, getpid());
}

/* ---- comparing ---- */

static int line_cmp(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return c ? c : (a_len > b_len) - (a_len < b_len);
}

char *snapshot_diff(const char *before, const char *after)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		abort();
	while (*before || *after) {
		size_t a = strcspn(before, "\n"), b = strcspn(after, "\n");
		int c = !*before ? 1 : !*after ? -1 : line_cmp(before, a, after, b);

		if (c < 0)
			fprintf(f, "-%.*s\n", (int)a, before);
		if (c > 0)
			fprintf(f, "+%.*s\n", (int)b, after);
		if (c <= 0)
			before += a + (before[a] == '\n');
		if (c >= 0)
			after += b + (after[b] == '\n');
	}
	if (fclose(f) != 0)
		abort();
	if (len)
		return text;
	free(text);
	return NULL;
}
