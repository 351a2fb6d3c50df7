// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/resolv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/vec.h"
#include "netlib/cni/error.h"
#include "netlib/cni/result.h"

#define BLANKS " \t\r\v\f"

/* Adds the words that are left (at most max of them) to a list. */
static int add_words(char **save, size_t max, char ***v, size_t *n)
{
	for (char *word; max-- && (word = strtok_r(NULL, BLANKS, save));) {
		char **slot = vec_add(v, n);

		if (!slot || !(*slot = strdup(word)))
			return -ENOMEM;
	}
	return 0;
}

static int parse_line(char *line, struct cni_dns *out)
{
	char *save = NULL, *key = strtok_r(line, BLANKS, &save);

	if (!key || *key == '#' || *key == ';')
		return 0;
	if (!strcmp(key, "nameserver"))
		return add_words(&save, 1, &out->nameservers, &out->nnameservers);
	if (!strcmp(key, "search"))
		return add_words(&save, SIZE_MAX, &out->search, &out->nsearch);
	if (!strcmp(key, "options"))
		return add_words(&save, SIZE_MAX, &out->options, &out->noptions);
	char *word = !strcmp(key, "domain") ? strtok_r(NULL, BLANKS, &save) : NULL;
	if (!word)
		return 0;
	free(out->domain); /* the last one counts */
	out->domain = strdup(word);
	return out->domain ? 0 : -ENOMEM;
}

int resolv_parse(char *text, struct cni_dns *out)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int r = parse_line(line, out);

		if (r < 0)
			return r;
	}
	return 0;
}

int resolv_read(const char *path, struct cni_dns *out, struct err *e)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	cleanup_free char *text = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, -errno, "resolvConf: open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_code(e, -EINVAL, CNI_E_CONFIG, "resolvConf: %s is no regular file",
				path);
	int r = fd_read_all(fd, RESOLV_BYTES_MAX, -1, &text, NULL);
	if (r == -EFBIG)
		return err_code(e, r, CNI_E_CONFIG, "resolvConf: %s is larger than %d bytes", path,
				RESOLV_BYTES_MAX);
	if (r == 0)
		r = resolv_parse(text, out);
	return r < 0 ? err_set(e, r, "resolvConf: read %s", path) : 0;
}
