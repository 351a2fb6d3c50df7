// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/fw/dbus.h"

/* An answer as a service would write it, to be spoilt. */
struct message {
	uint8_t b[512];
	size_t len;
};

static void bytes(struct message *m, const void *data, size_t n)
{
	memcpy(m->b + m->len, data, n);
	m->len += n;
}

static void pad(struct message *m, size_t to)
{
	while (m->len % to)
		m->b[m->len++] = 0;
}

static void u32(struct message *m, uint32_t v, bool big)
{
	pad(m, 4);
	for (int i = 0; i < 4; i++)
		m->b[m->len++] = (uint8_t)(v >> 8 * (big ? 3 - i : i));
}

static void set_u32(struct message *m, size_t at, uint32_t v, bool big)
{
	struct message part = { 0 };

	u32(&part, v, big);
	memcpy(m->b + at, part.b, 4);
}

static void string(struct message *m, const char *s, bool big)
{
	u32(m, (uint32_t)strlen(s), big);
	bytes(m, s, strlen(s) + 1);
}

/* signature "s": text; "b": yes; "": none. */
static struct message answer(uint8_t type, const char *error, const char *signature,
			     const char *text, uint32_t yes, bool big)
{
	struct message m = { 0 };

	bytes(&m, (const uint8_t[]){ big ? 'B' : 'l', type, 1, 1 }, 4);
	u32(&m, 0, big);
	u32(&m, 99, big);
	u32(&m, 0, big);
	bytes(&m, (const uint8_t[]){ 5, 1, 'u', 0 }, 4);
	u32(&m, 7, big);
	if (error) {
		pad(&m, 8);
		bytes(&m, (const uint8_t[]){ 4, 1, 's', 0 }, 4);
		string(&m, error, big);
	}
	if (*signature) {
		pad(&m, 8);
		bytes(&m, (const uint8_t[]){ 8, 1, 'g', 0, (uint8_t)strlen(signature) }, 5);
		bytes(&m, signature, strlen(signature) + 1);
	}
	set_u32(&m, 12, (uint32_t)(m.len - DBUS_HEAD), big);
	pad(&m, 8);
	size_t body = m.len;
	if (*signature == 's')
		string(&m, text, big);
	if (*signature == 'b')
		u32(&m, yes, big);
	set_u32(&m, 4, (uint32_t)(m.len - body), big);
	return m;
}

static void answers_are_read_in_either_order_of_bytes(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		struct message m = answer(2, NULL, "s", "trusted", 0, big);
		struct dbus_message got;

		assert_int_equal(dbus_message_len(m.b), m.len);
		assert_int_equal(dbus_parse(m.b, m.len, &got), 0);
		assert_int_equal(got.type, DBUS_RETURN);
		assert_int_equal(got.reply_to, 7);
		assert_string_equal(got.reply.text, "trusted");
		assert_false(got.reply.error);
		for (uint32_t yes = 0; yes < 2; yes++) {
			m = answer(2, NULL, "b", NULL, yes, big);
			assert_int_equal(dbus_parse(m.b, m.len, &got), 0);
			assert_int_equal(got.reply.yes, yes);
		}
		m = answer(3, "org.x.Failed", "s", "ZONE_CONFLICT: no", 0, big);
		assert_int_equal(dbus_parse(m.b, m.len, &got), 0);
		assert_int_equal(got.type, DBUS_ERROR);
		assert_true(got.reply.error);
		assert_string_equal(got.reply.name, "org.x.Failed");
		assert_string_equal(got.reply.text, "ZONE_CONFLICT: no");
		m = answer(3, NULL, "", NULL, 0, big);
		assert_int_equal(dbus_parse(m.b, m.len, &got), 0);
		assert_string_equal(got.reply.name, "?");
		m = answer(4, NULL, "s", "a signal", 0, big);
		assert_int_equal(dbus_parse(m.b, m.len, &got), 0);
		assert_int_equal(got.type, DBUS_OTHER);
	}
}

static void a_long_sentence_is_cut(void **state)
{
	struct dbus_message got;
	char text[400];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	struct message m = answer(3, text, "", NULL, 0, false);
	assert_int_equal(dbus_parse(m.b, m.len, &got), 0);
	assert_int_equal(strlen(got.reply.name), sizeof got.reply.name - 1);
	m = answer(3, "e", "s", text, 0, false);
	assert_int_equal(dbus_parse(m.b, m.len, &got), 0);
	assert_int_equal(strlen(got.reply.text), DBUS_TEXT_MAX - 1);
}

static void what_breaks_the_rules_is_refused(void **state)
{
	static const struct {
		const char *what;
		size_t at; /* a byte of the good message that is changed */
		uint8_t to;
	} t[] = {
		{ "neither order of bytes", 0, 'x' },
		{ "version", 3, 2 },
		{ "longer body than there is", 4, 13 },
		{ "shorter body", 4, 2 },
		{ "length of fields", 12, 200 },
		{ "a field's type of two letters", 17, 2 },
		{ "a field's type not known", 18, 'a' },
		{ "no terminator after a type", 19, 1 },
		{ "string longer than the body", 32, 200 },
	};
	const struct message good = answer(2, NULL, "s", "trusted", 0, false);
	struct dbus_message got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct message m = good;

		m.b[t[i].at] = t[i].to;
		if (dbus_parse(m.b, m.len, &got) != -EBADMSG)
			fail_msg("taken: %s", t[i].what);
	}
	struct message m = answer(2, NULL, "b", NULL, 2, false);
	assert_int_equal(dbus_parse(m.b, m.len, &got), -EBADMSG);
	for (size_t len = 0; len < good.len; len++)
		assert_int_equal(dbus_parse(good.b, len, &got), -EBADMSG);
	m = good;
	m.b[good.len - 2] = 0; /* a terminator inside a string */
	assert_int_equal(dbus_parse(m.b, m.len, &got), -EBADMSG);
	m = good;
	set_u32(&m, 4, 0xffffffff, false);
	assert_int_equal(dbus_message_len(m.b), 0);
	set_u32(&m, 4, DBUS_MESSAGE_MAX, false);
	assert_int_equal(dbus_message_len(m.b), 0);
}

static void a_call_is_written_as_the_bus_reads_it(void **state)
{
	static const struct dbus_call c = { "org.fedoraproject.FirewallD1",
					    "/org/fedoraproject/FirewallD1",
					    "org.fedoraproject.FirewallD1.zone",
					    "addSource",
					    { "trusted", "10.1.0.2/32" } };
	struct dbus_message got;
	uint8_t buf[512];
	size_t n = dbus_write_call(&c, 7, buf, sizeof buf);

	(void)state;
	assert_int_equal(dbus_message_len(buf), n);
	assert_int_equal(dbus_parse(buf, n, &got), 0); /* a message, though not an answer */
	assert_int_equal(got.type, DBUS_OTHER);
	assert_memory_equal(buf + n - 16,
			    "\x0b\0\0\0"
			    "10.1.0.2/32",
			    16);
	for (size_t size = 0; size < n; size++)
		assert_int_equal(dbus_write_call(&c, 7, buf, size), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_read_in_either_order_of_bytes),
		cmocka_unit_test(a_long_sentence_is_cut),
		cmocka_unit_test(what_breaks_the_rules_is_refused),
		cmocka_unit_test(a_call_is_written_as_the_bus_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
