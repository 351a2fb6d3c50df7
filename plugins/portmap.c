// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * portmap: publishes container ports on the host. CNI_SPEC.md "portmap"; the kernel side is
 * doc/KERNEL.md.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/common.h"
#include "netlib/cni/error.h"
#include "netlib/fw/iptrule.h"
#include "netlib/net/conntrack.h"
#include "netlib/net/route.h"
#include "netlib/net/sysctl.h"
#include "netlib/txn/verbs.h"

#define MARK_BIT 13 /* of the packet mark, 0x2000: the reference's default; doc/KERNEL.md */
#define RUN_MIN 32  /* this many consecutive one-to-one mappings become an interval */

struct mapping { /* one entry of runtimeConfig.portMappings */
	struct port_map map;
	const char *protocol;
	bool host_ip_given;
};

struct runtime {
	struct mapping *maps;
	size_t nmaps;
};

struct portmap_conf {
	bool snat, masq_all;
	uint32_t mark_bit;
	bool mark_bit_given;
	const char *backend;
	const char *set_mark_chain;
	const char **conditions[2]; /* for IPv4, IPv6 */
	size_t nconditions[2];
	struct runtime runtime;
	struct fw_dnat *dnat; /* the plan; owned */
	size_t ndnat;
	struct fw_ipt ipt;
	struct port_map *asked; /* owned */
};

static const struct field mapping_fields[] = {
	FIELD_INT("hostPort", struct mapping, map.host_port, 1, 65535),
	FIELD_INT("containerPort", struct mapping, map.container_port, 1, 65535),
	FIELD_INT("range", struct mapping, map.count, 1, 65535),
	FIELD_STR("protocol", struct mapping, protocol),
	FIELD_TEXT("hostIP", struct mapping, map.host_ip, ip_parse_field, "an IP address"),
	FIELD_END,
};
static const struct field runtime_fields[] = {
	FIELD_ARRAY("portMappings", struct runtime, maps, nmaps, mapping_fields),
	FIELD_END,
};
static const struct field portmap_fields[] = {
	FIELD_BOOL("snat", struct portmap_conf, snat),
	FIELD_BOOL("masqAll", struct portmap_conf, masq_all),
	FIELD_STR("backend", struct portmap_conf, backend),
	FIELD_U32("markMasqBit", struct portmap_conf, mark_bit, 0, 31),
	FIELD_GIVEN("markMasqBit", struct portmap_conf, mark_bit_given),
	FIELD_STR("externalSetMarkChain", struct portmap_conf, set_mark_chain),
	FIELD_STRS("conditionsV4", struct portmap_conf, conditions[0], nconditions[0]),
	FIELD_STRS("conditionsV6", struct portmap_conf, conditions[1], nconditions[1]),
	FIELD_OBJ("runtimeConfig", struct portmap_conf, runtime, runtime_fields),
	FIELD_END,
};

static void portmap_conf_init(void *conf)
{
	((struct portmap_conf *)conf)->snat = true;
	((struct portmap_conf *)conf)->mark_bit = MARK_BIT;
}

static void portmap_conf_clear(void *conf)
{
	struct portmap_conf *c = conf;

	free(c->dnat);
	free(c->asked);
}

/* ---- deciding: mappings to intents */

static int mapping_check(struct mapping *m, size_t i, struct err *e)
{
	char path[64];

	(void)str_copyf(path, sizeof path, "/runtimeConfig/portMappings/%zu", i);
	if (!m->map.host_port || !m->map.container_port)
		return err_conf(e, path, "expected hostPort and containerPort, 1..65535");
	if (!m->map.count)
		m->map.count = 1;
	if (m->map.host_port + m->map.count - 1 > 65535 ||
	    m->map.container_port + m->map.count - 1 > 65535)
		return err_conf(e, path, "range %u ends beyond port 65535", m->map.count);
	m->map.proto = IPPROTO_TCP;
	if (!m->protocol || !*m->protocol || proto_parse(m->protocol, &m->map.proto) == 0)
		return 0;
	(void)str_copyf(path, sizeof path, "/runtimeConfig/portMappings/%zu/protocol", i);
	return err_conf(e, path, "expected tcp, udp or sctp, got \"%.40s\"", m->protocol);
}

static const char *const condition_keys[] = { "/conditionsV4", "/conditionsV6" };

