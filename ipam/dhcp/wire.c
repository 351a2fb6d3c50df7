// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipam/dhcp/wire.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipam/dhcp/packet4.h"
#include "ipam/dhcp/packet6.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/cni/error.h"
#include "netlib/net/addr.h"
#include "netlib/net/link.h"
#include "netlib/net/sysctl.h"
#include "netlib/nl/nl.h"

void wire_close(struct wire *w)
{
	if (w->fd4 >= 0)
		(void)close(w->fd4);
	if (w->fd6 >= 0)
		(void)close(w->fd6);
	w->fd4 = w->fd6 = -1;
}

/*
 * Only UDP to the client's port, and no fragments, so that the container's traffic does not wake
 * us: loads of bytes at fixed places, and of the port behind a header of any length.
 */
static int set_filter(int fd)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 6),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP4_CLIENT_PORT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog prog = { .len = ARRAY_LEN(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog) < 0 ? -errno : 0;
}

/* Inside the namespace. The filter is there before the first packet is. */
static int open_packet(void *arg)
{
	struct wire *w = arg;
	const struct sockaddr_ll here = { .sll_family = AF_PACKET,
					  .sll_protocol = htons(ETH_P_IP),
					  .sll_ifindex = (int)w->index };
	cleanup_fd int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, r;

	if (fd < 0)
		return -errno;
	if ((r = set_filter(fd)) < 0)
		return r;
	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof one) < 0 ||
	    bind(fd, (const struct sockaddr *)(const void *)&here, sizeof here) < 0)
		return -errno;
	w->fd4 = take_fd(fd);
	return 0;
}

/* To the group of all servers from the address that the interface gave itself. */
static int open_udp6(void *arg)
{
	struct wire *w = arg;
	const struct sockaddr_in6 here = { .sin6_family = AF_INET6,
					   .sin6_port = htons(DHCP6_CLIENT_PORT) };
	cleanup_fd int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, index = (int)w->index;

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof index) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) < 0 ||
	    bind(fd, (const struct sockaddr *)(const void *)&here, sizeof here) < 0)
		return -errno;
	w->fd6 = take_fd(fd);
	return 0;
}

static int open_in(int ns, int (*fn)(void *arg), struct wire *w, const char *ifname, struct err *e)
{
	struct err why = ERR_INIT;
	int r = netns_run(ns, fn, w, &why);

	if (r < 0 && why.no) {
		*e = why;
		return r;
	}
	return r < 0 ? err_set(e, r, "open a socket on %s", ifname) : 0;
}

static int open_netns(const char *netns, int *fd, struct err *e)
{
	int r = netns_open(netns, fd, e);

	if (r == NETNS_GONE)
		return err_code(e, -ENOENT, CNI_E_CONTAINER,
				"failed to open netns \"%.200s\": no such namespace", netns);
	return r;
}

/* Where the runtime switched IPv6 off there would be no address to ask from. */
static int allow_ipv6(int ns, const char *ifname, struct err *e)
{
	char name[64];

	(void)snprintf(name, sizeof name, "net/ipv6/conf/%s/disable_ipv6", ifname);
	return sysctl_write_in(ns, name, "0", e);
}

int wire_open(const char *netns, const char *ifname, bool ipv4, bool ipv6, struct wire *out,
	      struct err *e)
{
	cleanup_nl struct nl nl = NL_INIT;
	cleanup_fd int ns = -1;
	struct wire w = WIRE_INIT;
	struct link l;
	int r;

	if ((r = open_netns(netns, &ns, e)) < 0 || (r = netns_identify(ns, &w.ns, e)) < 0 ||
	    (r = nl_open(&nl, 0, ns, "container", e)) < 0 || (r = link_get(&nl, ifname, &l, e)) < 0)
		return r;
	if (ipv6 && (r = allow_ipv6(ns, ifname, e)) < 0)
		return r;
	if (!(l.flags & IFF_UP) && (r = link_up(&nl, l.index, e)) < 0)
		return r;
	if (!l.mac.set || mac_is_zero(&l.mac))
		return err_say(e, -EOPNOTSUPP,
			       "interface %s has no Ethernet address; dhcp needs one", ifname);
	w.index = l.index;
	w.mac = l.mac;
	if ((ipv4 && (r = open_in(ns, open_packet, &w, ifname, e)) < 0) ||
	    (ipv6 && (r = open_in(ns, open_udp6, &w, ifname, e)) < 0)) {
		wire_close(&w);
		return r;
	}
	*out = w;
	return 0;
}

