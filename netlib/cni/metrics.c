// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/metrics.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"

#define LOCK_MS 500
#define LABELS_MAX 160
#define US 1000000
#define COUNT "naru_cni_operations_total"
#define SECONDS "naru_cni_operation_seconds_total"

struct row {
	char labels[LABELS_MAX];
	uint64_t n, us;
};

struct rows {
	struct row *v;
	size_t n;
};

static struct row *row_of(struct rows *rows, const char *labels)
{
	struct row *r;

	for (size_t i = 0; i < rows->n; i++)
		if (!strcmp(rows->v[i].labels, labels))
			return &rows->v[i];
	if ((r = vec_add(&rows->v, &rows->n)))
		(void)str_copyf(r->labels, sizeof r->labels, "%s", labels);
	return r;
}

/* Lines of ours; others, and what a reader could not have written, are left out. */
static void take_line(struct rows *rows, const char *line)
{
	char labels[LABELS_MAX];
	uint64_t whole, part = 0;
	struct row *r;

	if (sscanf(line, COUNT "{%159[^}]} %" SCNu64, labels, &whole) == 2) {
		if ((r = row_of(rows, labels)))
			r->n = whole;
	} else if (sscanf(line, SECONDS "{%159[^}]} %" SCNu64 ".%6" SCNu64, labels, &whole,
			  &part) >= 2) {
		if ((r = row_of(rows, labels)))
			r->us = whole * US + part;
	}
}

static int by_labels(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->labels, ((const struct row *)b)->labels);
}

static void print(struct rows *rows, struct str *s)
{
	qsort(rows->v, rows->n, sizeof *rows->v, by_labels);
	str_add(s, "# HELP " COUNT " Operations of CNI plugins by outcome; code 0 is success.\n"
		   "# TYPE " COUNT " counter\n");
	for (size_t i = 0; i < rows->n; i++)
		str_addf(s, COUNT "{%s} %" PRIu64 "\n", rows->v[i].labels, rows->v[i].n);
	str_add(s, "# HELP " SECONDS " Time that these operations took.\n"
		   "# TYPE " SECONDS " counter\n");
	for (size_t i = 0; i < rows->n; i++)
		str_addf(s, SECONDS "{%s} %" PRIu64 ".%06" PRIu64 "\n", rows->v[i].labels,
			 rows->v[i].us / US, rows->v[i].us % US);
}

/*
 * Not synced: counters of a machine that went down are no loss. The name it is written under begins
 * with a dot and does not end as exporters want it.
 */
static void replace(const char *file, const struct str *s)
{
	const char *base = strrchr(file, '/');
	int dir_len = base ? (int)(base - file) + 1 : 0;
	cleanup_free char *tmp = str_fmt("%.*s.%s.new", dir_len, file, file + dir_len);
	cleanup_fd int fd =
		tmp ? open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644) : -1;

	if (fd < 0)
		return;
	if (s->bad || fd_write_all(fd, s->p, s->len) < 0 || rename(tmp, file) < 0)
		(void)unlink(tmp);
}

void metrics_count(const char *plugin, const char *verb, int code, int64_t us)
{
	const char *file = getenv(METRICS_VAR);
	cleanup_free char *lock_name = NULL, *text = NULL;
	cleanup_str struct str s = STR_INIT;
	char labels[LABELS_MAX];
	struct rows rows = { 0 };

	if (!file || !*file || plan_on() ||
	    str_copyf(labels, sizeof labels, "plugin=\"%s\",verb=\"%s\",code=\"%d\"", plugin, verb,
		      code) < 0 ||
	    !(lock_name = str_fmt("%s.lock", file)))
		return;
	cleanup_fd int lock = open(lock_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0 || file_lock(lock, LOCK_MS, lock_name, NULL) < 0)
		return;
	(void)file_read_at(AT_FDCWD, file, METRICS_MAX, &text, NULL, NULL);
	char *rest = text;
	for (char *line; rest && (line = strsep(&rest, "\n"));)
		take_line(&rows, line);
	struct row *mine = row_of(&rows, labels);
	if (mine) {
		mine->n++;
		mine->us += us > 0 ? (uint64_t)us : 0;
		print(&rows, &s);
		replace(file, &s);
	}
	free(rows.v);
}
