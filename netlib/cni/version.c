// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/version.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/error.h"

const char *const cni_version_names[CNI_VERSIONS] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1",
						      "0.4.0", "1.0.0", "1.1.0" };

/* One to three numbers with dots between: what the reference's version parser takes. */
static int looks_like_version(const char *s)
{
	int parts = 1, digits = 0;

	for (; *s; s++) {
		if (*s >= '0' && *s <= '9') {
			digits++;
		} else if (*s == '.' && digits && parts < 3) {
			parts++;
			digits = 0;
		} else {
			return 0;
		}
	}
	return digits > 0;
}

int cni_version_parse(const char *text, enum cni_version min, enum cni_version *out, struct err *e)
{
	char supported[160] = "";

	if (!text || !*text)
		text = cni_version_names[CNI_V_0_1_0];
	if (!looks_like_version(text))
		return err_code(e, -EINVAL, CNI_E_DECODE,
				"failed to parse cniVersion \"%.64s\": expected numbers like 1.0.0",
				text);
	for (int v = min; v < CNI_VERSIONS; v++) {
		if (!strcmp(text, cni_version_names[v])) {
			*out = (enum cni_version)v;
			return 0;
		}
		size_t at = strlen(supported);
		(void)snprintf(supported + at, sizeof supported - at, "%s\"%s\"", at ? " " : "",
			       cni_version_names[v]);
	}
	(void)err_code(e, -EPROTONOSUPPORT, CNI_E_VERSION, "incompatible CNI versions");
	err_details(e, "config is \"%.64s\", plugin supports [%s]", text, supported);
	return -EPROTONOSUPPORT;
}

int cni_version_same_family(enum cni_version a, enum cni_version b)
{
	static const int family[CNI_VERSIONS] = { 0, 0, 1, 1, 1, 2, 2 };

	return family[a] == family[b];
}
