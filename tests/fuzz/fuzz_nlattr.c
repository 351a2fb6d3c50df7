// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel answers, read by every decoder that netlib/net has, and printed: through a pair
 * of sockets in the kernel's place.
 */
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/net/addr.h"
#include "netlib/net/link.h"
#include "netlib/net/port.h"
#include "netlib/net/route.h"
#include "netlib/nl/names.h"
#include "netlib/nl/nl.h"
#include "tests/fuzz/fuzz.h"

#define BODY_MAX 8192

static int see_link(const struct link *l, void *arg)
{
	(void)arg;
	PROMISE(memchr(l->name, 0, sizeof l->name) && memchr(l->kind, 0, sizeof l->kind) &&
		memchr(l->alias, 0, sizeof l->alias));
	return 0;
}

static int see_addr(const struct addr *a, void *arg)
{
	char text[IP_TEXT_MAX];

	(void)arg;
	PROMISE(memchr(ip_prefix_text(&a->prefix, text), 0, sizeof text));
	return 0;
}

static int see_route(const struct route *r, void *arg)
{
	char text[ROUTE_TEXT_MAX];

	(void)arg;
	PROMISE(memchr(route_text(r, text), 0, sizeof text));
	return 0;
}

/*
 * The answer: one message of the type that the question expects, with data behind its header, and
 * an end.
 */
static void answer(int fd, uint16_t type, uint32_t seq, const uint8_t *data, size_t size)
{
	static _Alignas(8) char buf[NLMSG_HDRLEN + BODY_MAX + 64];
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf, *end;
	size_t n = size < BODY_MAX ? size : BODY_MAX;

	memset(buf, 0, sizeof buf);
	*h = (struct nlmsghdr){ .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + n),
				.nlmsg_type = type,
				.nlmsg_seq = seq };
	memcpy(buf + NLMSG_HDRLEN, data, n);
	end = (struct nlmsghdr *)(void *)(buf + NLMSG_ALIGN(h->nlmsg_len));
	*end = (struct nlmsghdr){ .nlmsg_len = NLMSG_LENGTH(sizeof(struct nlmsgerr)),
				  .nlmsg_type = NLMSG_ERROR,
				  .nlmsg_seq = seq };
	(void)!send(fd, buf, (size_t)((char *)end - buf) + end->nlmsg_len, 0);
}

static void ask_all(struct nl *nl, int far, const uint8_t *data, size_t size)
{
	struct port_state port;
	struct link l;
	struct err e = ERR_INIT;
	char request[512];
	int r;

	answer(far, RTM_NEWLINK, nl->seq + 1, data, size);
	if (link_get(nl, "eth0", &l, &e) == 0)
		(void)see_link(&l, NULL);
	else
		PROMISE(*e.text);
	answer(far, RTM_NEWLINK, nl->seq + 1, data, size);
	(void)link_each(nl, see_link, NULL, &e);
	answer(far, RTM_NEWLINK, nl->seq + 1, data, size);
	(void)port_get(nl, 3, &port, &e);
	answer(far, RTM_NEWADDR, nl->seq + 1, data, size);
	(void)addr_each(nl, 0, 0, see_addr, NULL, &e);
	answer(far, RTM_NEWROUTE, nl->seq + 1, data, size);
	(void)route_each(nl, 0, see_route, NULL, &e);
	do
		r = (int)recv(far, request, sizeof request, MSG_DONTWAIT);
	while (r > 0);
}

/*
 * The data as a datagram of its own: headers, lengths and acknowledgements that lie. Ends by the
 * time limit or an error.
 */
static void ask_raw(struct nl *nl, int far, const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	char request[512];

	nl->seq = 0;
	(void)!send(far, data, size, 0);
	(void)!send(far, "", 0, 0); /* the end of the other side */
	(void)link_each(nl, see_link, NULL, &e);
	while (recv(far, request, sizeof request, MSG_DONTWAIT) > 0)
		;
	while (recv(nl->fd, request, sizeof request, MSG_DONTWAIT) >= 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = STR_INIT;
	int fd[2];

	if (!size || size > BODY_MAX || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd) < 0)
		return 0;
	struct nl nl = { .fd = fd[0], .name = "fuzzed" };
	if (data[0] & 1)
		ask_all(&nl, fd[1], data + 1, size - 1);
	else
		ask_raw(&nl, fd[1], data + 1, size - 1);
	char *aligned = malloc(size); /* messages are read where they lie */
	if (aligned) {
		memcpy(aligned, data + 1, size - 1);
		nl_print_all(&s, aligned, size - 1);
		free(aligned);
	}
	str_free(&s);
	(void)close(fd[1]);
	nl_close(&nl);
	return 0;
}
