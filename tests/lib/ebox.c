// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/ebox.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/fd.h"
#include "tests/lib/lab.h"

static const char *const lowers[] = { EBOX_PLACE "/patch", EBOX_LOWER };

int ebox_set_up(void **state)
{
	lab_enter();
	if (access("/bin/busybox", X_OK) < 0)
		lab_skip("no static busybox on this machine");
	lab_sh("mkdir -p " EBOX_LOWER "/bin " EBOX_LOWER "/etc " EBOX_PLACE
	       "/patch/etc && cp /bin/busybox " EBOX_LOWER "/bin/ && "
	       "chroot " EBOX_LOWER " /bin/busybox --install -s /bin && "
	       "printf 'root:x:0:0::/root:/bin/sh\\nweb:x:33:33::/srv/www:/bin/sh\\n' > " EBOX_LOWER
	       "/etc/passwd && "
	       "echo lower > " EBOX_LOWER "/etc/which && echo patch > " EBOX_PLACE
	       "/patch/etc/which && "
	       "echo text > " EBOX_LOWER "/etc/plain && printf 'nonsense' > " EBOX_LOWER
	       "/bin/broken && chmod 755 " EBOX_LOWER "/bin/broken && "
	       "printf '#!/no/such\\n' > " EBOX_LOWER "/bin/lost && chmod 755 " EBOX_LOWER
	       "/bin/lost");
	*state = NULL;
	return 0;
}

struct ebox *ebox_new(const char *const *args)
{
	struct ebox *b = calloc(1, sizeof *b);

	lab_sh("rm -rf " EBOX_BUNDLE " && mkdir -p " EBOX_BUNDLE "/upper " EBOX_BUNDLE "/work");
	*b = (struct ebox){
		.rq = { .args = args, .hostname = "box", .cpus_thermal = engine_cpus_thermal() },
		.start = { .id = "c1",
			   .bundle = EBOX_BUNDLE,
			   .netns_fd = -1,
			   .rootfs = { lowers, 2, EBOX_BUNDLE "/upper", EBOX_BUNDLE "/work",
				       false } },
		.txn = TXN_INIT,
		.proc = ENGINE_PROC_INIT,
		.out = -1,
		.status = -1,
	};
	return b;
}

void ebox_create(struct ebox *b)
{
	struct json_object *o = NULL;
	int p[2];

	if (spec_compose(&b->rq, &o, &b->err) < 0 || spec_decode(&b->spec, o, &b->err) < 0)
		fail_msg("%s", b->err.text);
	b->spec.resources.cpus = b->cpus;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	b->start.spec = &b->spec;
	b->start.stdio[0] = null;
	b->start.stdio[1] = b->start.stdio[2] = p[1];
	b->r = engine_create(&b->txn, &b->start, &b->proc, &b->err);
	b->out = p[0];
	(void)close(p[1]);
}

void ebox_begin(struct ebox *b)
{
	ebox_create(b);
	if (b->r == 0)
		b->r = engine_begin(&b->proc, &b->err);
}

void ebox_read(struct ebox *b)
{
	cleanup_free char *text = NULL;

	assert_int_equal(fd_read_all(b->out, sizeof b->text - 1, 20000, &text, NULL), 0);
	(void)snprintf(b->text, sizeof b->text, "%s", text);
}

void ebox_free(struct ebox *b)
{
	struct err e = ERR_INIT;

	engine_proc_stop(&b->proc);
	if (txn_rollback(&b->txn, &e) < 0)
		fail_msg("%s", e.text);
	txn_end(&b->txn);
	spec_clear(&b->spec);
	if (b->out >= 0)
		(void)close(b->out);
	free(b);
}

void ebox_free_p(struct ebox **b)
{
	ebox_free(*b);
}

void ebox_run(struct ebox *b)
{
	ebox_begin(b);
	if (b->r < 0)
		fail_msg("%s", b->err.text);
	ebox_read(b);
	assert_int_equal(engine_wait(&b->proc, &b->status, &b->err), 0);
}

void ebox_expect(const char *script, const char *want)
{
	cleanup_ebox struct ebox *b = ebox_sh(script);

	ebox_run(b);
	if (strcmp(b->text, want) != 0)
		fail_msg("%s\nexpected:\n%s\ngot:\n%s", script, want, b->text);
}

void ebox_nothing_left(void)
{
	cleanup_free char *groups =
		lab_out("find /sys/fs/cgroup -path '*/naru*/*' -type d | head -3");
	cleanup_free char *mounts = lab_out("grep -c " EBOX_PLACE " /proc/self/mounts || true");

	assert_string_equal(groups, "");
	assert_string_equal(mounts, "0");
}
