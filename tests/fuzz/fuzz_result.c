// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Results of other plugins (prevResult, IPAM, the cache): first byte chooses the version; what was
 * read prints and reads back the same.
 */
#include <string.h>

#include "netlib/base/decode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/result.h"
#include "tests/fuzz/fuzz.h"

static void prints_and_reads_back(const struct cni_result *r, enum cni_version v, bool ipam)
{
	struct cni_result back = { 0 };
	struct str a = STR_INIT, b = STR_INIT;
	struct doc d = DOC_INIT;
	struct err e = ERR_INIT;

	if (cni_result_print(r, v, ipam, &a, &e) < 0) {
		PROMISE(v <= CNI_V_0_2_0 &&
			!strcmp(e.text, "cannot convert: no valid IP addresses"));
		return;
	}
	if (a.len <= DOC_BYTES_MAX) {
		PROMISE(doc_parse(&d, a.p, a.len, NULL) == 0);
		PROMISE(cni_result_decode(d.root, v, &back, "", &e) == 0);
		PROMISE(cni_result_print(&back, v, ipam, &b, NULL) == 0);
		PROMISE(a.len == b.len && !memcmp(a.p, b.p, a.len));
	}
	cni_result_clear(&back);
	doc_free(&d);
	str_free(&a);
	str_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cni_result r = { 0 };
	struct doc d = DOC_INIT;
	struct err e = ERR_INIT;

	if (!size)
		return 0;
	enum cni_version from = (enum cni_version)(data[0] % CNI_VERSIONS);
	if (doc_parse(&d, (const char *)data + 1, size - 1, NULL) == 0) {
		if (cni_result_decode(d.root, from, &r, "/prevResult", &e) < 0)
			PROMISE(e.code == 7 && !strncmp(e.text, "/prevResult", 11));
		else
			for (int v = 0; v < CNI_VERSIONS; v++) {
				prints_and_reads_back(&r, (enum cni_version)v, false);
				prints_and_reads_back(&r, (enum cni_version)v, true);
			}
	}
	cni_result_clear(&r);
	doc_free(&d);
	return 0;
}
