// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_NAME_replay [FILE|DIRECTORY...]: feeds each file to the target and prints TAP. Without
 * arguments it takes tests/fuzz/corpus/NAME, NAME being that of the program, below the current
 * directory. A crash is what it looks for; the file's name is printed before it runs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (4 * 1024 * 1024)

struct files {
	char **v;
	size_t n;
};

__attribute__((noreturn)) static void give_up(const char *path, const char *why)
{
	(void)printf("Bail out! %s: %s\n", path, why);
	exit(1);
}

static void add(struct files *f, const char *path)
{
	char **slot = vec_add(&f->v, &f->n);

	if (!slot || !(*slot = strdup(path)))
		give_up(path, "out of memory");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void collect(struct files *f, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		give_up(path, strerror(errno));
	if (!S_ISDIR(st.st_mode)) {
		add(f, path);
		return;
	}
	cleanup_dir DIR *d = opendir(path);
	if (!d)
		give_up(path, strerror(errno));
	for (struct dirent *ent; (ent = readdir(d));) {
		cleanup_free char *file = str_fmt("%s/%s", path, ent->d_name);

		if (!file)
			give_up(path, "out of memory");
		if (ent->d_name[0] != '.')
			add(f, file);
	}
	qsort(f->v, f->n, sizeof *f->v, by_name);
}

/* ".../fuzz_json_replay" -> "tests/fuzz/corpus/json" */
static void corpus_of(const char *prog, char *path, size_t size)
{
	const char *base = strrchr(prog, '/');
	size_t n;

	base = base ? base + 1 : prog;
	if (str_starts(base, "fuzz_"))
		base += strlen("fuzz_");
	n = strlen(base);
	if (n > strlen("_replay") && !strcmp(base + n - strlen("_replay"), "_replay"))
		n -= strlen("_replay");
	(void)snprintf(path, size, "tests/fuzz/corpus/%.*s", (int)n, base);
}

static void run(const char *path)
{
	cleanup_free char *text = NULL;
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	if (fd < 0 || fd_read_all(fd, INPUT_MAX, -1, &text, &len) < 0)
		give_up(path, "cannot be read");
	/* the exact length, so that a sanitizer sees a read beyond it */
	cleanup_free uint8_t *exact = malloc(len ? len : 1);
	if (!exact)
		give_up(path, "out of memory");
	memcpy(exact, text, len);
	(void)LLVMFuzzerTestOneInput(exact, len);
}

int main(int argc, char **argv)
{
	struct files f = { 0 };
	char corpus[256];

	corpus_of(argv[0], corpus, sizeof corpus);
	for (int i = 1; i < argc; i++)
		collect(&f, argv[i]);
	if (argc == 1)
		collect(&f, corpus);
	(void)printf("1..%zu\n", f.n);
	for (size_t i = 0; i < f.n; i++) {
		(void)printf("# %s\n", f.v[i]);
		(void)fflush(stdout);
		run(f.v[i]);
		(void)printf("ok %zu - %s\n", i + 1, f.v[i]);
		free(f.v[i]);
	}
	free(f.v);
	return f.n ? 0 : 1;
}
