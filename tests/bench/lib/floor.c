// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/lib/floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include "tests/bench/lib/sample.h"

#define CREATE (NLM_F_CREATE | NLM_F_EXCL)

static struct rawnl msg;

static const char rules[] =
	"table ip nb {\n"
	" set smasq { type ipv4_addr; }\n"
	" map pmap { type inet_proto . inet_service : ipv4_addr . inet_service; }\n"
	" chain c_pre { type nat hook prerouting priority dstnat;\n"
	"  fib daddr type local dnat ip to meta l4proto . th dport map @pmap; }\n"
	" chain c_out { type nat hook output priority -100;\n"
	"  fib daddr type local dnat ip to meta l4proto . th dport map @pmap; }\n"
	" chain c_post { type nat hook postrouting priority srcnat;\n"
	"  ip saddr @smasq ip daddr != 10.88.0.0/16 masquerade; }\n"
	"}\n";

uint32_t floor_addr(int i)
{
	return htonl(0x0a580000 + 10 + (uint32_t)i);
}

static void talk(int fd, const char *what)
{
	int r = rawnl_talk(fd, &msg, msg.seq);

	if (r < 0) {
		errno = -r;
		die("%s", what);
	}
}

static void add_addr(unsigned index, uint32_t addr, int flags)
{
	const struct ifaddrmsg a = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = 16,
		.ifa_index = index,
	};
	struct nlmsghdr *h = rawnl_msg(&msg, RTM_NEWADDR, CREATE | flags, &a, sizeof a);

	rawnl_attr(&msg, h, IFA_LOCAL, &addr, sizeof addr);
	rawnl_attr(&msg, h, IFA_ADDRESS, &addr, sizeof addr);
}

static void set_up(int index)
{
	const struct ifinfomsg i = {
		.ifi_index = index,
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP,
	};

	rawnl_msg(&msg, RTM_NEWLINK, 0, &i, sizeof i);
}

static void add_default_route(int index)
{
	const struct rtmsg r = { .rtm_family = AF_INET,
				 .rtm_table = RT_TABLE_MAIN,
				 .rtm_protocol = RTPROT_BOOT,
				 .rtm_scope = RT_SCOPE_UNIVERSE,
				 .rtm_type = RTN_UNICAST };
	struct nlmsghdr *h = rawnl_msg(&msg, RTM_NEWROUTE, CREATE | NLM_F_ACK, &r, sizeof r);
	uint32_t gateway = htonl(0x0a580001);

	rawnl_attr(&msg, h, RTA_GATEWAY, &gateway, sizeof gateway);
	rawnl_attr(&msg, h, RTA_OIF, &index, sizeof index);
}

int floor_bridge(int rt)
{
	const struct ifinfomsg up = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	rawnl_reset(&msg);
	struct nlmsghdr *h = rawnl_msg(&msg, RTM_NEWLINK, CREATE | NLM_F_ACK, &up, sizeof up);
	rawnl_str(&msg, h, IFLA_IFNAME, "nbr0");
	struct rtattr *info = rawnl_attr(&msg, h, IFLA_LINKINFO, NULL, 0);
	rawnl_str(&msg, h, IFLA_INFO_KIND, "bridge");
	rawnl_end(&msg, h, info);
	talk(rt, "create the bridge nbr0");

	unsigned index = if_nametoindex("nbr0");
	rawnl_reset(&msg);
	add_addr(index, htonl(0x0a580001), NLM_F_ACK);
	talk(rt, "give nbr0 its address");
	return (int)index;
}

void floor_veth(int rt, const char *name, int bridge, int netns)
{
	const struct ifinfomsg up = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	const struct ifinfomsg peer = { .ifi_index = 2 };

	rawnl_reset(&msg);
	struct nlmsghdr *h = rawnl_msg(&msg, RTM_NEWLINK, CREATE | NLM_F_ACK, &up, sizeof up);
	rawnl_str(&msg, h, IFLA_IFNAME, name);
	rawnl_attr(&msg, h, IFLA_MASTER, &bridge, sizeof bridge);
	struct rtattr *info = rawnl_attr(&msg, h, IFLA_LINKINFO, NULL, 0);
	rawnl_str(&msg, h, IFLA_INFO_KIND, "veth");
	struct rtattr *data = rawnl_attr(&msg, h, IFLA_INFO_DATA, NULL, 0);
	struct rtattr *other = rawnl_attr(&msg, h, VETH_INFO_PEER, &peer, sizeof peer);
	rawnl_str(&msg, h, IFLA_IFNAME, "eth0");
	rawnl_attr(&msg, h, IFLA_NET_NS_FD, &netns, sizeof netns);
	rawnl_end(&msg, h, other);
	rawnl_end(&msg, h, data);
	rawnl_end(&msg, h, info);
	talk(rt, name);
}

