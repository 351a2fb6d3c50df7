// SPDX-License-Identifier: GPL-2.0-or-later
/* Words of iptables, as conditionsV4 and conditionsV6 bring them: text, bytes, and back. */
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/fw/iptrule.h"
#include "tests/fuzz/fuzz.h"

static void as_line(uint8_t family, const char *line)
{
	_Alignas(8) uint8_t entry[IPT_ENTRY_MAX];
	struct ipt_rule r, again, back;
	struct str s = STR_INIT;
	struct err e = ERR_INIT;

	if (ipt_rule_line(&r, family, &e, "%s", line) < 0) {
		PROMISE(*e.text);
		return;
	}
	ipt_rule_text(&s, NULL, &r);
	PROMISE(ipt_rule_line(&again, family, &e, "%s", s.p ? s.p : "") == 0);
	PROMISE(ipt_rule_eq(&r, &again));
	PROMISE(ipt_rule_encode(&r, entry) < IPT_ENTRY_MAX);
	ipt_rule_decode(&back, family, entry, r.target.name, true);
	PROMISE(!back.foreign && ipt_rule_eq(&r, &back));
	str_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	if (!s)
		return 0;
	memcpy(s, data, size);
	s[size] = 0;
	as_line(AF_INET, s);
	as_line(AF_INET6, s);
	free(s);
	return 0;
}
