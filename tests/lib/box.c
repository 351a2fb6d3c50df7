// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/box.h"

#include "tests/lib/lab.h"
#include "tests/lib/text.h"

static const char *bridge(bool hairpin)
{
	return jsonf("{'type':'bridge','bridge':'br0','isDefaultGateway':true,'hairpinMode':%s,"
		     "'ipam':{'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}],"
		     "[{'subnet':'fd00:1::/64'}]]}}",
		     hairpin ? "true" : "false");
}

void box_prepare(struct box *b, const char *cid, const char *ports, const char *keys)
{
	*b = (struct box){ .chain = { .cid = cid, .netns = textf(LAB_NETNS("%s"), cid) } };
	b->plugins[0] = bridge(true);
	b->plugins[1] = jsonf("{'type':'portmap','capabilities':{'portMappings':true}%s}", keys);
	b->chain.plugins = b->plugins;
	b->chain.runtime_config = jsonf("{'portMappings':[%s]}", ports);
}

void box_without_hairpin_mode(struct box *b)
{
	b->plugins[0] = bridge(false);
}

void box_attach(struct box *b)
{
	if (lab_chain_add(&b->chain))
		lab_fail("ADD: %s%s", b->chain.last.out, b->chain.last.err);
	lab_carrier(b->chain.cid, "eth0");
}

void box_publish(struct box *b, const char *cid, const char *ports, const char *keys)
{
	box_prepare(b, cid, ports, keys);
	box_attach(b);
}

void box_serve(struct box *b)
{
	const char *cid = b->chain.cid;

	traffic_serve(&b->server[0], cid, TRAFFIC_TCP, "0.0.0.0", 80, cid);
	traffic_serve(&b->server[1], cid, TRAFFIC_TCP, "::", 80, cid);
	traffic_serve(&b->server[2], cid, TRAFFIC_UDP, "0.0.0.0", 53, cid);
	traffic_serve(&b->server[3], cid, TRAFFIC_UDP, "::", 53, cid);
}

void box_unpublish(struct box *b)
{
	for (int i = 0; i < 4; i++)
		if (b->server[i].pid)
			traffic_stop(&b->server[i]);
	if (lab_chain_del(&b->chain))
		lab_fail("DEL: %s%s", b->chain.last.out, b->chain.last.err);
	lab_chain_clear(&b->chain);
}
