// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/nl/names_attr.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"

#define NAMES(t) const struct names nl_##t = { t, ARRAY_LEN(t) }

/* ---- numbers with names */

/* Of other buses only what is asked; changes of the rule set are traced by fw/nftmsg. */
#define NFT(msg) (NFNL_SUBSYS_NFTABLES << 8 | (msg))

static const struct name types[] = {
	{ NLMSG_NOOP, "NLMSG_NOOP" },
	{ NLMSG_ERROR, "NLMSG_ERROR" },
	{ NLMSG_DONE, "NLMSG_DONE" },
	{ RTM_NEWLINK, "RTM_NEWLINK" },
	{ RTM_DELLINK, "RTM_DELLINK" },
	{ RTM_GETLINK, "RTM_GETLINK" },
	{ RTM_SETLINK, "RTM_SETLINK" },
	{ RTM_NEWADDR, "RTM_NEWADDR" },
	{ RTM_DELADDR, "RTM_DELADDR" },
	{ RTM_GETADDR, "RTM_GETADDR" },
	{ RTM_NEWROUTE, "RTM_NEWROUTE" },
	{ RTM_DELROUTE, "RTM_DELROUTE" },
	{ RTM_GETROUTE, "RTM_GETROUTE" },
	{ NFT(NFT_MSG_GETTABLE), "NFT_MSG_GETTABLE" },
	{ NFT(NFT_MSG_GETCHAIN), "NFT_MSG_GETCHAIN" },
	{ NFT(NFT_MSG_GETRULE), "NFT_MSG_GETRULE" },
	{ NFT(NFT_MSG_GETSET), "NFT_MSG_GETSET" },
	{ NFT(NFT_MSG_GETSETELEM), "NFT_MSG_GETSETELEM" },
	{ NFT(NFT_MSG_GETGEN), "NFT_MSG_GETGEN" },
};
NAMES(types);
static const struct name families[] = {
	{ AF_UNSPEC, "unspec" }, { AF_INET, "inet" },	  { AF_INET6, "inet6" },
	{ AF_BRIDGE, "bridge" }, { AF_PACKET, "packet" },
};
NAMES(families);
static const struct name request_flags[] = {
	{ NLM_F_REQUEST, "request" },
	{ NLM_F_MULTI, "multi" },
	{ NLM_F_ACK, "ack" },
	{ NLM_F_ECHO, "echo" },
	{ NLM_F_DUMP_INTR, "dump-interrupted" },
	{ NLM_F_DUMP_FILTERED, "filtered" },
};
NAMES(request_flags);
static const struct name new_flags[] = {
	{ NLM_F_REPLACE, "replace" },
	{ NLM_F_EXCL, "excl" },
	{ NLM_F_CREATE, "create" },
	{ NLM_F_APPEND, "append" },
};
NAMES(new_flags);
static const struct name get_flags[] = {
	{ NLM_F_ROOT, "root" },
	{ NLM_F_MATCH, "match" },
	{ NLM_F_ATOMIC, "atomic" },
};
NAMES(get_flags);
static const struct name link_flags[] = {
	{ IFF_UP, "up" },
	{ IFF_BROADCAST, "broadcast" },
	{ IFF_LOOPBACK, "loopback" },
	{ IFF_POINTOPOINT, "pointopoint" },
	{ IFF_RUNNING, "running" },
	{ IFF_NOARP, "noarp" },
	{ IFF_PROMISC, "promisc" },
	{ IFF_ALLMULTI, "allmulti" },
	{ IFF_MULTICAST, "multicast" },
	{ IFF_LOWER_UP, "lower-up" },
};
NAMES(link_flags);
static const struct name addr_flags[] = {
	{ IFA_F_SECONDARY, "secondary" },   { IFA_F_NODAD, "nodad" },
	{ IFA_F_OPTIMISTIC, "optimistic" }, { IFA_F_DADFAILED, "dadfailed" },
	{ IFA_F_DEPRECATED, "deprecated" }, { IFA_F_TENTATIVE, "tentative" },
	{ IFA_F_PERMANENT, "permanent" },   { IFA_F_NOPREFIXROUTE, "noprefixroute" },
};
NAMES(addr_flags);
static const struct name scopes[] = {
	{ RT_SCOPE_UNIVERSE, "universe" }, { RT_SCOPE_SITE, "site" },
	{ RT_SCOPE_LINK, "link" },	   { RT_SCOPE_HOST, "host" },
	{ RT_SCOPE_NOWHERE, "nowhere" },
};
NAMES(scopes);
static const struct name tables[] = {
	{ RT_TABLE_UNSPEC, "unspec" },	 { RT_TABLE_COMPAT, "compat" },
	{ RT_TABLE_DEFAULT, "default" }, { RT_TABLE_MAIN, "main" },
	{ RT_TABLE_LOCAL, "local" },
};
NAMES(tables);
static const struct name protocols[] = {
	{ RTPROT_UNSPEC, "unspec" }, { RTPROT_KERNEL, "kernel" }, { RTPROT_BOOT, "boot" },
	{ RTPROT_STATIC, "static" }, { RTPROT_RA, "ra" },
};
NAMES(protocols);
static const struct name route_types[] = {
	{ RTN_UNSPEC, "unspec" },	{ RTN_UNICAST, "unicast" },
	{ RTN_LOCAL, "local" },		{ RTN_BROADCAST, "broadcast" },
	{ RTN_ANYCAST, "anycast" },	{ RTN_MULTICAST, "multicast" },
	{ RTN_BLACKHOLE, "blackhole" }, { RTN_UNREACHABLE, "unreachable" },
};
NAMES(route_types);
static const struct name vlan_flags[] = {
	{ BRIDGE_VLAN_INFO_PVID, "pvid" },
	{ BRIDGE_VLAN_INFO_UNTAGGED, "untagged" },
	{ BRIDGE_VLAN_INFO_RANGE_BEGIN, "range-begin" },
	{ BRIDGE_VLAN_INFO_RANGE_END, "range-end" },
};
NAMES(vlan_flags);

