// SPDX-License-Identifier: GPL-2.0-or-later
/* What comes back from the kernel, well formed or not: a pair of sockets stands in for it. */
#include "netlib/base/clock.h"
#include "netlib/nl/nl.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "netlib/net/addr.h"
#include "netlib/net/link.h"
#include "netlib/net/route.h"
#include "netlib/nl/nlmsg.h"

struct kernel {
	struct nl nl;
	int far;
};

static int kernel_setup(void **state)
{
	static struct kernel k;
	struct timeval tv = { .tv_usec = 200000 };
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd) < 0 ||
	    setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) < 0)
		return -1;
	k = (struct kernel){ .nl = { .fd = fd[0], .name = "host" }, .far = fd[1] };
	*state = &k;
	return 0;
}

static int kernel_teardown(void **state)
{
	struct kernel *k = *state;

	nl_close(&k->nl);
	return k->far < 0 ? 0 : close(k->far);
}

/* One datagram of answers being written. */
struct answer {
	_Alignas(8) char buf[4096];
	size_t len;
};

static struct nlmsghdr *add(struct answer *a, uint16_t type, uint16_t flags, uint32_t seq,
			    const void *data, size_t len)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)(a->buf + a->len);

	*h = (struct nlmsghdr){ .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + len),
				.nlmsg_type = type,
				.nlmsg_flags = flags,
				.nlmsg_seq = seq };
	if (len)
		memcpy((char *)h + NLMSG_HDRLEN, data, len);
	a->len += NLMSG_ALIGN(h->nlmsg_len);
	return h;
}

static void ack(struct answer *a, uint32_t seq, int error)
{
	const struct nlmsgerr e = { .error = error };

	(void)add(a, NLMSG_ERROR, 0, seq, &e, sizeof e);
}

static void flush(const struct kernel *k, struct answer *a)
{
	assert_int_equal(send(k->far, a->buf, a->len, 0), a->len);
	a->len = 0;
}

static void question(struct nlmsg *m, unsigned n)
{
	const struct ifinfomsg any = { 0 };

	nlmsg_init(m);
	for (unsigned i = 0; i < n; i++)
		nlmsg_begin(m, RTM_NEWLINK, 0, &any, sizeof any);
}

static int count(const struct nlmsghdr *h, void *arg)
{
	(void)h;
	(*(int *)arg)++;
	return 0;
}

/* ---- acknowledgements */

static void the_first_refusal_of_a_batch_is_told_with_its_index(void **state)
{
	struct kernel *k = *state;
	struct answer a = { .len = 0 };
	struct err e = ERR_INIT;
	unsigned failed = 99;
	struct nlmsg m;

	question(&m, 4);
	ack(&a, 1, 0);
	ack(&a, 2, -EEXIST);
	flush(k, &a);
	ack(&a, 3, -EPERM);
	ack(&a, 4, 0);
	flush(k, &a);
	assert_int_equal(nl_talk_at(&k->nl, &m, &failed, &e), -EEXIST);
	assert_int_equal(failed, 1);
	assert_string_equal(e.text, "File exists");
	assert_int_equal(e.no, EEXIST);
}

static void answers_to_earlier_questions_are_passed_over(void **state)
{
	struct kernel *k = *state;
	struct answer a = { .len = 0 };
	struct nlmsg m;

	k->nl.seq = 7;
	question(&m, 1);
	ack(&a, 7, -EPERM);
	ack(&a, 9, -EPERM);
	ack(&a, 8, 0);
	flush(k, &a);
	assert_int_equal(nl_talk(&k->nl, &m, NULL), 0);
}

static void the_kernels_own_words_become_the_details(void **state)
{
	struct {
		struct nlmsgerr e;
		struct nlattr a;
		char text[16];
	} capped = { .e = { .error = -EINVAL },
		     .a = { 4 + 13, NLMSGERR_ATTR_MSG },
		     .text = "bad attribut" };
	struct {
		struct nlmsgerr e;
		char rest[16];
		struct nlattr a;
		char text[8];
	} whole = { .e = { .error = -EINVAL, .msg = { .nlmsg_len = 32 } },
		    .a = { 4 + 6, NLMSGERR_ATTR_MSG },
		    .text = "wrong" };
	struct kernel *k = *state;
	struct answer a = { .len = 0 };
	struct err e = ERR_INIT;
	struct nlmsg m;

	question(&m, 1);
	(void)add(&a, NLMSG_ERROR, NLM_F_ACK_TLVS | NLM_F_CAPPED, 1, &capped, sizeof capped);
	flush(k, &a);
	assert_int_equal(nl_talk(&k->nl, &m, &e), -EINVAL);
	assert_string_equal(e.details, "kernel: bad attribut");
	question(&m, 1);
	(void)add(&a, NLMSG_ERROR, NLM_F_ACK_TLVS, 2, &whole, sizeof whole);
	flush(k, &a);
	assert_int_equal(nl_talk(&k->nl, &m, &e), -EINVAL);
	assert_string_equal(e.details, "kernel: wrong");
}

