// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "ipam/dhcp/rpc.h"
#include "ipam/dhcp/serving.h"
#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/cni/error.h"

static int new_client(struct server *s, const struct rpc_request *q, struct doc *d,
		      struct dhcp_client **out, struct err *e)
{
	cleanup_choice struct dhcp_choice choice = { 0 };
	cleanup_str struct str netns = STR_INIT, id = STR_INIT;
	struct dhcp_conf conf = { 0 };
	const char *network = json_text(json_get(q->config, "name"));
	int r;

	if (!network || !q->netns)
		return err_conf(e, network ? "/netns" : "/config/name", "expected string");
	dhcp_conf_init(&conf);
	str_addf(&id, "%s/%s/%s", q->container, network, q->ifname);
	str_addf(&netns, "%s%s", s->c->host_prefix, q->netns);
	if (id.bad || netns.bad)
		return err_set(e, -ENOMEM, "make a client");
	if ((r = decode(d, q->config, dhcp_fields, &conf, "", e)) < 0 ||
	    (r = dhcp_choose(&conf, q->args, id.p, &choice, e)) < 0)
		return r;
	const struct dhcp_record rec = { .container = q->container,
					 .network = network,
					 .ifname = q->ifname,
					 .netns = netns.p,
					 .choice = choice };
	return client_new(&s->c->host, &rec, out, e);
}

/* The answer comes when there is one. 1: it is to be waited for. */
static int allocate(struct server *s, struct conn *conn, const struct rpc_request *q, struct doc *d,
		    struct err *e)
{
	int64_t now = clock_ms(),
		wait = q->wait_ms < s->c->give_up_ms ? q->wait_ms : s->c->give_up_ms;
	struct dhcp_client *c = NULL;
	struct held *h;
	int r = new_client(s, q, d, &c, e);

	if (r < 0)
		return r;
	/* once more: the server knows it by its client identifier, and gives the same address */
	struct held *old = server_find(s, c->container, c->network, c->ifname);
	if (old && old->waiter) {
		client_free(c);
		return err_code(e, -EBUSY, CNI_E_RETRY,
				"an address for interface %s of container %.64s is being asked for "
				"already",
				q->ifname, q->container);
	}
	if ((r = client_start(c, now, e)) < 0) { /* the old lease stays, to be given back by DEL */
		client_free(c);
		return r;
	}
	if (old)
		server_drop(s, old);
	if ((r = server_hold(s, c, &h, e)) < 0)
		return r;
	h->since = now;
	h->give_up = now + wait;
	h->waiter = conn;
	conn->waits = h;
	return 1;
}

static int release(struct server *s, const struct rpc_request *q, struct err *e)
{
	const char *network = json_text(json_get(q->config, "name"));
	struct held *h = network ? server_find(s, q->container, network, q->ifname) : NULL;

	if (!h)
		return 0;
	int r = client_release(h->c, e);
	server_note(s, h->c, "given back");
	if (h->waiter) {
		struct err gone = ERR_INIT;

		(void)err_code(&gone, -ECANCELED, CNI_E_RETRY, "a DEL came in between");
		(void)server_answer(s, h->waiter, NULL, &gone);
	}
	server_drop(s, h);
	return r;
}

static bool has_address(struct json_object *prev, const struct ip_prefix *p)
{
	struct json_object *ips = json_get(prev, "ips");
	struct ip_prefix one;

	for (size_t i = 0; i < json_len(ips); i++) {
		const char *text = json_text(json_get(json_at(ips, i), "address"));

		if (text && ip_prefix_parse(text, &one) == 0 && ip_prefix_eq(&one, p))
			return true;
	}
	return false;
}

static int check(struct server *s, const struct rpc_request *q, struct err *e)
{
	const char *network = json_text(json_get(q->config, "name"));
	struct json_object *prev = json_get(q->config, "prevResult");
	struct held *h = network ? server_find(s, q->container, network, q->ifname) : NULL;
	char text[IP_TEXT_MAX];

	if (!h || !h->c->bound)
		return err_code(e, -EBADMSG, CNI_E_CHECK,
				"dhcp: expected a lease for interface %s of container %.64s, found "
				"none",
				q->ifname, q->container);
	const struct ip_prefix six = { h->c->m6.lease.address, 128 };
	const struct ip_prefix *lost = NULL;
	if (prev && h->c->choice.ipv4 && !has_address(prev, &h->c->m4.lease.address))
		lost = &h->c->m4.lease.address;
	if (prev && h->c->choice.ipv6 && !has_address(prev, &six))
		lost = &six;
	if (lost)
		return err_code(e, -EBADMSG, CNI_E_CHECK,
				"dhcp: expected the leased address %s in prevResult of interface "
				"%s, found it missing",
				ip_prefix_text(lost, text), q->ifname);
	return 0;
}

static bool is_valid(struct json_object *valid, const struct dhcp_client *c)
{
	for (size_t i = 0; i < json_len(valid); i++) {
		const char *id = json_text(json_get(json_at(valid, i), "containerID")),
			   *ifname = json_text(json_get(json_at(valid, i), "ifname"));

		if (id && ifname && !strcmp(id, c->container) && !strcmp(ifname, c->ifname))
			return true;
	}
	return false;
}

static int collect(struct server *s, const struct rpc_request *q, struct err *e)
{
	const char *network = json_text(json_get(q->config, "name"));
	struct json_object *valid = json_get(q->config, "cni.dev/valid-attachments");
	struct err first = ERR_INIT;

	if (!valid)
		valid = json_get(q->config, "cni.dev/attachments");
	for (struct held *h = s->all, *next; h && network; h = next) {
		struct err one = ERR_INIT;

		next = h->next;
		if (strcmp(h->c->network, network) || h->waiter || is_valid(valid, h->c))
			continue;
		server_note(s, h->c, "belongs to no valid attachment; given back");
		if (client_release(h->c, &one) < 0)
			err_keep_first(&first, &one);
		server_drop(s, h);
	}
	if (first.no)
		*e = first;
	return -first.no;
}

int server_obey(struct server *s, struct conn *c, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	struct rpc_request q;
	int r = rpc_request_parse(&d, c->in.p, c->in.len, &q, e);

	if (r < 0)
		return r;
	switch (q.verb) {
	case RPC_ALLOCATE:
		return allocate(s, c, &q, &d, e);
	case RPC_RELEASE:
		return release(s, &q, e);
	case RPC_CHECK:
		return check(s, &q, e);
	case RPC_COLLECT:
		return collect(s, &q, e);
	default: /* who answers is well */
		return 0;
	}
}
