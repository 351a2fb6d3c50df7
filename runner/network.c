// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"
#include "netlib/cni/exec.h"
#include "netlib/net/link.h"
#include "netlib/net/netns.h"
#include "netlib/nl/nl.h"
#include "netlib/txn/txn.h"

#define LOOPBACK_INDEX 1 /* of every network namespace */
#define PATH_SIZE 1024

/* --- which network --- */

char *network_builtin_text(bool ipv6)
{
	return str_fmt(
		"{\"cniVersion\":\"1.1.0\",\"name\":\"" NETWORK_DEFAULT "\",\"plugins\":["
		"{\"type\":\"bridge\",\"bridge\":\"naru0\",\"isGateway\":true,\"ipMasq\":true,\"hairpinMode\":true,\"deferDel\":true,"
		"\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.88.0.0/16\"}]%s],"
		"\"routes\":[{\"dst\":\"0.0.0.0/0\"}%s]}},"
		"{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}]}",
		ipv6 ? ",[{\"subnet\":\"fd00:6e61:7275::/64\"}]" : "",
		ipv6 ? ",{\"dst\":\"::/0\"}" : "");
}

/*
 * CNI_PATH, or: beside the naru executable, in ../libexec/naru, and where everybody's plugins are.
 */
static int plugin_path(char out[4096], struct err *e)
{
	const char *given = getenv("CNI_PATH");
	char self[PATH_SIZE];
	int r;

	if (given && *given) {
		r = str_copyf(out, 4096, "%s", given);
	} else {
		ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
		char *slash;

		self[n > 0 ? n : 0] = 0;
		if ((slash = strrchr(self, '/')))
			*slash = 0;
		r = str_copyf(out, 4096, "%s:%s/../libexec/naru:/opt/cni/bin", self, self);
	}
	return r < 0 ? err_set(e, r, "CNI_PATH") : 0;
}

const char *network_conf_dir(void)
{
	const char *dir = getenv("NARU_CONF");

	return dir && *dir ? dir : NETWORK_CONF_DIR;
}

/* In the kernel, and not switched off for the interfaces that will be made. */
static bool host_has_ipv6(void)
{
	char off = '0';
	cleanup_fd int fd =
		open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &off, 1) == 1 && off == '0';
}

static int open_builtin(struct network *n, struct err *e)
{
	cleanup_free char *text = network_builtin_text(host_has_ipv6());

	n->builtin = true;
	return text ? netlist_parse(text, strlen(text), &n->list, e) :
		      err_set(e, -ENOMEM, "network " NETWORK_DEFAULT);
}

int network_open(struct network *n, const char *name, struct err *e)
{
	struct err from_file = ERR_INIT;
	int r = plugin_path(n->path, e);

	if (r < 0)
		return r;
	r = netlist_load(network_conf_dir(), name, &n->list, &from_file);
	if (r == -ENOENT && !strcmp(name, NETWORK_DEFAULT))
		return open_builtin(n, e);
	if (r == -ENOENT) {
		(void)err_say(e, -ENOENT, "no such network: \"%s\" (%s)", name, from_file.text);
		err_details(e,
			    "built in are " NETWORK_DEFAULT
			    ", none and host; others are *.conflist files in %s",
			    network_conf_dir());
	} else if (r < 0 && e) {
		*e = from_file;
	}
	return r;
}

void network_clear(struct network *n)
{
	netlist_clear(&n->list);
}

bool network_takes_ports(const struct network *n)
{
	for (size_t i = 0; i < n->list.nplugins; i++)
		if (json_true(json_get(json_get(n->list.plugins[i].conf, "capabilities"),
				       "portMappings")))
			return true;
	return false;
}

/* --- attaching --- */

static struct json_object *port_args(const struct port_map *ports, size_t n)
{
	struct json_object *caps, *list;
	char ip[IP_TEXT_MAX];

