// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/error.h"

#include <errno.h>
#include <stddef.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"

/*
 * The one place where errno becomes a CNI code. What is not listed is 999, as everything is in the
 * reference.
 */
static const struct {
	int no;
	enum cni_code code;
} codes[] = {
	{ EAGAIN, CNI_E_RETRY },
	{ EBUSY, CNI_E_RETRY },
	{ ETIMEDOUT, CNI_E_RETRY },
	{ EIO, CNI_E_IO },
	{ ENOSPC, CNI_E_IO },
	{ EDQUOT, CNI_E_IO },
	{ EROFS, CNI_E_IO },
	{ EADDRINUSE, CNI_E_IN_USE },
	{ EEXIST, CNI_E_IN_USE },
	{ EPERM, CNI_E_PERMISSION },
	{ EACCES, CNI_E_PERMISSION },
	{ EOPNOTSUPP, CNI_E_UNSUPPORTED },
	{ EPROTONOSUPPORT, CNI_E_UNSUPPORTED },
	{ ENOSYS, CNI_E_UNSUPPORTED },
};

int cni_error_code(const struct err *e)
{
	if (e->code)
		return e->code;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].no == e->no)
			return (int)codes[i].code;
	return CNI_E_OTHER;
}

void cni_error_print(const struct err *e, const char *version, struct str *out)
{
	cleanup_json struct json_object *o = json_obj();

	json_set_str(o, "cniVersion", version);
	json_set_int(o, "code", cni_error_code(e));
	json_set_str(o, "msg", e->text);
	if (*e->details)
		json_set_str(o, "details", e->details);
	json_print(out, o, 4, false);
}