/* Words of iptables; what cannot be said to it is refused before anything is changed. */
static int conditions_check(const struct portmap_conf *c, size_t f, struct err *e)
{
	const char *const *words = (const char *const *)c->conditions[f];
	struct err why = ERR_INIT;
	struct ipt_rule r;

	if (!c->nconditions[f])
		return 0;
	if (*words[0] != '-' && *words[0] != '!')
		return err_code(e, -EOPNOTSUPP, CNI_E_FIELD,
				"%s: conditions in nft's language (\"%.40s\") are not supported; "
				"write them as options of iptables, such as [\"-i\", \"eth0\"]",
				condition_keys[f], words[0]);
	/* they stand behind a protocol and its ports */
	if (ipt_rule_line(&r, f ? AF_INET6 : AF_INET, &why, "-p tcp -m multiport --dports 1") < 0 ||
	    ipt_rule_more(&r, words, c->nconditions[f], &why) < 0)
		return err_conf(e, condition_keys[f], "%s", why.text);
	if (r.target.kind != IPT_NO_TARGET)
		return err_conf(e, condition_keys[f], "-j and -g cannot stand in conditions");
	return 0;
}

/* The first key that only iptables can do, or NULL. */
static const char *iptables_key(const struct portmap_conf *c)
{
	for (size_t f = 0; f < ARRAY_LEN(condition_keys); f++)
		if (c->nconditions[f])
			return condition_keys[f];
	if (c->set_mark_chain && *c->set_mark_chain)
		return "/externalSetMarkChain";
	return c->mark_bit != MARK_BIT ? "/markMasqBit" : NULL;
}

static int backend_check(const struct portmap_conf *c, struct cni_op *op, struct err *e)
{
	const char *key = iptables_key(c);
	int r = common_fw_backend("/backend", c->backend, &op->fw_backend, e);

	if (r < 0)
		return r;
	if (key && op->fw_backend == FW_NFTABLES)
		return err_code(e, -EOPNOTSUPP, CNI_E_FIELD,
				"%s: the nftables backend does not have it; leave /backend out or "
				"say \"iptables\"",
				key);
	if (key)
		op->fw_backend = FW_IPTABLES;
	if (c->set_mark_chain && *c->set_mark_chain && c->mark_bit_given)
		return err_conf(e, "/externalSetMarkChain",
				"cannot be set together with markMasqBit; leave one out");
	if (c->set_mark_chain && strlen(c->set_mark_chain) >= IPT_NAME_MAX)
		return err_conf(e, "/externalSetMarkChain",
				"expected a chain's name of at most 28 characters, got \"%.40s\"",
				c->set_mark_chain);
	r = conditions_check(c, 0, e);
	return r < 0 ? r : conditions_check(c, 1, e);
}

static int by_port(const void *a, const void *b)
{
	const struct port_map *x = &((const struct mapping *)a)->map,
			      *y = &((const struct mapping *)b)->map;
	int c = ip_cmp(&x->host_ip, &y->host_ip);

	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	return c ? c : (int)x->host_port - (int)y->host_port;
}

static bool one_to_one_next(const struct port_map *a, const struct port_map *b)
{
	return a->proto == b->proto && ip_eq(&a->host_ip, &b->host_ip) &&
	       a->host_port == a->container_port && b->host_port == b->container_port &&
	       b->count == 1 && a->host_port + a->count == b->host_port;
}

/*
 * Long runs of "port N to port N" are merged, so that a thousand ports cost one element. Sorts;
 * returns the new count.
 */
static size_t merge_runs(struct mapping *m, size_t n)
{
	size_t out = 0;

	qsort(m, n, sizeof *m, by_port);
	for (size_t i = 0; i < n;) {
		struct port_map run = m[i].map;
		size_t k = i + 1;

		while (k < n && one_to_one_next(&run, &m[k].map)) {
			run.count++;
			k++;
		}
		if (k - i >= RUN_MIN) {
			m[out] = m[i];
			m[out++].map = run;
			i = k;
		} else {
			m[out++] = m[i++];
		}
	}
	return out;
}

/*
 * Elements of nftables are merged where they can be; iptables gets the rules that the reference
 * would make, in the order asked for.
 */
static int merge(struct portmap_conf *c, struct err *e)
{
	c->asked = calloc(c->runtime.nmaps + 1, sizeof *c->asked);
	if (!c->asked)
		return err_set(e, -ENOMEM, "plan port mappings");
	for (size_t i = 0; i < c->runtime.nmaps; i++)
		c->asked[i] = c->runtime.maps[i].map;
	c->ipt = (struct fw_ipt){
		.mark = 1u << c->mark_bit,
		.set_mark_chain =
			c->set_mark_chain && *c->set_mark_chain ? c->set_mark_chain : NULL,
		.conditions = { (const char *const *)c->conditions[0],
				(const char *const *)c->conditions[1] },
		.nconditions = { c->nconditions[0], c->nconditions[1] },
		.asked = c->asked,
		.nasked = c->runtime.nmaps,
	};
	if (c->runtime.nmaps)
		c->runtime.nmaps = merge_runs(c->runtime.maps, c->runtime.nmaps);
	return 0;
}

