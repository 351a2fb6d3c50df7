// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/nl/attr.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>

#include "netlib/nl/nlmsg.h"

struct thing {
	uint8_t u8;
	uint16_t u16;
	uint32_t u32, be32, inner;
	char name[8];
	uint8_t mac[6];
	int seen;
};

static int take(const void *data, size_t len, void *obj)
{
	(void)data;
	((struct thing *)obj)->seen += (int)len;
	return len == 3 ? -EPERM : 0;
}

enum { A_U8 = 1, A_U16, A_U32, A_BE32, A_NAME, A_MAC, A_NEST, A_FN, A_IGNORED };

static const struct attr_spec inner_attrs[] = {
	[2] = ATTR_U32(struct thing, inner),
};
static const struct attr_spec attrs[] = {
	[A_U8] = ATTR_U8(struct thing, u8),	 [A_U16] = ATTR_U16(struct thing, u16),
	[A_U32] = ATTR_U32(struct thing, u32),	 [A_BE32] = ATTR_U32BE(struct thing, be32),
	[A_NAME] = ATTR_STR(struct thing, name), [A_MAC] = ATTR_BYTES(struct thing, mac),
	[A_NEST] = ATTR_NEST(inner_attrs),	 [A_FN] = ATTR_FN(take),
};

static void each_type_lands_in_its_member(void **state)
{
	static const uint8_t mac[6] = { 2, 1, 2, 3, 4, 5 };
	struct thing t = { 0 };
	struct nlmsg m;

	(void)state;
	nlmsg_init(&m);
	nlmsg_begin(&m, 16, 0, "head", 4);
	nlmsg_u8(&m, A_U8, 200);
	nlmsg_u16(&m, A_U16, 60000);
	nlmsg_u32(&m, A_U32, 4000000000U);
	nlmsg_u32be(&m, A_BE32, 0x01020304);
	nlmsg_str(&m, A_NAME, "seven c");
	nlmsg_data(&m, A_MAC, mac, sizeof mac);
	nlmsg_nest(&m, A_NEST)
		nlmsg_u32(&m, 2, 42);
	nlmsg_flag(&m, A_FN);
	nlmsg_u16(&m, A_FN, 1);
	nlmsg_u32(&m, A_IGNORED, 1);
	nlmsg_u32(&m, 1000, 1);
	assert_int_equal(attr_decode_msg((const struct nlmsghdr *)(const void *)m.buf, 4, attrs,
					 &t),
			 0);
	assert_int_equal(t.u8, 200);
	assert_int_equal(t.u16, 60000);
	assert_int_equal(t.u32, 4000000000U);
	assert_int_equal(t.be32, 0x01020304);
	assert_string_equal(t.name, "seven c");
	assert_memory_equal(t.mac, mac, 6);
	assert_int_equal(t.inner, 42);
	assert_int_equal(t.seen, 2);
}

/* Copied to the exact length, so that a sanitizer sees a read beyond it. */
static int decode_bytes(const uint8_t *bytes, size_t len, struct thing *t)
{
	cleanup_free uint8_t *exact = malloc(len ? len : 1);

	assert_non_null(exact);
	memcpy(exact, bytes, len);
	return attr_decode_raw(exact, len, attrs, ARRAY_LEN(attrs), t);
}

