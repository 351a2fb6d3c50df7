// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <string.h>

enum { A_U8 = 1, A_U16, A_U32, A_U64, A_STR, A_STRZ, A_DATA, A_NEST };

struct seen {
	const struct nlattr *a[A_NEST + 1];
	int count, stop_at;
};

static int note(const struct nlattr *a, void *data)
{
	struct seen *s = data;

	if (mnl_attr_type_valid(a, A_NEST) < 0)
		return MNL_CB_ERROR;
	s->a[mnl_attr_get_type(a)] = a;
	return ++s->count == s->stop_at ? MNL_CB_STOP : MNL_CB_OK;
}

static struct nlmsghdr *message(uint32_t buf[64])
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(memset(buf, 0xff, 64 * sizeof *buf));
	struct nlattr *nest;

	mnl_attr_put_u8(h, A_U8, 200);
	mnl_attr_put_u16(h, A_U16, 60000);
	mnl_attr_put_u32(h, A_U32, 4000000000U);
	mnl_attr_put_u64(h, A_U64, UINT64_MAX - 1);
	mnl_attr_put_str(h, A_STR, "five5");
	mnl_attr_put_strz(h, A_STRZ, "six");
	mnl_attr_put(h, A_DATA, 0, NULL);
	nest = mnl_attr_nest_start(h, A_NEST);
	mnl_attr_put_u32(h, A_U32, 42);
	mnl_attr_nest_end(h, nest);
	return h;
}

static void what_is_put_can_be_read(void **state)
{
	uint32_t buf[64];
	struct nlmsghdr *h = message(buf);
	struct seen s = { .count = 0 }, in = { .count = 0 };

	(void)state;
	assert_int_equal(h->nlmsg_len, 16 + 8 + 8 + 8 + 12 + 12 + 8 + 4 + 12);
	assert_int_equal(mnl_attr_parse(h, 0, note, &s), MNL_CB_OK);
	assert_int_equal(s.count, 8);
	assert_int_equal(mnl_attr_get_u8(s.a[A_U8]), 200);
	assert_int_equal(mnl_attr_get_u16(s.a[A_U16]), 60000);
	assert_int_equal(mnl_attr_get_u32(s.a[A_U32]), 4000000000U);
	assert_true(mnl_attr_get_u64(s.a[A_U64]) == UINT64_MAX - 1);
	assert_int_equal(mnl_attr_get_payload_len(s.a[A_STR]), 5);
	assert_memory_equal(mnl_attr_get_payload(s.a[A_STR]), "five5\0\0\0", 8); /* padded */
	assert_string_equal(mnl_attr_get_str(s.a[A_STRZ]), "six");
	assert_int_equal(mnl_attr_get_payload_len(s.a[A_DATA]), 0);
	assert_int_equal(s.a[A_NEST]->nla_type, A_NEST | NLA_F_NESTED);
	assert_int_equal(mnl_attr_parse_nested(s.a[A_NEST], note, &in), MNL_CB_OK);
	assert_int_equal(in.count, 1);
	assert_int_equal(mnl_attr_get_u32(in.a[A_U32]), 42);
}

static void a_walk_ends_where_it_is_told_and_where_a_length_lies(void **state)
{
	uint32_t buf[64];
	struct nlmsghdr *h = message(buf);
	struct seen s = { .stop_at = 3 }, cut = { .count = 0 };

	(void)state;
	assert_int_equal(mnl_attr_parse(h, 0, note, &s), MNL_CB_STOP);
	assert_int_equal(s.count, 3);
	((struct nlattr *)s.a[A_U32])->nla_len = UINT16_MAX;
	assert_int_equal(mnl_attr_parse(h, 0, note, &cut), MNL_CB_OK);
	assert_int_equal(cut.count, 2);
	((struct nlattr *)s.a[A_U32])->nla_len = 3;
	cut.count = 0;
	assert_int_equal(mnl_attr_parse(h, 0, note, &cut), MNL_CB_OK);
	assert_int_equal(cut.count, 2);
	((struct nlattr *)s.a[A_U16])->nla_type = A_NEST + 1;
	assert_int_equal(mnl_attr_parse(h, 0, note, &cut), MNL_CB_ERROR);
	assert_int_equal(errno, EOPNOTSUPP);
}

static void a_payload_is_checked_against_its_type(void **state)
{
	static const struct {
		enum mnl_attr_data_type type;
		size_t len;
		const char *data;
		int error;
	} cases[] = {
		{ MNL_TYPE_U8, 1, "a", 0 },
		{ MNL_TYPE_U8, 0, "", ERANGE },
		{ MNL_TYPE_U16, 1, "a", ERANGE },
		{ MNL_TYPE_U32, 4, "abcd", 0 },
		{ MNL_TYPE_U32, 3, "abc", ERANGE },
		{ MNL_TYPE_U64, 4, "abcd", ERANGE },
		{ MNL_TYPE_MSECS, 8, "abcdefgh", 0 },
		{ MNL_TYPE_FLAG, 0, "", 0 },
		{ MNL_TYPE_FLAG, 1, "a", ERANGE },
		{ MNL_TYPE_STRING, 1, "a", 0 },
		{ MNL_TYPE_STRING, 0, "", ERANGE },
		{ MNL_TYPE_NUL_STRING, 2, "a", 0 },
		{ MNL_TYPE_NUL_STRING, 1, "a", EINVAL },
		{ MNL_TYPE_NUL_STRING, 0, "", ERANGE },
		{ MNL_TYPE_NESTED, 0, "", 0 },
		{ MNL_TYPE_NESTED, 3, "abc", ERANGE },
		{ MNL_TYPE_BINARY, 0, "", 0 },
		{ MNL_TYPE_MAX, 0, "", EINVAL },
	};
	uint32_t buf[16];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

		mnl_attr_put(h, 1, cases[i].len, cases[i].data);
		errno = 0;
		int r = mnl_attr_validate(mnl_nlmsg_get_payload(h), cases[i].type);
		if (r != (cases[i].error ? -1 : 0) || errno != cases[i].error)
			fail_msg("case %zu: %d, errno %d", i, r, errno);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_can_be_read),
		cmocka_unit_test(a_walk_ends_where_it_is_told_and_where_a_length_lies),
		cmocka_unit_test(a_payload_is_checked_against_its_type),
	};

	return cmocka_run_group_tests_name("netlib/nl/mnl", tests, NULL, NULL);
}
