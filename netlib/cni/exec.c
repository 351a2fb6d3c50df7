// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/exec.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/decode.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/proc.h"
#include "netlib/base/str.h"
#include "netlib/base/trace.h"
#include "netlib/base/vec.h"
#include "netlib/cni/error.h"
#include "netlib/cni/ids.h"
#include "netlib/cni/metrics.h"
#include "netlib/cni/plugin.h"

extern char **environ;

#define TYPE_MAX 256
#define PHDRS_MAX 32
#define NOTES_MAX 1024
#define OWN_VARS 7
#define DEPTH_VAR "NARU_DEPTH"
#define DEPTH_MAX 3 /* runtime, interface plugin, IPAM plugin, and one to spare */

int cni_find(const char *type, const char *path, char out[4096], struct err *e)
{
	struct stat st;

	if (!*type || strchr(type, '/') || !strcmp(type, ".") || !strcmp(type, "..") ||
	    strlen(type) >= TYPE_MAX)
		return err_code(e, -EINVAL, CNI_E_CONFIG,
				"invalid plugin name: %.100s; expected a file name without '/'",
				type);
	if (!path || !*path)
		return err_code(e, -EINVAL, CNI_E_ENV, "no paths provided: CNI_PATH is empty");
	for (const char *p = path, *end; *p; p = *end ? end + 1 : end) {
		end = strchrnul(p, ':');
		if (end > p && str_copyf(out, 4096, "%.*s/%s", (int)(end - p), p, type) == 0 &&
		    stat(out, &st) == 0 && S_ISREG(st.st_mode))
			return 0;
	}
	return err_code(
		e, -ENOENT, CNI_E_CONFIG,
		"failed to find plugin \"%s\" in path [%.300s]; install it there or correct the "
		"type",
		type, path);
}

/* Looks for our note in a block of ELF notes: of this build, or (any) of whichever. */
static bool note_matches(const char *p, size_t len, bool any)
{
	while (len >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) n;

		memcpy(&n, p, sizeof n);
		size_t name = (n.n_namesz + 3) & ~(size_t)3, desc = (n.n_descsz + 3) & ~(size_t)3;
		size_t total = sizeof n + name + desc;
		if (n.n_namesz > NOTES_MAX || n.n_descsz > NOTES_MAX || total > len)
			return false;
		if (n.n_type == naru_note.type && n.n_namesz == 5 &&
		    n.n_descsz == sizeof naru_note.id && !memcmp(p + sizeof n, "Naru", 5))
			return any ||
			       !memcmp(p + sizeof n + name, naru_note.id, sizeof naru_note.id);
		p += total;
		len -= total;
	}
	return false;
}

static bool has_note(const char *path, bool any)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char head[4096];
	ElfW(Ehdr) eh;
	ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof head, 0);

	if (n < (ssize_t)sizeof eh)
		return false;
	memcpy(&eh, head, sizeof eh);
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_phentsize != sizeof(ElfW(Phdr)) ||
	    eh.e_phnum > PHDRS_MAX || eh.e_phoff > sizeof head ||
	    eh.e_phoff + eh.e_phnum * sizeof(ElfW(Phdr)) > (size_t)n)
		return false;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		ElfW(Phdr) ph;
		char notes[NOTES_MAX];

		memcpy(&ph, head + eh.e_phoff + i * sizeof ph, sizeof ph);
		if (ph.p_type != PT_NOTE || ph.p_filesz > sizeof notes)
			continue;
		if (pread(fd, notes, ph.p_filesz, (off_t)ph.p_offset) == (ssize_t)ph.p_filesz &&
		    note_matches(notes, ph.p_filesz, any))
			return true;
	}
	return false;
}

bool cni_is_ours(const char *path)
{
	return has_note(path, false);
}

bool cni_is_naru(const char *path)
{
	return has_note(path, true);
}

int cni_resolve(const char *type, const char *path, struct cni_target *out, struct err *e)
{
	int r = cni_find(type, path, out->path, e);

	if (r < 0)
		return r;
	out->builtin = NULL;
	for (size_t i = 0; cni_builtin[i]; i++)
		/* only one that runs no other in turn: bridge as bridge's IPAM would be endless */
		if ((cni_builtin[i]->flags & (CNI_IPAM | CNI_LATE)) == CNI_IPAM &&
		    !strcmp(cni_builtin[i]->name, type) && cni_is_ours(out->path))
			out->builtin = cni_builtin[i];
	return 0;
}

/* How many plugins ran one another until it came to us. */
static int depth(void)
{
	const char *text = getenv(DEPTH_VAR);

	return text ? atoi(text) : 0;
}

/*
 * The environment of a plugin: ours with the six variables of the operation and the depth. Those
 * strings are owned; NULL when memory is out.
 */
static char **environment(enum cni_verb verb, const struct cni_env *env)
{
	char **v = NULL, **slot;
	size_t n = 0;
	char *const own[OWN_VARS] = {
		str_fmt("CNI_COMMAND=%s", cni_verb_names[verb]),
		str_fmt("CNI_CONTAINERID=%s", env->container ?: ""),
		str_fmt("CNI_NETNS=%s", env->netns ?: ""),
		str_fmt("CNI_IFNAME=%s", env->ifname ?: ""),
		str_fmt("CNI_ARGS=%s", env->args ?: ""),
		str_fmt("CNI_PATH=%s", env->path ?: ""),
		str_fmt(DEPTH_VAR "=%d", depth() + 1),
	};

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if ((slot = vec_add(&v, &n)))
			*slot = own[i];
	for (char **p = environ; *p; p++) {
		/* fault points are the caller's own */
		bool ours = str_starts(*p, "NARU_FAIL_AT=");

		for (size_t i = 0; i < ARRAY_LEN(own); i++)
			ours |= own[i] && !strncmp(*p, own[i], strcspn(own[i], "=") + 1);
		if (!ours && (slot = vec_add(&v, &n)))
			*slot = *p;
	}
	slot = vec_add(&v, &n);
	if (slot)
		return v;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		free(own[i]);
	free(v);
	return NULL;
}

