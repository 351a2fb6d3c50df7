// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * host-device: lends a device of the host to a container, and brings it back. CNI_SPEC.md
 * "host-device".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/file.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/cni/common.h"
#include "netlib/cni/common_address.h"
#include "netlib/cni/common_veth.h"
#include "netlib/cni/error.h"
#include "netlib/net/device.h"
#include "netlib/net/link.h"
#include "netlib/net/netns.h"
#include "netlib/nl/nlmsg.h"
#include "netlib/txn/txn.h"

#define LOANS_DIR "/run/naru/host-device"
#define LOAN_MAX 8192
#define RETURN_NAP_MS 10 /* a namespace that goes gives devices back in the background */
#define RETURN_NAPS 100

struct runtime {
	const char *device_id;
};

struct hd_conf {
	const char *device, *kernelpath, *pci;
	struct mac hwaddr;
	struct runtime runtime;
	const char *aux; /* deviceID on the auxiliary bus */
	bool dpdk;	 /* a program drives the device; there is no interface to move */
};

static const struct field runtime_fields[] = {
	FIELD_STR("deviceID", struct runtime, device_id),
	FIELD_END,
};
static const struct field hd_fields[] = {
	FIELD_STR("device", struct hd_conf, device),
	FIELD_TEXT("hwaddr", struct hd_conf, hwaddr, mac_parse_field,
		   "a MAC address like 02:11:22:33:44:55"),
	FIELD_STR("kernelpath", struct hd_conf, kernelpath),
	FIELD_STR("pciBusID", struct hd_conf, pci),
	FIELD_OBJ("runtimeConfig", struct hd_conf, runtime, runtime_fields),
	FIELD_END,
};

static bool given(const char *s)
{
	return s && *s;
}

static int hd_conf_check(void *conf, struct cni_op *op, struct err *e)
{
	struct hd_conf *c = conf;
	const char *id = c->runtime.device_id;
	int r;

	if (given(id)) { /* what the runtime says beats all */
		bool pci = device_is_pci(id);

		*c = (struct hd_conf){ .pci = pci ? id : NULL, .aux = pci ? NULL : id };
	}
	if (given(c->pci) && (r = device_in_userspace(c->pci, NULL)) >= 0)
		c->dpdk = r;
	if (common_is_removal(op))
		return common_ipam_find(op, e);
	if (!given(c->device) && !c->hwaddr.set && !given(c->kernelpath) && !given(c->pci) &&
	    !given(c->aux) && op->env->verb != CNI_STATUS)
		return err_conf(
			e, "/device",
			"specify either \"device\", \"hwaddr\", \"kernelpath\" or \"pciBusID\"");
	if (given(c->pci) && op->env->verb != CNI_STATUS && !given(c->device) && !c->hwaddr.set &&
	    !given(c->kernelpath) && (r = device_in_userspace(c->pci, e)) < 0)
		return r;
	return common_ipam_find(op, e);
}

/* Removal does not ask the driver of today: it may have changed since ADD. */
static bool has_link(const struct cni_op *op)
{
	return common_is_removal(op) || !((const struct hd_conf *)op->conf)->dpdk;
}

static bool is_dpdk(const struct cni_op *op)
{
	return ((const struct hd_conf *)op->conf)->dpdk;
}

static bool has_addresses(const struct cni_op *op)
{
	return has_link(op) && common_has_ipam(op);
}

static bool is_bare(const struct cni_op *op)
{
	return has_link(op) && !common_has_ipam(op);
}

/* ---- which device */

struct by_mac {
	const struct mac *mac;
	struct link *out;
	bool found;
};

static int match_mac(const struct link *l, void *arg)
{
	struct by_mac *b = arg;

	if (!l->mac.set || !mac_eq(&l->mac, b->mac))
		return 0;
	*b->out = *l;
	b->found = true;
	return 1;
}