	if (!n)
		return NULL;
	caps = json_obj();
	list = json_arr();
	for (size_t i = 0; i < n; i++)
		for (unsigned k = 0; k < ports[i].count; k++) {
			struct json_object *o = json_obj();

			json_set_int(o, "hostPort", ports[i].host_port + k);
			json_set_int(o, "containerPort", ports[i].container_port + k);
			json_set_str(o, "protocol", proto_name(ports[i].proto));
			if (ip_is_set(&ports[i].host_ip))
				json_set_str(o, "hostIP", ip_text(&ports[i].host_ip, ip));
			json_append(list, o);
		}
	json_set(caps, "portMappings", list);
	return caps;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* a: the container's RUN directory, b: the network's name, name: the interface */
static int undo_network(const struct undo *u, struct txn *t, struct err *e)
{
	cleanup_network struct network n = NETWORK_INIT;
	char netns[PATH_SIZE], copy[PATH_SIZE];
	int r, fd = -1;

	(void)t;
	if (!u->a || !u->b || (r = str_copyf(netns, sizeof netns, "%s/netns", u->a)) < 0 ||
	    (r = str_copyf(copy, sizeof copy, "%s/" NETWORK_COPY, u->a)) < 0)
		return err_say(e, -EINVAL, "journal: \"network del\" lacks its operands");
	if ((r = plugin_path(n.path, e)) < 0)
		return r;
	r = access(copy, F_OK) == 0 ? netlist_load_file(copy, &n.list, e) : open_builtin(&n, e);
	if (r < 0)
		return err_wrap(e, "network %s", u->b);
	bool gone = netns_open(netns, &fd, NULL) != 0;
	if (fd >= 0)
		(void)close(fd);
	struct netlist_rt rt = { .container = base_name(u->a),
				 .netns = gone ? NULL : netns,
				 .ifname = u->name,
				 .path = n.path };
	return netlist_del(&n.list, &rt, e);
}

static const struct undo_op op_network_del = { "network del", undo_network };
const struct undo_op *const network_undo_ops[] = { &op_network_del, NULL };

static int loopback_up(const char *netns, struct err *e)
{
	cleanup_fd int fd = -1;
	cleanup_nl struct nl nl = NL_INIT;
	int r = netns_open(netns, &fd, e);

	if (r)
		return r < 0 ? r : err_say(e, -ENOENT, "the network namespace %s is gone", netns);
	if ((r = nl_open(&nl, NETLINK_ROUTE, fd, "cont", e)) < 0)
		return r;
	return link_up(&nl, LOOPBACK_INDEX, e);
}

/* A network from a file may have changed by the time of DEL. */
static int keep_copy(const struct network *n, const char *run_dir, struct err *e)
{
	if (n->builtin)
		return 0;
	cleanup_fd int dir = file_open_dir(AT_FDCWD, run_dir, e);
	return dir < 0 ? dir :
			 file_replace_at(dir, NETWORK_COPY, 0600, n->list.text, n->list.len, e);
}

/* Before anything is recorded: what never ran has nothing to take back. */
static int find_plugins(const struct network *n, struct err *e)
{
	char found[4096];

	for (size_t i = 0; i < n->list.nplugins; i++) {
		const char *type = n->list.plugins[i].type;
		int r = cni_find(type, n->path, found, e);

		if (r < 0) {
			(void)err_wrap(e, "plugin type=\"%s\" failed (add)", type);
			return r;
		}
	}
	return 0;
}

/* The failed ADD is taken back here, where it is known what it failed with. */
static int attach_or_nothing(struct network *n, struct txn *t, const struct netlist_rt *rt,
			     struct cni_result *out, struct err *e)
{
	struct err why = ERR_INIT;
	int r = netlist_add(&n->list, rt, out, &why);

	if (r == 0)
		return 0;
	struct netlist_rt back = *rt;
	back.failed_add = &why;
	if (netlist_del(&n->list, &back, NULL) == 0)
		txn_drop(t);
	if (e)
		*e = why;
	return r;
}

int network_attach(struct network *n, struct txn *t, const char *run_dir,
		   const struct port_map *ports, size_t nports, struct cni_result *out,
		   struct err *e)
{
	cleanup_json struct json_object *caps = port_args(ports, nports);
	char netns[PATH_SIZE];
	int r;

	if (nports && !network_takes_ports(n))
		return err_say(e, -EINVAL,
			       "network %s publishes no ports: its plugins lack \"capabilities\": "
			       "{\"portMappings\": true}",
			       n->list.name);
	if ((r = str_copyf(netns, sizeof netns, "%s/netns", run_dir)) < 0)
		return err_set(e, r, "%s", run_dir);
	if ((r = find_plugins(n, e)) < 0 || (r = loopback_up(netns, e)) < 0 ||
	    (r = keep_copy(n, run_dir, e)) < 0)
		return r;
	if (!txn_reserve(t, &op_network_del, UNDO_CONT, NETWORK_IFNAME, run_dir, n->list.name, e))
		return -EIO;
	struct netlist_rt rt = { .container = base_name(run_dir),
				 .netns = netns,
				 .ifname = NETWORK_IFNAME,
				 .caps = caps,
				 .path = n->path };
	return attach_or_nothing(n, t, &rt, out, e);
}

/* --- collecting --- */

static int gc_one(struct network *n, const char *const *ids, struct err *e)
{
	struct netlist_rt rt = { .path = n->path };
	size_t count = 0;

	while (ids[count])
		count++;
	cleanup_free struct cni_attachment *valid = calloc(count + 1, sizeof *valid);
	if (!valid)
		return err_set(e, -ENOMEM, "network %s", n->list.name);
	for (size_t i = 0; i < count; i++)
		valid[i] = (struct cni_attachment){ .container = ids[i], .ifname = NETWORK_IFNAME };
	return netlist_gc(&n->list, &rt, valid, count, e);
}

int network_gc(const char *const *ids, struct err *e)
{
	cleanup_network struct network n = NETWORK_INIT;
	char found[4096];
	int r = network_open(&n, NETWORK_DEFAULT, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n.list.nplugins; i++)
		if (cni_find(n.list.plugins[i].type, n.path, found, NULL) < 0)
			return 0; /* a machine without the plugins has no attachments */
	return gc_one(&n, ids, e);
}
