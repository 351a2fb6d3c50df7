// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/cni/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/cni/describe.h"
#include "netlib/cni/exec.h"

int plugin_ask(const char *type, const char *path, const char *conf, size_t len, struct doc *out,
	       struct err *e)
{
	const struct cni_env env = { .verb = CNI_VERSION, .path = path };
	cleanup_free char *answer = NULL;
	char found[4096];
	int r = cni_find(type, path, found, e);

	if (r < 0)
		return r;
	if (setenv(DESCRIBE_VAR, "1", 1) < 0)
		return err_set(e, -errno, "ask plugin %s", type);
	r = cni_exec(found, CNI_VERSION, &env, conf, len, &answer, e);
	(void)unsetenv(DESCRIBE_VAR);
	if (r < 0)
		return r;
	r = doc_parse(out, answer, strlen(answer), e);
	return r < 0 ? err_wrap(e, "what plugin %s says of itself", type), r : 0;
}

struct json_object *plugin_description(const struct doc *answer)
{
	struct json_object *naru = answer->root ? json_get(answer->root, "naru") : NULL;

	return json_is_object(naru) ? naru : NULL;
}