bool wire_is_shortage(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

bool wire_is_there(const struct wire *w, const char *netns)
{
	cleanup_fd int ns = -1;
	struct netns_id now;
	int r = netns_open(netns, &ns, NULL);

	if (wire_is_shortage(r))
		return true;
	return r == 0 && netns_identify(ns, &now, NULL) == 0 && now.dev == w->ns.dev &&
	       now.ino == w->ns.ino;
}

int wire_down(const struct wire *w, const char *netns, struct err *e)
{
	cleanup_nl struct nl nl = NL_INIT;
	cleanup_fd int ns = -1;
	int r;

	if (!wire_is_there(w, netns))
		return 0;
	if ((r = open_netns(netns, &ns, e)) < 0 || (r = nl_open(&nl, 0, ns, "container", e)) < 0)
		return r;
	r = link_down(&nl, w->index, e);
	return r == -ENODEV ? 0 : r;
}

int wire_without6(const struct wire *w, const char *netns, const struct ip_addr *a, struct err *e)
{
	const struct ip_prefix p = { *a, 128 };
	cleanup_nl struct nl nl = NL_INIT;
	cleanup_fd int ns = -1;
	int r;

	if (!wire_is_there(w, netns))
		return 0;
	if ((r = open_netns(netns, &ns, e)) < 0 || (r = nl_open(&nl, 0, ns, "container", e)) < 0)
		return r;
	return addr_del(&nl, w->index, &p, e);
}

int wire_send4(const struct wire *w, const uint8_t *packet, size_t len, const struct mac *to)
{
	struct sockaddr_ll there = { .sll_family = AF_PACKET,
				     .sll_protocol = htons(ETH_P_IP),
				     .sll_ifindex = (int)w->index,
				     .sll_halen = sizeof to->b };

	memcpy(there.sll_addr, to->b, sizeof to->b);
	return sendto(w->fd4, packet, len, MSG_DONTWAIT,
		      (const struct sockaddr *)(const void *)&there, sizeof there) < 0 ?
		       -errno :
		       0;
}

/* A packet of this host may have a sum that the interface would have completed. */
static bool sum_is_whole(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct tpacket_auxdata aux;

		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof aux);
		return !(aux.tp_status & TP_STATUS_CSUMNOTREADY);
	}
	return true;
}

int wire_receive4(const struct wire *w, struct dhcp4_packet *out, struct mac *from)
{
	uint8_t buf[DHCP4_BYTES_MAX];
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct sockaddr_ll sender = { 0 };
	struct iovec iov = { buf, sizeof buf };
	struct msghdr m = { .msg_name = &sender,
			    .msg_namelen = sizeof sender,
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof control };
	ssize_t n = recvmsg(w->fd4, &m, MSG_DONTWAIT);
	const uint8_t *payload;
	size_t len;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (sender.sll_pkttype == PACKET_OUTGOING || sender.sll_halen != sizeof from->b ||
	    dhcp4_unwrap(buf, (size_t)n, sum_is_whole(&m), &payload, &len) < 0 ||
	    dhcp4_parse(payload, len, out) < 0)
		return -EBADMSG;
	memcpy(from->b, sender.sll_addr, sizeof from->b);
	from->set = true;
	return 1;
}

int wire_send6(const struct wire *w, const uint8_t *payload, size_t len)
{
	const struct sockaddr_in6 servers = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(DHCP6_SERVER_PORT),
		.sin6_addr = { { { 0xff, 2, [13] = 1, [15] = 2 } } }, /* ff02::1:2 */
		.sin6_scope_id = w->index,
	};

	return sendto(w->fd6, payload, len, MSG_DONTWAIT,
		      (const struct sockaddr *)(const void *)&servers, sizeof servers) < 0 ?
		       -errno :
		       0;
}

int wire_receive6(const struct wire *w, struct dhcp6_packet *out)
{
	uint8_t buf[DHCP6_BYTES_MAX];
	ssize_t n = recv(w->fd6, buf, sizeof buf, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return dhcp6_parse(buf, (size_t)n, out) < 0 ? -EBADMSG : 1;
}
