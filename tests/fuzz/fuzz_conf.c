// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plugin's stdin: parsed or refused with a code and a sentence, which make a valid error
 * document.
 */
#include <stdlib.h>
#include <string.h>

#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/conf.h"
#include "netlib/cni/env.h"
#include "netlib/cni/error.h"
#include "tests/fuzz/fuzz.h"

static void error_is_a_document(const struct err *e, const char *version)
{
	struct str s = STR_INIT;
	struct doc d = DOC_INIT;

	cni_error_print(e, version, &s);
	PROMISE(doc_parse(&d, s.p, s.len, NULL) == 0);
	PROMISE(json_text(json_get(d.root, "msg")) && *json_text(json_get(d.root, "msg")));
	doc_free(&d);
	str_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cni_conf c = { 0 };
	struct err e = ERR_INIT;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (cni_conf_parse(&c, text, size, &e) < 0) {
		PROMISE(e.code == 6 || e.code == 7);
		error_is_a_document(&e, *c.version_said ? c.version_said : NULL);
		return 0;
	}
	PROMISE(cni_name_ok(c.name));
	PROMISE(c.len == size && !memcmp(c.text, data, size));
	if (cni_version_parse(c.version_text, CNI_V_0_1_0, &c.version, &e) < 0) {
		PROMISE(e.code == 1 || e.code == 6);
		error_is_a_document(&e, c.version_text);
	}
	for (size_t i = 0; i < c.nvalid; i++)
		PROMISE(!c.valid[i].container || strlen(c.valid[i].container) <= size);
	cni_conf_clear(&c);
	return 0;
}