static void lying_extended_acknowledgements_are_not_believed(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 15, 16, 17, 100, 0x7fffffff, 0xffffffff };
	struct kernel *k = *state;

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		for (uint16_t attr_len = 0; attr_len < 24; attr_len++) {
			struct {
				struct nlmsgerr e;
				struct nlattr a;
				char text[8];
			} lie = { .e = { .error = -EINVAL, .msg = { .nlmsg_len = lengths[i] } },
				  .a = { attr_len, NLMSGERR_ATTR_MSG },
				  .text = "1234567x" };
			struct answer a = { .len = 0 };
			struct err e = ERR_INIT;
			struct nlmsg m;

			question(&m, 1);
			(void)add(&a, NLMSG_ERROR, NLM_F_ACK_TLVS, k->nl.seq + 1, &lie, sizeof lie);
			flush(k, &a);
			assert_int_equal(nl_talk(&k->nl, &m, &e), -EINVAL);
			assert_true(strlen(e.details) < 32);
		}
}

static void a_cut_off_acknowledgement_is_an_error(void **state)
{
	struct kernel *k = *state;
	struct err e = ERR_INIT;

	for (size_t n = 0; n < sizeof(struct nlmsgerr); n += 4) {
		const struct nlmsgerr body = { 0 };
		struct answer a = { .len = 0 };
		struct nlmsg m;

		question(&m, 1);
		(void)add(&a, NLMSG_ERROR, 0, k->nl.seq + 1, &body, n);
		flush(k, &a);
		row_int(n, "bytes", nl_talk(&k->nl, &m, &e), -EBADMSG);
	}
}

static void a_status_that_is_no_errno_is_an_error(void **state)
{
	static const struct {
		int status, want;
	} cases[] = {
		{ -1, -1 },	     { -4095, -4095 },
		{ -4096, -EBADMSG }, { INT32_MIN, -EBADMSG },
		{ 1, -EBADMSG },     { INT32_MAX, -EBADMSG },
	};
	struct kernel *k = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct answer a = { .len = 0 };
		struct err e = ERR_INIT;
		struct nlmsg m;

		question(&m, 1);
		ack(&a, k->nl.seq + 1, cases[i].status);
		flush(k, &a);
		row_int(i, "status", nl_talk(&k->nl, &m, &e), cases[i].want);
	}
}

static void a_length_that_lies_is_an_error(void **state)
{
	static const uint32_t lengths[] = { 0,		1,	    15,		33,
					    0x7fffffff, 0x80000000, 0x83838383, 0xffffffff };
	struct kernel *k = *state;

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		for (int dump = 0; dump < 2; dump++) {
			struct answer a = { .len = 0 };
			struct err e = ERR_INIT;
			struct nlmsg m;
			int n = 0;

			question(&m, 1);
			ack(&a, k->nl.seq + 1, 0);
			((struct nlmsghdr *)(void *)a.buf)->nlmsg_len = lengths[i];
			a.len = 32;
			flush(k, &a);
			row_int(i, "length",
				dump ? nl_dump(&k->nl, &m, count, NULL, &n, &e) :
				       nl_talk(&k->nl, &m, &e),
				-EBADMSG);
			row_text(i, "length", e.text,
				 "understand the kernel's answer (host namespace): Bad message");
		}
}

static void silence_and_the_other_sides_end_are_bounded(void **state)
{
	struct kernel *k = *state;
	struct err e = ERR_INIT;
	struct nlmsg m;

	question(&m, 1);
	assert_int_equal(nl_talk(&k->nl, &m, &e), -ETIMEDOUT);
	assert_string_equal(e.text,
			    "receive from the kernel (host namespace): Connection timed out");
	assert_int_equal(send(k->far, "", 0, 0), 0);
	question(&m, 1);
	assert_int_equal(nl_talk(&k->nl, &m, &e), -EIO);
	assert_int_equal(close(k->far), 0);
	k->far = -1;
	question(&m, 1);
	assert_true(nl_talk(&k->nl, &m, &e) < 0);
	assert_true(!strncmp(e.text, "send to the kernel (host namespace): ", 37));
}