static int portmap_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct portmap_conf *c = conf;
	int r = backend_check(c, op, e);

	for (size_t i = 0; r == 0 && i < c->runtime.nmaps; i++)
		r = mapping_check(&c->runtime.maps[i], i, e);
	if (r == 0)
		r = merge(c, e);
	if (r < 0 && common_is_removal(op)) {
		c->runtime.nmaps = 0; /* no hint: elements are found by owner */
		return 0;
	}
	return r;
}

/* The first address of each family on the container's interface. */
static const struct cni_ip *first_ip(const struct cni_op *op, const struct cni_result *res,
				     uint8_t family)
{
	for (size_t i = 0; i < res->nips; i++)
		if (res->ips[i].address.addr.family == family &&
		    common_ip_is_mine(op, res, &res->ips[i]))
			return &res->ips[i];
	return NULL;
}

static int make_plan(struct cni_op *op, const struct cni_result *res, struct fw_plan *p,
		     struct err *e)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct portmap_conf *c = op->conf;

	free(c->dnat);
	c->ndnat = 0;
	c->dnat = calloc(2 * c->runtime.nmaps + 1, sizeof *c->dnat);
	if (!c->dnat)
		return err_set(e, -ENOMEM, "plan port mappings");
	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		const struct cni_ip *ip = first_ip(op, res, families[f]);

		for (size_t i = 0; ip && i < c->runtime.nmaps; i++) {
			struct fw_dnat d = { .map = c->runtime.maps[i].map,
					     .to = ip->address,
					     .snat = c->snat,
					     .masq_all = c->masq_all };

			if (ip_is_set(&d.map.host_ip) && d.map.host_ip.family != families[f])
				continue;
			if (ip_is_any(&d.map.host_ip))
				d.map.host_ip = (struct ip_addr){ 0 };
			c->dnat[c->ndnat++] = d;
		}
	}
	*p = (struct fw_plan){
		.owner = common_owner(op), .dnat = c->dnat, .ndnat = c->ndnat, .ipt = &c->ipt
	};
	return 0;
}

/* ---- doing */

static bool has_maps(const struct cni_op *op)
{
	return ((const struct portmap_conf *)op->conf)->runtime.nmaps > 0;
}

static int dnat_add(struct cni_op *op, struct err *e)
{
	cleanup_fw struct fw *fw = NULL;
	struct fw_plan p;
	int r = make_plan(op, &op->res, &p, e);

	if (r < 0 || !p.ndnat)
		return r;
	if ((r = fw_open(&fw, op->fw_backend, e)) < 0)
		return r;
	return txn_fw_add(op->txn, fw, &p, e);
}

static int dnat_del(struct cni_op *op, struct err *e)
{
	cleanup_fw struct fw *fw = NULL;
	struct fw_owner owner = common_owner(op);
	struct fw_plan hint = { 0 };
	int r = op->has_prev && has_maps(op) ? make_plan(op, &op->prev, &hint, e) : 0;

	if (r < 0)
		return r;
	if ((r = fw_open(&fw, op->fw_backend, e)) < 0)
		return r == -EOPNOTSUPP ? 0 : r;
	return fw_del(fw, &owner, FW_DNAT, hint.ndnat ? &hint : NULL, e);
}

static int dnat_check(struct cni_op *op, struct err *e)
{
	cleanup_fw struct fw *fw = NULL;
	struct fw_plan p;
	int r = make_plan(op, &op->prev, &p, e);

	if (r < 0 || !p.ndnat)
		return r;
	if ((r = fw_open(&fw, op->fw_backend, e)) < 0)
		return r;
	r = fw_check(fw, &p, e);
	if (r < 0 && e && !e->code)
		e->code = CNI_E_CHECK;
	return r;
}

static int dnat_gc(struct cni_op *op, struct err *e)
{
	cleanup_free struct fw_owner *valid = common_valid_owners(op);
	cleanup_fw struct fw *fw = NULL;
	int r;

	if (!valid)
		return err_set(e, -ENOMEM, "collect port mappings");
	if ((r = fw_open(&fw, op->fw_backend, e)) < 0)
		return r == -EOPNOTSUPP ? 0 : r;
	return fw_gc(fw, op->cc->name, valid, op->cc->nvalid, FW_DNAT, e);
}