static void environment_free(char **v)
{
	for (size_t i = 0; v && i < OWN_VARS; i++)
		free(v[i]);
	free(v);
}

/* What a plugin that failed said about it: its error document, or, without one, libcni's words. */
static int failure(const char *path, const struct proc_result *res, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	const char *base = strrchr(path, '/');
	int64_t code = CNI_E_OTHER;

	base = base ? base + 1 : path;
	if (res->signal)
		return err_code(e, -ECHILD, CNI_E_OTHER, "plugin %s was killed by signal %d (%s)",
				base, res->signal, strsignal(res->signal));
	if (!res->out_len)
		return err_code(
			e, -ECHILD, CNI_E_OTHER,
			"netplugin failed with no error message: %s ended with exit status %d",
			base, res->status);
	if (doc_parse(&d, res->out, res->out_len, NULL) < 0 || !json_is_object(d.root))
		return err_code(
			e, -ECHILD, CNI_E_OTHER,
			"netplugin failed but error parsing its diagnostic message \"%.200s\": "
			"%s ended with exit status %d",
			res->out, base, res->status);
	const char *msg = json_text(json_get(d.root, "msg")),
		   *details = json_text(json_get(d.root, "details"));
	(void)json_int(json_get(d.root, "code"), &code);
	(void)err_code(e, -ECHILD, (int)code, "%s", msg ? msg : "");
	if (details)
		err_details(e, "%s", details);
	return -ECHILD;
}

/* cni_builtin holds what this very program could run in the place of the file at path. */
static const struct cni_plugin *carried(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	for (size_t i = 0; cni_builtin[i]; i++)
		if (!strcmp(cni_builtin[i]->name, base))
			return cni_is_ours(path) ? cni_builtin[i] : NULL;
	return NULL;
}

static int carried_main(const void *plugin)
{
	return cni_main(plugin);
}

int cni_exec(const char *path, enum cni_verb verb, const struct cni_env *env, const char *text,
	     size_t len, char **out, struct err *e)
{
	char **envp = environment(verb, env);
	const struct cni_plugin *own = carried(path);
	struct proc_spec spec = { .path = path,
				  .main = own ? carried_main : NULL,
				  .arg = own,
				  .envp = envp,
				  .in = text,
				  .in_len = len };
	struct proc_result res = { 0 };
	int r;

	if (!envp)
		return err_set(e, -ENOMEM, "run %s", path);
	if (plan_on() && verb != CNI_VERSION && !cni_is_ours(path)) {
		environment_free(envp);
		return err_code(e, -ENOTSUP, CNI_E_CONFIG,
				"%s knows no dry run and would change the system: a plan takes "
				"plugins of this build only",
				path);
	}
	if (depth() >= DEPTH_MAX) {
		environment_free(envp);
		return err_code(
			e, -ELOOP, CNI_E_CONFIG,
			"%s would be the %dth plugin in a row that one runs for another; does an "
			"ipam.type name a plugin that has an ipam itself?",
			path, DEPTH_MAX + 1);
	}
	int64_t start = trace_on() ? clock_us() : 0;
	r = proc_run(&spec, &res, e);
	environment_free(envp);
	if (trace_on())
		trace_event("exec", path, clock_us() - start, "%s: %s %d", cni_verb_names[verb],
			    res.signal ? "signal" : "status", res.signal ? res.signal : res.status);
	if (r < 0)
		return r;
	if (res.status != 0)
		r = failure(path, &res, e);
	else if (out)
		*out = take_ptr(res.out);
	proc_result_clear(&res);
	return r;
}

static int take_result(const char *path, const char *text, enum cni_version version,
		       struct cni_result *out, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	int r = doc_parse(&d, text, strlen(text), e);

	if (r < 0)
		return err_wrap(e, "result of %s", path), r;
	const char *said = json_text(json_get(d.root, "cniVersion"));
	if (said && *said && cni_version_parse(said, CNI_V_0_1_0, &version, e) < 0)
		return err_wrap(e, "result of %s", path);
	r = cni_result_decode(d.root, version, out, "", e);
	return r < 0 ? err_wrap(e, "result of %s", path), r : 0;
}

static int run_carried(const struct cni_plugin *p, const struct cni_env *env, const char *text,
		       size_t len, struct txn *txn, struct cni_result *out, struct err *e)
{
	const char *verb = cni_verb_names[env->verb];
	struct err one = ERR_INIT;
	int64_t start = clock_us();

	if (trace_on())
		trace_event("carry", p->name, -1, "%s", verb);
	int r = cni_run(p, env, text, len, txn, env->verb == CNI_ADD ? out : NULL, &one);
	metrics_count(p->name, verb, r < 0 ? cni_error_code(&one) : 0, clock_us() - start);
	if (r < 0 && e)
		*e = one;
	return r;
}

int cni_delegate(const struct cni_target *to, enum cni_verb verb, const struct cni_env *env,
		 const char *text, size_t len, enum cni_version version, struct txn *txn,
		 struct cni_result *out, struct err *e)
{
	cleanup_free char *answer = NULL;
	struct cni_env inner = *env;
	int r;

	inner.verb = verb;
	if (to->builtin)
		return run_carried(to->builtin, &inner, text, len, txn, out, e);
	r = cni_exec(to->path, verb, &inner, text, len, &answer, e);
	if (r < 0 || verb != CNI_ADD)
		return r;
	return take_result(to->path, answer, version, out, e);
}