static void an_answer_larger_than_the_buffer_is_not_read_as_half(void **state)
{
	static char big[20000];
	struct kernel *k = *state;
	struct err e = ERR_INIT;
	struct nlmsg m;

	question(&m, 1);
	assert_int_equal(send(k->far, big, sizeof big, 0), sizeof big);
	assert_int_equal(nl_talk(&k->nl, &m, &e), -EMSGSIZE);
}

static void a_refusal_that_was_expected_leaves_the_error_untouched(void **state)
{
	struct kernel *k = *state;
	struct answer a = { .len = 0 };
	struct err e = ERR_INIT;
	struct ip_prefix p = { 0 };
	struct route r = { .oif = 1 };
	struct bridge_spec b = { .name = "cni0" };

	assert_int_equal(ip_prefix_parse("10.0.0.1/8", &p), 0);
	r.dst = p;
	static const struct {
		const char *what;
		int refusal, want;
	} cases[] = {
		{ "addr_add", -EEXIST, ADDR_EXISTS },	     { "addr_del", -EADDRNOTAVAIL, 0 },
		{ "route_add", -EEXIST, ROUTE_EXISTS },	     { "route_del", -ESRCH, 0 },
		{ "link_add_bridge", -EEXIST, LINK_EXISTS }, { "link_del", -ENODEV, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int got;

		ack(&a, k->nl.seq + 1, cases[i].refusal);
		flush(k, &a);
		got = i == 0 ? addr_add(&k->nl, 1, &p, 0, &e) :
		      i == 1 ? addr_del(&k->nl, 1, &p, &e) :
		      i == 2 ? route_add(&k->nl, &r, &e) :
		      i == 3 ? route_del(&k->nl, &r, &e) :
		      i == 4 ? link_add_bridge(&k->nl, &b, &e) :
			       link_del(&k->nl, 1, &e);
		row_int(i, cases[i].what, got, cases[i].want);
		row_int(i, cases[i].what, e.no, 0);
		row_text(i, cases[i].what, e.text, "");
	}
}

/* ---- dumps */

static void restart(void *arg)
{
	*(int *)arg = 0;
}

static void item(struct answer *a, uint32_t seq, uint16_t flags)
{
	const struct ifinfomsg i = { .ifi_index = 1 };

	(void)add(a, RTM_NEWLINK, NLM_F_MULTI | flags, seq, &i, sizeof i);
}

static void done(struct answer *a, uint32_t seq, int status)
{
	(void)add(a, NLMSG_DONE, NLM_F_MULTI, seq, &status, sizeof status);
}

static void ask(struct nlmsg *m)
{
	const struct ifinfomsg any = { 0 };

	nlmsg_init(m);
	nlmsg_begin(m, RTM_GETLINK, 0, &any, sizeof any);
}

static void an_interrupted_dump_is_repeated_from_nothing(void **state)
{
	struct kernel *k = *state;
	struct answer a = { .len = 0 };
	struct nlmsg m;
	int n = 0;

	ask(&m);
	item(&a, 1, 0);
	item(&a, 1, NLM_F_DUMP_INTR);
	done(&a, 1, 0);
	flush(k, &a);
	item(&a, 2, 0);
	done(&a, 2, 0);
	flush(k, &a);
	assert_int_equal(nl_dump(&k->nl, &m, count, restart, &n, NULL), 0);
	assert_int_equal(n, 1);
}

static void a_dump_that_is_always_interrupted_ends_with_code_11(void **state)
{
	struct kernel *k = *state;
	struct answer a = { .len = 0 };
	struct err e = ERR_INIT;
	struct nlmsg m;
	int n = 0;

	ask(&m);
	for (uint32_t i = 1; i <= 10; i++) {
		item(&a, i, NLM_F_DUMP_INTR);
		done(&a, i, 0);
		flush(k, &a);
	}
	int64_t start = clock_ms();
	assert_int_equal(nl_dump(&k->nl, &m, count, restart, &n, &e), -EAGAIN);
	/* whoever changes them was given time */
	assert_in_range(clock_ms() - start, 50, 5000);
	assert_string_equal(
		e.text,
		"list objects (host namespace): they changed during each of 10 attempts; try again later");
	assert_int_equal(e.code, 11);
}

static void a_dump_that_ends_with_an_error_is_not_a_list(void **state)
{
	struct kernel *k = *state;
	struct answer a = { .len = 0 };
	struct err e = ERR_INIT;
	struct nlmsg m;
	int n = 0;

	ask(&m);
	item(&a, 1, 0);
	done(&a, 1, -ENOMEM);
	flush(k, &a);
	assert_int_equal(nl_dump(&k->nl, &m, count, restart, &n, &e), -ENOMEM);
	assert_string_equal(e.text, "ask the kernel (host namespace): Cannot allocate memory");
	ask(&m);
	(void)add(&a, NLMSG_DONE, NLM_F_MULTI, 2, NULL, 0); /* says nothing: an end */
	flush(k, &a);
	assert_int_equal(nl_dump(&k->nl, &m, count, restart, &n, &e), 0);
}

static int second(const struct nlmsghdr *h, void *arg)
{
	(void)h;
	return ++*(int *)arg == 2 ? -EBADMSG : 0;
}

static void a_callback_that_stops_gets_no_more_and_a_sentence(void **state)
{
	struct kernel *k = *state;
	struct answer a = { .len = 0 };
	struct err e = ERR_INIT;
	struct nlmsg m;
	int n = 0;

	ask(&m);
	for (int i = 0; i < 5; i++)
		item(&a, 1, 0);
	done(&a, 1, 0);
	flush(k, &a);
	assert_int_equal(nl_dump(&k->nl, &m, second, NULL, &n, &e), -EBADMSG);
	assert_int_equal(n, 2);
	assert_string_equal(e.text, "understand the kernel's answer (host namespace): Bad message");
}

static void a_malformed_object_is_an_error_with_a_sentence(void **state)
{
	static const uint8_t bad[sizeof(struct ifinfomsg) + 8] = { [sizeof(struct ifinfomsg)] = 2,
								   [sizeof(struct ifinfomsg) + 2] =
									   3 };
	struct kernel *k = *state;
	struct answer a = { .len = 0 };
	struct err e = ERR_INIT;
	struct link l;

	(void)add(&a, RTM_NEWLINK, 0, 1, bad, sizeof bad);
	ack(&a, 1, 0);
	flush(k, &a);
	assert_int_equal(link_get(&k->nl, "eth0", &l, &e), -EBADMSG);
	assert_string_equal(
		e.text,
		"interface eth0: understand the kernel's answer (host namespace): Bad message");
}

static int never(const struct link *l, void *arg)
{
	(void)l;
	(void)arg;
	return 0;
}

static int never_addr(const struct addr *a, void *arg)
{
	(void)a;
	(void)arg;
	return 0;
}

static int never_route(const struct route *r, void *arg)
{
	(void)r;
	(void)arg;
	return 0;
}

static void objects_shorter_than_their_header_are_errors_or_passed_over(void **state)
{
	static const uint8_t bytes[16];
	static const uint16_t types[] = { RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE };
	struct kernel *k = *state;

	for (size_t t = 0; t < ARRAY_LEN(types); t++)
		for (size_t n = 0; n < 8; n++) {
			struct answer a = { .len = 0 };
			struct err e = ERR_INIT;
			int r;

			(void)add(&a, types[t], NLM_F_MULTI, k->nl.seq + 1, bytes, n);
			done(&a, k->nl.seq + 1, 0);
			flush(k, &a);
			r = t == 0 ? link_each(&k->nl, never, NULL, &e) :
			    t == 1 ? addr_each(&k->nl, 0, 0, never_addr, NULL, &e) :
				     route_each(&k->nl, 0, never_route, NULL, &e);
			row_int(n, "bytes", r, t == 0 ? -EBADMSG : 0);
		}
}

#define WITH_KERNEL(f) cmocka_unit_test_setup_teardown(f, kernel_setup, kernel_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_KERNEL(the_first_refusal_of_a_batch_is_told_with_its_index),
		WITH_KERNEL(answers_to_earlier_questions_are_passed_over),
		WITH_KERNEL(the_kernels_own_words_become_the_details),
		WITH_KERNEL(lying_extended_acknowledgements_are_not_believed),
		WITH_KERNEL(a_cut_off_acknowledgement_is_an_error),
		WITH_KERNEL(a_status_that_is_no_errno_is_an_error),
		WITH_KERNEL(a_length_that_lies_is_an_error),
		WITH_KERNEL(silence_and_the_other_sides_end_are_bounded),
		WITH_KERNEL(an_answer_larger_than_the_buffer_is_not_read_as_half),
		WITH_KERNEL(a_refusal_that_was_expected_leaves_the_error_untouched),
		WITH_KERNEL(an_interrupted_dump_is_repeated_from_nothing),
		WITH_KERNEL(a_dump_that_is_always_interrupted_ends_with_code_11),
		WITH_KERNEL(a_dump_that_ends_with_an_error_is_not_a_list),
		WITH_KERNEL(a_callback_that_stops_gets_no_more_and_a_sentence),
		WITH_KERNEL(a_malformed_object_is_an_error_with_a_sentence),
		WITH_KERNEL(objects_shorter_than_their_header_are_errors_or_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