/* In the reference's order when there are several keys. */
static int find_device(struct cni_op *op, struct link *out, struct err *e)
{
	const struct hd_conf *c = op->conf;
	char name[IFNAME_MAX];
	int r;

	if (given(c->device))
		return link_get(op->host, c->device, out, e);
	if (c->hwaddr.set) {
		struct by_mac b = { &c->hwaddr, out, false };

		if ((r = link_each(op->host, match_mac, &b, e)) < 0 || b.found)
			return r < 0 ? r : 0;
		return err_say(e, -ENODEV,
			       "failed to find physical interface: none has the MAC address %s",
			       mac_text(&c->hwaddr, (char[MAC_TEXT_MAX]){ 0 }));
	}
	r = given(c->kernelpath) ? device_of_path(c->kernelpath, name, e) :
	    given(c->pci)	 ? device_of_pci(c->pci, name, e) :
				   device_of_aux(c->aux, name, e);
	return r < 0 ? r : link_get(op->host, name, out, e);
}

/* ---- the loan: what the device was, in a file, until it is back */

struct loan {
	const char *network, *container, *ifname;
	const char *name, *alias, *kind;
	struct mac mac;
	uint32_t mtu;
	bool up;
};

static const struct field loan_fields[] = {
	FIELD_STR("network", struct loan, network),
	FIELD_STR("container", struct loan, container),
	FIELD_STR("ifname", struct loan, ifname),
	FIELD_STR("name", struct loan, name),
	FIELD_STR("alias", struct loan, alias),
	FIELD_STR("kind", struct loan, kind),
	FIELD_TEXT("mac", struct loan, mac, mac_parse_field, "a MAC address"),
	FIELD_U32("mtu", struct loan, mtu, 0, UINT32_MAX),
	FIELD_BOOL("up", struct loan, up),
	FIELD_END,
};

static void loan_file(const char *network, const char *container, const char *ifname, char file[32])
{
	uint64_t h =
		hash_end(hash_part(hash_part(hash_part(HASH_INIT, network), container), ifname));

	(void)str_copyf(file, 32, "%016llx.json", (unsigned long long)h);
}

static void own_loan_file(const struct cni_op *op, char file[32])
{
	loan_file(op->cc->name, op->env->container, op->env->ifname, file);
}

/* The texts of the loan borrow from d. False when there is none, or it is damaged. */
static bool loan_read(int dir, const char *file, struct doc *d, struct loan *out)
{
	cleanup_free char *text = NULL;
	size_t len;

	*out = (struct loan){ 0 };
	return dir >= 0 && file_read_at(dir, file, LOAN_MAX, &text, &len, NULL) == 0 &&
	       doc_parse(d, text, len, NULL) == 0 &&
	       decode(d, d->root, loan_fields, out, "", NULL) == 0 && given(out->name) &&
	       given(out->network) && given(out->container) && given(out->ifname);
}

static int loan_write(struct cni_op *op, const struct link *l, struct err *e)
{
	cleanup_json struct json_object *o = json_obj();
	cleanup_str struct str s = STR_INIT;
	char file[32], mac[MAC_TEXT_MAX];
	int r;

	if (file_noted("write a note in", LOANS_DIR))
		return 0;
	if ((r = file_mkdirs(LOANS_DIR, 0700, e)) < 0)
		return r;
	cleanup_fd int dir = file_open_dir(AT_FDCWD, LOANS_DIR, e);
	if (dir < 0)
		return dir;
	json_set_str(o, "network", op->cc->name);
	json_set_str(o, "container", op->env->container);
	json_set_str(o, "ifname", op->env->ifname);
	json_set_str(o, "name", l->name);
	json_set_str(o, "alias", l->alias);
	json_set_str(o, "kind", l->kind);
	json_set_str(o, "mac", mac_text(&l->mac, mac));
	json_set_int(o, "mtu", l->mtu);
	json_set_bool(o, "up", l->flags & IFF_UP);
	json_print(&s, o, 0, false);
	if (s.bad || !s.p)
		return err_set(e, -ENOMEM, "note what %s was", l->name);
	own_loan_file(op, file);
	(void)file_remove_at(dir, file); /* of an attachment whose DEL was lost */
	r = file_create_at(dir, file, 0600, s.p, s.len, e);
	return r < 0 ? err_wrap(e, "note what %s was", l->name), r : 0;
}