/* ---- attributes with names */

#define BYTES(a) [a] = { #a, AS_BYTES, NULL }
#define TEXT(a) [a] = { #a, AS_TEXT, NULL }
#define NUMBER(a) [a] = { #a, AS_NUMBER, NULL }
#define IP(a) [a] = { #a, AS_IP, NULL }
#define MAC(a) [a] = { #a, AS_MAC, NULL }
#define NEST(a, t) [a] = { #a, AS_NEST, &(t) }
#define TABLE(t) static const struct attr_table t##_table = { t, ARRAY_LEN(t) }

static const struct attr_name inet6_attrs[] = { BYTES(IFLA_INET6_FLAGS), BYTES(IFLA_INET6_CONF),
						NUMBER(IFLA_INET6_ADDR_GEN_MODE),
						BYTES(IFLA_INET6_TOKEN) };
TABLE(inet6_attrs);
/* the number is linux/ip.h's, which cannot stand beside netinet/in.h */
static const struct attr_name devconf[] = { [22] = { "IPV4_DEVCONF_ARP_NOTIFY", AS_NUMBER, NULL } };
TABLE(devconf);
static const struct attr_name inet_attrs[] = { NEST(IFLA_INET_CONF, devconf_table) };
TABLE(inet_attrs);
static const struct attr_name af_spec[] = { NEST(AF_INET, inet_attrs_table),
					    NEST(AF_INET6, inet6_attrs_table) };
TABLE(af_spec);
static const struct attr_name brport[] = {
	NUMBER(IFLA_BRPORT_STATE),	   NUMBER(IFLA_BRPORT_PRIORITY),
	NUMBER(IFLA_BRPORT_COST),	   NUMBER(IFLA_BRPORT_MODE),
	NUMBER(IFLA_BRPORT_GUARD),	   NUMBER(IFLA_BRPORT_PROTECT),
	NUMBER(IFLA_BRPORT_FAST_LEAVE),	   NUMBER(IFLA_BRPORT_LEARNING),
	NUMBER(IFLA_BRPORT_UNICAST_FLOOD), NUMBER(IFLA_BRPORT_ISOLATED)
};
TABLE(brport);
static const struct attr_name bridge[] = {
	NUMBER(IFLA_BR_FORWARD_DELAY),	  NUMBER(IFLA_BR_HELLO_TIME),
	NUMBER(IFLA_BR_MAX_AGE),	  NUMBER(IFLA_BR_AGEING_TIME),
	NUMBER(IFLA_BR_STP_STATE),	  NUMBER(IFLA_BR_PRIORITY),
	NUMBER(IFLA_BR_VLAN_FILTERING),	  NUMBER(IFLA_BR_MCAST_SNOOPING),
	NUMBER(IFLA_BR_VLAN_DEFAULT_PVID)
};
TABLE(bridge);
static const struct attr_name veth[] = { [VETH_INFO_PEER] = { "VETH_INFO_PEER", AS_LINK, NULL } };
TABLE(veth);
static const struct attr_name macvlan[] = { NUMBER(IFLA_MACVLAN_MODE),
					    NUMBER(IFLA_MACVLAN_BC_QUEUE_LEN) };