static void what_is_malformed_is_refused_and_never_read_beyond(void **state)
{
	static const struct {
		const char *what;
		uint8_t bytes[24];
		size_t len;
		int r;
	} cases[] = {
		{ "nothing", { 0 }, 0, 0 },
		{ "less than a header", { 8, 0, 1 }, 3, 0 },
		{ "length 0", { 0, 0, 1, 0 }, 4, -EBADMSG },
		{ "length 1", { 1, 0, 1, 0 }, 4, -EBADMSG },
		{ "length 3", { 3, 0, 1, 0 }, 4, -EBADMSG },
		{ "past the end", { 9, 0, 1, 0, 1, 0, 0, 0 }, 8, -EBADMSG },
		{ "far past the end", { 0xff, 0xff, 1, 0, 1, 0, 0, 0 }, 8, -EBADMSG },
		{ "no padding after the last", { 5, 0, A_U8, 0, 7 }, 5, 0 },
		{ "second one malformed", { 5, 0, A_U8, 0, 7, 0, 0, 0, 2, 0, 1, 0 }, 12, -EBADMSG },
		{ "u8 without a value", { 4, 0, A_U8, 0 }, 4, -EBADMSG },
		{ "u16 too short", { 5, 0, A_U16, 0, 1 }, 5, -EBADMSG },
		{ "u32 too short", { 7, 0, A_U32, 0, 1, 2, 3 }, 7, -EBADMSG },
		{ "be32 too short", { 6, 0, A_BE32, 0, 1, 2 }, 6, -EBADMSG },
		{ "u8 longer than needed", { 8, 0, A_U8, 0, 9, 0, 0, 0 }, 8, 0 },
		{ "name without terminator",
		  { 11, 0, A_NAME, 0, 'a', 'b', 'c', 'd', 'e', 'f', 'g' },
		  11,
		  0 },
		{ "name too long",
		  { 12, 0, A_NAME, 0, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h' },
		  12,
		  -EBADMSG },
		{ "name empty", { 4, 0, A_NAME, 0 }, 4, 0 },
		{ "mac of another size", { 8, 0, A_MAC, 0, 1, 2, 3, 4 }, 8, 0 },
		{ "nest empty", { 4, 0, A_NEST, 0x80 }, 4, 0 },
		{ "nest with a length past its end",
		  { 12, 0, A_NEST, 0x80, 12, 0, 2, 0, 1, 0, 0, 0 },
		  12,
		  -EBADMSG },
		{ "nest with a short value",
		  { 10, 0, A_NEST, 0x80, 6, 0, 2, 0, 1, 0 },
		  10,
		  -EBADMSG },
		{ "function refuses", { 7, 0, A_FN, 0, 1, 2, 3 }, 7, -EPERM },
		{ "flag bits in the type", { 5, 0, A_U8, 0xc0, 7 }, 5, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct thing t = { 0 };

		row_int(i, cases[i].what, decode_bytes(cases[i].bytes, cases[i].len, &t),
			cases[i].r);
	}
}

static void a_message_shorter_than_its_header_is_refused(void **state)
{
	struct nlmsghdr h = { .nlmsg_len = NLMSG_HDRLEN + 3 };
	struct thing t = { 0 };

	(void)state;
	assert_int_equal(attr_decode_msg(&h, 4, attrs, &t), -EBADMSG);
	h.nlmsg_len = 0;
	assert_int_equal(attr_decode_msg(&h, 4, attrs, &t), -EBADMSG);
	h.nlmsg_len = NLMSG_HDRLEN;
	assert_int_equal(attr_decode_msg(&h, 0, attrs, &t), 0);
}

static void every_cut_of_a_good_message_is_survived(void **state)
{
	struct nlmsg m;

	(void)state;
	nlmsg_init(&m);
	nlmsg_begin(&m, 16, 0, NULL, 0);
	nlmsg_str(&m, A_NAME, "name");
	nlmsg_nest(&m, A_NEST)
		nlmsg_u32(&m, 2, 42);
	nlmsg_u32(&m, A_U32, 5);
	for (size_t n = 0; n <= m.len - NLMSG_HDRLEN; n++) {
		struct thing t = { 0 };

		(void)decode_bytes((const uint8_t *)m.buf + NLMSG_HDRLEN, n, &t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_lands_in_its_member),
		cmocka_unit_test(what_is_malformed_is_refused_and_never_read_beyond),
		cmocka_unit_test(a_message_shorter_than_its_header_is_refused),
		cmocka_unit_test(every_cut_of_a_good_message_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