static int loan_remove(int dir, const char *file, struct err *e)
{
	int r = dir >= 0 ? file_remove_at(dir, file) : 0;

	return r < 0 ? err_set(e, r, "remove %s/%s", LOANS_DIR, file) : 0;
}

/* ---- the way back */

/* As it was: MAC address, MTU, up. The reference leaves a device down. */
static int restore(struct nl *host, const struct link *l, const struct loan *was, struct err *e)
{
	struct nlmsg m;

	nlmsg_init(&m);
	if (was->mac.set && !mac_eq(&was->mac, &l->mac))
		link_put_mac(&m, l->index, &was->mac);
	if (was->mtu && was->mtu != l->mtu)
		link_put_mtu(&m, l->index, was->mtu);
	if (was->up)
		link_put_up(&m, l->index);
	int r = m.count ? nl_talk(host, &m, e) : 0;
	return r < 0 ? err_wrap(e, "set %s up as it was", l->name), r : 0;
}

struct returned {
	const struct loan *loan;
	struct link *out;
	bool found;
};

/* A kernel that takes a namespace apart keeps the name, or makes dev0 of one that is taken. */
static bool is_kernels_name(const char *name, const struct loan *loan)
{
	return !strcmp(name, loan->ifname) ||
	       (str_starts(name, "dev") && name[3] && !name[3 + strspn(name + 3, "0123456789")]);
}

/* The MAC address may be another by now: then both names have to be what we and the kernel gave. */
static int match_returned(const struct link *l, void *arg)
{
	struct returned *r = arg;
	bool alias = !strcmp(l->alias, r->loan->name);

	if (mac_eq(&l->mac, &r->loan->mac) ? !alias && strcmp(l->name, r->loan->name) != 0 :
					     !alias || !is_kernels_name(l->name, r->loan))
		return 0;
	*r->out = *l;
	r->found = true;
	return 1;
}

/*
 * A device on the host that was lent: still there, or there again, under its own name or, when the
 * kernel returned it from a namespace that went, under the container's. 1 when it is nowhere.
 */
static int settle(struct nl *host, const struct loan *loan, struct err *e)
{
	struct link l;
	struct returned f = { loan, &l, false };
	int r = link_each(host, match_returned, &f, e);

	if (r < 0 || !f.found)
		return r < 0 ? r : 1;
	if (strcmp(l.name, loan->name) != 0 &&
	    (r = link_rename(host, l.index, loan->name, loan->alias ?: "", e)) < 0)
		return err_wrap(e, "failed to restore \"%s\" to original name \"%s\"", l.name,
				loan->name),
		       r;
	return restore(host, &l, loan, e);
}

/* A kernel that takes a namespace apart returns a device, but not those that are software. */
static int await_return(struct nl *host, const struct loan *loan, struct err *e)
{
	for (int nap = 0;; nap++) {
		int r = settle(host, loan, e);

		if (r != 1 || given(loan->kind) || nap == RETURN_NAPS)
			return r;
		(void)nanosleep(&(struct timespec){ .tv_nsec = RETURN_NAP_MS * 1000000L }, NULL);
	}
}

/*
 * The device in the container: under CNI_IFNAME with its own name as alias, or, when somebody gave
 * it another name, with that MAC address. One that the reference moved has no loan.
 */
static bool find_lent(struct cni_op *op, const struct loan *loan, struct link *out)
{
	struct returned f = { loan, out, false };

	if (!op->cont)
		return false;
	if (link_get(op->cont, op->env->ifname, out, NULL) == 0 && *out->alias &&
	    !ifname_problem(out->alias) &&
	    (loan ? !strcmp(out->alias, loan->name) : !common_is_anothers(op, out)))
		return true;
	return loan && link_each(op->cont, match_returned, &f, NULL) == 0 && f.found;
}