static int dnat_status(struct cni_op *op, struct err *e)
{
	cleanup_fw struct fw *fw = NULL;
	int r = fw_open(&fw, op->fw_backend, e);

	if (r < 0 && e)
		e->code = CNI_E_UNAVAILABLE;
	return r < 0 ? r : common_fw_status(op, fw, e);
}

static const struct cni_result *result_of(const struct cni_op *op)
{
	return op->env->verb == CNI_ADD ? &op->res : &op->prev;
}

static bool wants_localhost(const struct cni_op *op)
{
	return has_maps(op) && ((const struct portmap_conf *)op->conf)->snat &&
	       first_ip(op, result_of(op), AF_INET);
}

/* The interface that leads to the container and its setting; empty when none does. */
static int localnet_name(struct cni_op *op, struct link *l, char name[96], struct err *e)
{
	const struct ip_addr *to = &first_ip(op, result_of(op), AF_INET)->address.addr;
	uint32_t oif = 0;
	int r = route_towards(op->host, to, &oif, e);

	*name = 0;
	if (r)
		return r < 0 ? r : 0;
	if ((r = link_get_index(op->host, oif, l, e)) == 0)
		(void)str_copyf(name, 96, "net/ipv4/conf/%s/route_localnet", l->name);
	return r;
}

/*
 * Connections to 127.0.0.1 leave through the interface that leads to the container, which the
 * kernel allows with route_localnet only. The guard chain, made in the same firewall transaction
 * before this, drops what others send to 127.0.0.0/8.
 */
static int localnet_add(struct cni_op *op, struct err *e)
{
	char name[96];
	struct link l;
	int r = localnet_name(op, &l, name, e);

	if (r < 0 || !*name)
		return r;
	/* what leads to this container alone takes its setting along: a note would outlive it */
	if (!common_alias_in_network(l.alias, op->cc->name))
		return common_shared_sysctl(op, name, "1", e);
	if ((r = txn_point(op->txn, name, e)) < 0)
		return r;
	return sysctl_write(name, "1", e);
}

static int localnet_check(struct cni_op *op, struct err *e)
{
	char name[96], value[SYSCTL_VALUE_MAX];
	struct link l;
	int r = localnet_name(op, &l, name, e);

	if (r < 0 || !*name || (r = sysctl_read(name, value, e)) < 0)
		return r;
	return strcmp(value, "1") ?
		       cni_check_fail(e, "sysctl %s: expected 1, found %s", name, value) :
		       0;
}

static int flush(struct cni_op *op, struct err *e)
{
	const struct portmap_conf *c = op->conf;
	struct port_map *maps = calloc(c->runtime.nmaps + 1, sizeof *maps);
	int r4, r6;

	if (!maps)
		return err_set(e, -ENOMEM, "flush connections");
	for (size_t i = 0; i < c->runtime.nmaps; i++)
		maps[i] = c->runtime.maps[i].map;
	r4 = conntrack_flush(AF_INET, maps, c->runtime.nmaps, e);
	r6 = conntrack_flush(AF_INET6, maps, c->runtime.nmaps, r4 < 0 ? NULL : e);
	free(maps);
	return r4 < 0 ? r4 : r6;
}

static const struct cni_step portmap_steps[] = {
	/* DEL runs backward: first the elements go, then the entries that follow them */
	{ "conntrack", has_maps, NULL, flush, NULL, NULL, NULL },
	{ "dnat", NULL, dnat_add, dnat_del, dnat_check, dnat_gc, dnat_status, dnat_add },
	{ "localnet", wants_localhost, localnet_add, NULL, localnet_check, NULL, NULL,
	  localnet_add },
	{ "conntrack", has_maps, flush, NULL, NULL, NULL, NULL },
	{ 0 }
};

const struct cni_plugin cni_plugin_portmap = {
	.name = "portmap",
	.about = "publishes container ports on the host",
	.flags = CNI_CHAINED | CNI_NO_NETNS | CNI_BY_CAPABILITY,
	.min = CNI_V_0_3_0,
	.fields = portmap_fields,
	.conf_size = sizeof(struct portmap_conf),
	.conf_init = portmap_conf_init,
	.conf_check = portmap_conf_check,
	.conf_clear = portmap_conf_clear,
	.steps = portmap_steps,
};
