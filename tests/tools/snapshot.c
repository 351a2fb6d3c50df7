// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * snapshot [--ns NAME]... [--parent PID] [--all-conntrack] [--mac] [--fold]    state of this
 * machine to stdout snapshot --diff BEFORE AFTER
 * exit 1 and +/- lines when they differ
 */
#include "tests/lib/snapshot.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_MAX 64

static char *slurp(const char *path)
{
	char *text = NULL;
	size_t cap = 0;
	FILE *f = fopen(path, "re");

	if (!f || (getdelim(&text, &cap, '\0', f) < 0 && ferror(f))) {
		fprintf(stderr, "snapshot: cannot read %s: %s\n", path, strerror(errno));
		exit(2);
	}
	fclose(f);
	return text;
}

static int compare(const char *before, const char *after)
{
	char *a = slurp(before), *b = slurp(after), *diff = snapshot_diff(a, b);

	if (diff)
		fputs(diff, stdout);
	free(a);
	free(b);
	if (!diff)
		return 0;
	free(diff);
	return 1;
}

static unsigned flag_of(const char *option)
{
	static const struct {
		const char *option;
		unsigned flag;
	} known[] = {
		{ "--all-conntrack", SNAPSHOT_CT_ALL },
		{ "--mac", SNAPSHOT_MAC },
		{ "--fold", SNAPSHOT_FOLD_VETH },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(option, known[i].option))
			return known[i].flag;
	return 0;
}

static int usage(void)
{
	fputs("usage: snapshot [--ns NAME]... [--parent PID] [--all-conntrack] [--mac] [--fold]\n"
	      "       snapshot --diff BEFORE AFTER\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const char *ns[NS_MAX + 1] = { NULL };
	unsigned flags = SNAPSHOT_ALL;
	pid_t parent = 0;
	int n = 0;

	if (argc == 4 && !strcmp(argv[1], "--diff"))
		return compare(argv[2], argv[3]);
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;
		unsigned extra = flag_of(argv[i]);

		flags |= extra;
		if (more && !strcmp(argv[i], "--ns") && n < NS_MAX)
			ns[n++] = argv[++i];
		else if (more && !strcmp(argv[i], "--parent"))
			parent = (pid_t)strtol(argv[++i], NULL, 10);
		else if (!extra)
			return usage();
	}

	char *text = snapshot_take_of(flags, ns, parent);
	int failed = fputs(text, stdout) < 0 || fflush(stdout) != 0;

	free(text);
	return failed ? 2 : 0;
}