static int move_out(struct cni_op *op, const struct link *l, const struct loan *loan, struct err *e)
{
	const char *name = loan ? loan->name : l->alias;
	cleanup_fd int self = -1;
	struct link host;
	int r = netns_self(&self, e);

	if (r < 0)
		return r;
	if (link_get(op->host, name, &host, NULL) == 0)
		return err_code(e, -EEXIST, CNI_E_IN_USE,
				"failed to restore \"%s\" to original name \"%s\": the host has "
				"another interface of that name; rename it and try again",
				l->name, name);
	if ((r = link_move(op->cont, l->index, self, name, loan && loan->alias ? loan->alias : "",
			   e)) < 0)
		return err_wrap(e, "failed to move \"%s\" to host netns", name), r;
	if (!loan)
		return 0;
	if (plan_on())
		host = *l;
	else if ((r = link_get(op->host, name, &host, e)) < 0)
		return r;
	return restore(op->host, &host, loan, e);
}

/* The device goes back to the host, wherever it is. */
static int device_back(struct cni_op *op, struct err *e)
{
	cleanup_doc struct doc d = DOC_INIT;
	cleanup_fd int dir = file_open_dir(AT_FDCWD, LOANS_DIR, NULL);
	struct loan loan;
	struct link l;
	char file[32];
	int r = 0;

	own_loan_file(op, file);
	bool noted = loan_read(dir, file, &d, &loan);
	if (!noted && is_dpdk(op)) /* what bears the interface's name is no device of ours */
		return 0;
	if (find_lent(op, noted ? &loan : NULL, &l))
		r = move_out(op, &l, noted ? &loan : NULL, e);
	else if (noted)
		r = op->cont ? settle(op->host, &loan, e) : await_return(op->host, &loan, e);
	/* one that is not back yet, though it is no piece of software, is left to GC */
	if (r < 0 || (r == 1 && !op->cont && !given(loan.kind)))
		return r < 0 ? r : 0;
	return loan_remove(dir, file, e);
}

static int undo_device(const struct undo *u, struct txn *t, struct err *e)
{
	(void)u;
	return t->ctx ? device_back(t->ctx, e) : 0;
}

static const struct undo_op op_device = { "device back", undo_device };

/* ---- the rows */

static int report(struct cni_op *op, const struct mac *mac, struct err *e)
{
	const struct hd_conf *c = op->conf;
	struct cni_iface *f = cni_result_add_iface(&op->res, op->env->ifname, op->env->netns, mac);

	if (f && given(c->pci))
		f->pci_id = strdup(c->pci);
	if (!f || (given(c->pci) && !f->pci_id))
		return err_set(e, -ENOMEM, "report the interface");
	for (size_t i = 0; i < op->res.nips; i++)
		op->res.ips[i].interface = 0;
	return 0;
}

static int device_add(struct cni_op *op, struct err *e)
{
	struct link host, cont;
	int r = find_device(op, &host, e);

	if (r < 0)
		return err_wrap(e, "failed to find host device"), r;
	if (host.flags & IFF_LOOPBACK)
		return err_say(
			e, -EINVAL,
			"failed to move link %s: a loopback interface stays in its namespace",
			host.name);
	if (link_get(op->cont, op->env->ifname, &cont, NULL) == 0)
		return err_code(
			e, -EEXIST, CNI_E_IN_USE,
			"failed to rename device \"%s\" to \"%s\": an interface of that name "
			"already exists in %.150s",
			host.name, op->env->ifname, op->env->netns);
	if (!txn_reserve(op->txn, &op_device, UNDO_CONT, op->env->ifname, NULL, NULL, e))
		return -EIO;
	if ((r = loan_write(op, &host, e)) < 0) {
		txn_drop(op->txn);
		return r;
	}
	if ((r = txn_point(op->txn, "move the device", e)) < 0)
		return r;
	if ((r = link_move(op->host, host.index, op->netns, op->env->ifname, host.name, e)) < 0)
		return err_wrap(e, "failed to move link %s", host.name), r;
	if (plan_on()) /* it has not come */
		cont = host;
	else if ((r = link_get(op->cont, op->env->ifname, &cont, e)) < 0)
		return r;
	op->cont_index = cont.index;
	return report(op, &cont.mac, e);
}