TABLE(macvlan);
static const struct attr_name ipvlan[] = { NUMBER(IFLA_IPVLAN_MODE), NUMBER(IFLA_IPVLAN_FLAGS) };
TABLE(ipvlan);
static const struct attr_name vlan[] = { NUMBER(IFLA_VLAN_ID), NUMBER(IFLA_VLAN_PROTOCOL) };
TABLE(vlan);
static const struct attr_name vrf[] = { NUMBER(IFLA_VRF_TABLE) };
TABLE(vrf);
static const struct attr_name link_info[] = {
	TEXT(IFLA_INFO_KIND),
	[IFLA_INFO_DATA] = { "IFLA_INFO_DATA", AS_KIND_DATA, NULL },
	BYTES(IFLA_INFO_XSTATS),
	TEXT(IFLA_INFO_SLAVE_KIND),
	NEST(IFLA_INFO_SLAVE_DATA, brport_table),
};
const struct attr_table nl_link_info = { link_info, ARRAY_LEN(link_info) };
static const struct attr_name link_attrs[] = { MAC(IFLA_ADDRESS),
					       MAC(IFLA_BROADCAST),
					       TEXT(IFLA_IFNAME),
					       NUMBER(IFLA_MTU),
					       NUMBER(IFLA_LINK),
					       TEXT(IFLA_QDISC),
					       NUMBER(IFLA_MASTER),
					       NUMBER(IFLA_TXQLEN),
					       NUMBER(IFLA_OPERSTATE),
					       NUMBER(IFLA_LINKMODE),
					       NEST(IFLA_LINKINFO, nl_link_info),
					       NUMBER(IFLA_NET_NS_PID),
					       TEXT(IFLA_IFALIAS),
					       NEST(IFLA_AF_SPEC, af_spec_table),
					       NUMBER(IFLA_GROUP),
					       NUMBER(IFLA_NET_NS_FD),
					       NUMBER(IFLA_EXT_MASK),
					       NUMBER(IFLA_PROMISCUITY),
					       NUMBER(IFLA_NUM_TX_QUEUES),
					       NUMBER(IFLA_NUM_RX_QUEUES),
					       NUMBER(IFLA_CARRIER),
					       NUMBER(IFLA_LINK_NETNSID),
					       NUMBER(IFLA_TARGET_NETNSID),
					       NUMBER(IFLA_MIN_MTU),
					       NUMBER(IFLA_MAX_MTU),
					       TEXT(IFLA_ALT_IFNAME),
					       BYTES(IFLA_STATS64) };
const struct attr_table nl_link_attrs = { link_attrs, ARRAY_LEN(link_attrs) };
static const struct attr_name port_spec[] = {
	NUMBER(IFLA_BRIDGE_FLAGS),
	NUMBER(IFLA_BRIDGE_MODE),
	[IFLA_BRIDGE_VLAN_INFO] = { "IFLA_BRIDGE_VLAN_INFO", AS_VLAN, NULL },
};
TABLE(port_spec);
static const struct attr_name port_attrs[] = {
	TEXT(IFLA_IFNAME),
	NUMBER(IFLA_MASTER),
	NEST(IFLA_AF_SPEC, port_spec_table),
	NUMBER(IFLA_EXT_MASK),
};
const struct attr_table nl_port_attrs = { port_attrs, ARRAY_LEN(port_attrs) };
static const struct attr_name addr_attrs[] = {
	IP(IFA_ADDRESS),
	IP(IFA_LOCAL),
	TEXT(IFA_LABEL),
	IP(IFA_BROADCAST),
	IP(IFA_ANYCAST),
	BYTES(IFA_CACHEINFO),
	[IFA_FLAGS] = { "IFA_FLAGS", AS_ADDR_FLAGS, NULL },
	NUMBER(IFA_RT_PRIORITY),
};
const struct attr_table nl_addr_attrs = { addr_attrs, ARRAY_LEN(addr_attrs) };
static const struct attr_name metrics[] = { NUMBER(RTAX_MTU), NUMBER(RTAX_ADVMSS),
					    NUMBER(RTAX_HOPLIMIT), NUMBER(RTAX_INITCWND) };
TABLE(metrics);
static const struct attr_name route_attrs[] = { IP(RTA_DST),
						IP(RTA_SRC),
						NUMBER(RTA_IIF),
						NUMBER(RTA_OIF),
						IP(RTA_GATEWAY),
						NUMBER(RTA_PRIORITY),
						IP(RTA_PREFSRC),
						NEST(RTA_METRICS, metrics_table),
						[RTA_MULTIPATH] = { "RTA_MULTIPATH", AS_HOPS,
								    NULL },
						BYTES(RTA_CACHEINFO),
						NUMBER(RTA_TABLE),
						NUMBER(RTA_PREF) };
const struct attr_table nl_route_attrs = { route_attrs, ARRAY_LEN(route_attrs) };

static const struct {
	const char *kind;
	const struct attr_table *data;
} kinds[] = {
	{ "veth", &veth_table },     { "bridge", &bridge_table }, { "macvlan", &macvlan_table },
	{ "ipvlan", &ipvlan_table }, { "vlan", &vlan_table },	  { "vrf", &vrf_table },
};

const struct attr_table *nl_kind_data(const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i].kind, kind))
			return kinds[i].data;
	return NULL;
}
