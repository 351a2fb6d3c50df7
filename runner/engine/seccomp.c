// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/engine/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gen/seccomp_default.h"
#include "netlib/base/err.h"
#include "runner/engine/caps.h"
#include "runner/engine/seccomp_profile.h"

static const struct sock_fprog prebuilt = {
	.len = sizeof seccomp_default_insns / sizeof *seccomp_default_insns,
	.filter = (struct sock_filter *)seccomp_default_insns, /* the kernel only reads it */
};

const struct sock_fprog *seccomp_default_prebuilt(void)
{
	return &prebuilt;
}

/* Whether both sets select the same rules. */
static bool same_rules(uint64_t a, uint64_t b)
{
	const struct seccomp_rule *x = NULL, *y = NULL;

	do {
		x = seccomp_profile_next(x, SECCOMP_MACHINE_NATIVE, a);
		y = seccomp_profile_next(y, SECCOMP_MACHINE_NATIVE, b);
	} while (x && x == y);
	return x == y;
}

int seccomp_default(uint64_t bounding, struct sock_filter *prog, size_t max, struct sock_fprog *out,
		    struct err *e)
{
	size_t len;
	int r;

	if (same_rules(bounding, CAPS_DOCKER)) {
		*out = prebuilt;
		return 0;
	}
	r = seccomp_compose(SECCOMP_MACHINE_NATIVE, bounding, prog, max, &len, e);
	if (r < 0)
		return r;
	out->filter = prog;
	out->len = (unsigned short)len;
	return 0;
}

int seccomp_install(const struct sock_fprog *prog)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog) < 0 ? -errno : 0;
}