static int device_del(struct cni_op *op, struct err *e)
{
	return device_back(op, e);
}

static int up_add(struct cni_op *op, struct err *e)
{
	int r = txn_point(op->txn, "set the device up", e);

	return r < 0 ? r : link_up(op->cont, op->cont_index, e);
}

static int dns_add(struct cni_op *op, struct err *e)
{
	return common_dns(op, true, e);
}

static int address_add(struct cni_op *op, struct err *e)
{
	for (size_t i = 0; i < op->res.nips; i++)
		op->res.ips[i].interface = 0;
	return common_address_add(op, op->cont_index, false, e);
}

static int address_check(struct cni_op *op, struct err *e)
{
	return common_address_check(op, "", 0, e);
}

static int device_check(struct cni_op *op, struct err *e)
{
	struct link l;
	int r = link_get(op->cont, op->env->ifname, &l, e);

	if (r == -ENODEV)
		return cni_check_fail(e, "Container Interface name in prevResult: %s not found",
				      op->env->ifname);
	if (r < 0)
		return r;
	return *l.alias ? 0 :
			  cni_check_fail(e,
					 "interface %s: expected the device's own name as its "
					 "alias, found none",
					 l.name);
}

static int dpdk_add(struct cni_op *op, struct err *e)
{
	return report(op, &(struct mac){ 0 }, e);
}

/* ---- GC */

static bool is_valid(const struct cni_op *op, const struct loan *l)
{
	for (size_t i = 0; i < op->cc->nvalid; i++)
		if (!strcmp(op->cc->valid[i].container, l->container) &&
		    !strcmp(op->cc->valid[i].ifname, l->ifname))
			return true;
	return false;
}

/* Devices that the kernel returned from namespaces that are gone. */
static int device_gc(struct cni_op *op, struct err *e)
{
	struct err first = ERR_INIT;
	cleanup_dir DIR *dir = opendir(LOANS_DIR);

	for (struct dirent *ent; dir && (ent = readdir(dir));) {
		cleanup_doc struct doc d = DOC_INIT;
		struct err one = ERR_INIT;
		struct loan loan;
		int r;

		if (ent->d_name[0] == '.' || !loan_read(dirfd(dir), ent->d_name, &d, &loan) ||
		    strcmp(loan.network, op->cc->name) != 0 || is_valid(op, &loan))
			continue;
		r = settle(op->host, &loan, &one);
		if (r == 0 || (r == 1 && given(loan.kind)))
			r = loan_remove(dirfd(dir), ent->d_name, &one);
		if (r < 0)
			err_keep_first(&first, &one);
	}
	if (first.no)
		*e = first;
	return -first.no;
}

static const struct cni_step hd_steps[] = {
	COMMON_IPAM_ROW(common_ipam_early),
	{ "device", has_link, device_add, device_del, device_check, device_gc, NULL },
	COMMON_IPAM_ROW(common_ipam_late),
	{ "pass on", is_dpdk, dpdk_add, NULL, NULL, NULL, NULL },
	{ "dns", NULL, dns_add, NULL, NULL, NULL, NULL },
	{ "address", has_addresses, address_add, NULL, address_check, NULL, NULL },
	{ "up", is_bare, up_add, NULL, address_check, NULL, NULL },
	{ "settle", common_has_v6, common_addresses_await, NULL, NULL, NULL, NULL },
	{ 0 }
};

const struct cni_plugin cni_plugin_host_device = {
	.name = "host-device",
	.about = "lends a network device of the host to a container",
	.fields = hd_fields,
	.conf_size = sizeof(struct hd_conf),
	.conf_check = hd_conf_check,
	.steps = hd_steps,
};