void floor_container(int ct, uint32_t addr)
{
	rawnl_reset(&msg);
	set_up(1);
	set_up(2);
	add_addr(2, addr, 0);
	add_default_route(2);
	talk(ct, "set up the container's end");
}

int floor_veth_del(int rt, const char *name)
{
	const struct ifinfomsg any = { 0 };

	rawnl_reset(&msg);
	struct nlmsghdr *h = rawnl_msg(&msg, RTM_DELLINK, NLM_F_ACK, &any, sizeof any);
	rawnl_str(&msg, h, IFLA_IFNAME, name);
	return rawnl_talk(rt, &msg, msg.seq);
}

void floor_nft_setup(void)
{
	FILE *p = popen("nft -f -", "w");

	if (!p)
		die("start nft");
	fputs(rules, p);
	if (pclose(p))
		die("load the table nb with nft");
}

static struct nlmsghdr *nf_msg(struct rawnl *b, int type, int flags, uint8_t family,
			       uint16_t res_id)
{
	const struct nfgenmsg g = { .nfgen_family = family, .res_id = htons(res_id) };

	return rawnl_msg(b, type, flags, &g, sizeof g);
}

static void put_value(struct rawnl *b, struct nlmsghdr *h, int type, const void *v, size_t len)
{
	struct rtattr *nest = rawnl_attr(b, h, type | NLA_F_NESTED, NULL, 0);

	rawnl_attr(b, h, NFTA_DATA_VALUE, v, len);
	rawnl_end(b, h, nest);
}

static void element(struct rawnl *b, bool del, const char *set, const void *key, size_t klen,
		    const void *data, size_t dlen)
{
	int type = NFNL_SUBSYS_NFTABLES << 8 | (del ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM);
	struct nlmsghdr *h = nf_msg(b, type, del ? 0 : NLM_F_CREATE, AF_INET, 0);

	rawnl_str(b, h, NFTA_SET_ELEM_LIST_TABLE, "nb");
	rawnl_str(b, h, NFTA_SET_ELEM_LIST_SET, set);
	struct rtattr *list = rawnl_attr(b, h, NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED, NULL, 0);
	struct rtattr *elem = rawnl_attr(b, h, NFTA_LIST_ELEM | NLA_F_NESTED, NULL, 0);
	put_value(b, h, NFTA_SET_ELEM_KEY, key, klen);
	if (data && !del)
		put_value(b, h, NFTA_SET_ELEM_DATA, data, dlen);
	rawnl_end(b, h, elem);
	rawnl_end(b, h, list);
}

void floor_nft_begin(struct rawnl *b)
{
	rawnl_reset(b);
	nf_msg(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
}

void floor_nft_masquerade(struct rawnl *b, bool del, uint32_t addr)
{
	element(b, del, "smasq", &addr, sizeof addr, NULL, 0);
}

void floor_nft_port(struct rawnl *b, bool del, uint16_t host_port, uint32_t addr)
{
	/* each part of a concatenation fills whole 32-bit words */
	const uint8_t key[8] = {
		[0] = IPPROTO_TCP,
		[4] = (uint8_t)(host_port >> 8),
		[5] = (uint8_t)host_port,
	};
	uint8_t data[8] = { [5] = 80 };

	memcpy(data, &addr, sizeof addr);
	element(b, del, "pmap", key, sizeof key, data, sizeof data);
}

int floor_nft_commit(int nf, struct rawnl *b)
{
	struct nlmsghdr *last = NULL;
	size_t left = b->len;

	for (struct nlmsghdr *h = (void *)b->buf; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
		last = h;
	if (!last)
		return 0;
	uint32_t seq = last->nlmsg_seq;
	last->nlmsg_flags |= NLM_F_ACK;
	nf_msg(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	return rawnl_talk(nf, b, seq);
}
