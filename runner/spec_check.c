// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/spec_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "runner/spec.h"
#include "runner/spec_compose.h"

static int check_process(const struct spec_process *p, struct err *e)
{
	if (!p->nargs)
		return err_conf(e, "/process/args", "expected at least one argument, got none");
	if (!p->cwd || *p->cwd != '/')
		return err_conf(e, "/process/cwd", "expected an absolute path, got \"%s\"",
				p->cwd ? p->cwd : "");
	if (p->terminal)
		return err_conf(e, "/process/terminal",
				"terminals are not supported by this engine; leave it out");
	for (size_t i = 0; i < p->nrlimits; i++)
		for (size_t k = 0; k < i; k++)
			if (p->rlimits[i].resource == p->rlimits[k].resource)
				return err_conf(e, "/process/rlimits",
						"the type of element %zu is there twice", i);
	return 0;
}

static int check_paths(const struct spec *s, struct err *e)
{
	for (size_t i = 0; i < s->nmounts; i++) {
		char path[64];
		const struct spec_mount *m = &s->mounts[i];

		(void)snprintf(path, sizeof path, "/mounts/%zu/destination", i);
		if (!m->destination || *m->destination != '/')
			return err_conf(e, path, "expected an absolute path, got \"%s\"",
					m->destination ? m->destination : "");
	}
	for (size_t i = 0; i < s->ndevices; i++)
		if (!s->devices[i].path || *s->devices[i].path != '/' || !s->devices[i].type ||
		    strlen(s->devices[i].type) != 1 || !strchr("cubp", *s->devices[i].type))
			return err_conf(
				e, "/linux/devices",
				"expected an absolute path and type c, u, b or p in element %zu",
				i);
	if (s->propagation && !strstr("rprivate rslave", s->propagation))
		return err_conf(e, "/linux/rootfsPropagation",
				"expected private, rprivate, slave or rslave, got \"%s\"",
				s->propagation);
	return 0;
}

int spec_check(const struct spec *s, struct err *e)
{
	int r;

	if (!s->version || !str_starts(s->version, "1."))
		return err_conf(e, "/ociVersion", "expected 1.x, got \"%s\"",
				s->version ? s->version : "");
	if ((r = check_process(&s->process, e)) < 0 || (r = check_paths(s, e)) < 0)
		return r;
	if (!s->root.path || !*s->root.path)
		return err_conf(e, "/root/path",
				"expected the directory of the root file system, got nothing");
	if (!s->ns[SPEC_NS_MOUNT].own)
		return err_conf(e, "/linux/namespaces",
				"expected a mount namespace among them; this engine needs one");
	if ((s->hostname || s->domainname) && !s->ns[SPEC_NS_UTS].own)
		return err_conf(e, "/hostname",
				"needs a uts namespace of its own in /linux/namespaces");
	return 0;
}

/* ---------------------------------------------------------------- seccomp */

static bool same_tree(struct json_object *a, struct json_object *b)
{
	cleanup_str struct str x = STR_INIT, y = STR_INIT;

	json_print(&x, a, 0, true);
	json_print(&y, b, 0, true);
	return !x.bad && !y.bad && x.len == y.len && (x.len == 0 || !memcmp(x.p, y.p, x.len));
}

/* A profile that is written out is taken when it is docker's default one, or allows everything. */
int spec_check_seccomp(struct spec *s, struct err *e)
{
	const char *note = spec_annotation(s, SPEC_SECCOMP_NOTE), *action;

	s->seccomp = note && !strcmp(note, "default") ? SPEC_SECCOMP_DEFAULT : SPEC_SECCOMP_NONE;
	if (!s->seccomp_listed)
		return note && strcmp(note, "default") && strcmp(note, "unconfined") ?
			       err_conf(e, "/annotations/" SPEC_SECCOMP_NOTE,
					"expected default or unconfined, got \"%s\"", note) :
			       0;
	cleanup_json struct json_object *ours = spec_seccomp_tree(s->process.caps.sets.bounding);
	if (same_tree(ours, s->seccomp_listed)) {
		s->seccomp = SPEC_SECCOMP_DEFAULT;
		return 0;
	}
	action = json_text(json_get(s->seccomp_listed, "defaultAction"));
	if (action && !strcmp(action, "SCMP_ACT_ALLOW") &&
	    json_len(json_get(s->seccomp_listed, "syscalls")) == 0) {
		s->seccomp = SPEC_SECCOMP_NONE;
		return 0;
	}
	return err_conf(e, "/linux/seccomp",
			"is not docker's default profile, the only one this engine has; "
			"leave it out and set the annotation " SPEC_SECCOMP_NOTE
			" to default or unconfined");
}
