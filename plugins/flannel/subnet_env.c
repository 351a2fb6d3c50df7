// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/flannel/subnet_env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"
#include "netlib/base/vec.h"
#include "netlib/cni/error.h"

#define ENV_BYTES_MAX (64 * 1024)
#define MTU_MAX 65535

void subnet_env_clear(struct subnet_env *s)
{
	free(s->net.v);
	free(s->net6.v);
}

/* A network, its host bits cleared as the reference clears them. */
static int take_network(const char *text, void *member)
{
	struct ip_prefix p;

	if (ip_prefix_parse(text, &p) < 0)
		return -EINVAL;
	p.addr = ip_network(&p);
	memcpy(member, &p, sizeof p);
	return 0;
}

static bool has_network(const struct subnet_list *l, const struct ip_prefix *p)
{
	for (size_t i = 0; i < l->n; i++)
		if (ip_prefix_eq(&l->v[i], p))
			return true;
	return false;
}

/* Networks by commas, each once. value is changed. */
static int take_networks(char *value, void *member)
{
	struct subnet_list *l = member;
	struct ip_prefix p, *slot;

	for (char *item; (item = strsep(&value, ","));) {
		if (take_network(item, &p) < 0)
			return -EINVAL;
		if (has_network(l, &p))
			continue;
		if (!(slot = vec_add(&l->v, &l->n)))
			return -ENOMEM;
		*slot = p;
	}
	return 0;
}

static int take_subnet(char *value, void *member)
{
	return take_network(value, member);
}

static int take_mtu(char *value, void *member)
{
	struct subnet_env *s = member;
	uint64_t n;

	if (str_u64(value, MTU_MAX, &n) < 0)
		return -EINVAL;
	s->mtu = (uint32_t)n;
	s->has_mtu = true;
	return 0;
}

static int take_ipmasq(char *value, void *member)
{
	struct subnet_env *s = member;

	s->ipmasq = !strcmp(value, "true");
	s->has_ipmasq = true;
	return 0;
}

static const struct env_line {
	const char *key;
	size_t off;
	int (*take)(char *value, void *member);
	const char *expect;
} env_lines[] = {
	{ "FLANNEL_NETWORK", offsetof(struct subnet_env, net), take_networks, "networks" },
	{ "FLANNEL_SUBNET", offsetof(struct subnet_env, subnet), take_subnet, "a network" },
	{ "FLANNEL_IPV6_NETWORK", offsetof(struct subnet_env, net6), take_networks, "networks" },
	{ "FLANNEL_IPV6_SUBNET", offsetof(struct subnet_env, subnet6), take_subnet, "a network" },
	{ "FLANNEL_MTU", 0, take_mtu, "an integer 0..65535" },
	{ "FLANNEL_IPMASQ", 0, take_ipmasq, "true or false" },
};

static int parse_line(char *line, const char *path, struct subnet_env *out, struct err *e)
{
	char *value = strchr(line, '=');

	if (!value)
		return 0;
	*value++ = 0;
	value[strcspn(value, "\r")] = 0;
	for (size_t i = 0; i < ARRAY_LEN(env_lines); i++) {
		const struct env_line *l = &env_lines[i];

		if (!strcmp(line, l->key) && l->take(value, (char *)out + l->off) < 0)
			return err_code(e, -EINVAL, CNI_E_CONFIG,
					"loadFlannelSubnetEnv failed: %s: %s: expected %s, got "
					"\"%.100s\"",
					path, l->key, l->expect, value);
	}
	return 0;
}

static int check_complete(const struct subnet_env *s, const char *path, struct err *e)
{
	const struct {
		bool there;
		const char *keys;
	} needed[] = {
		{ s->net.n || s->net6.n, "FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK" },
		{ s->subnet.addr.family || s->subnet6.addr.family,
		  "FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET" },
		{ s->has_mtu, "FLANNEL_MTU" },
		{ s->has_ipmasq, "FLANNEL_IPMASQ" },
	};
	char missing[160] = "";

	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		size_t at = strlen(missing);

		if (!needed[i].there)
			(void)snprintf(missing + at, sizeof missing - at, "%s%s", at ? ", " : "",
				       needed[i].keys);
	}
	if (!*missing)
		return 0;
	return err_code(e, -EINVAL, CNI_E_CONFIG, "loadFlannelSubnetEnv failed: %s is missing %s",
			path, missing);
}

static int env_open(const char *path, struct err *e)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	/* flanneld writes it when it has a subnet: what is not there may come */
	if (fd < 0 && errno == ENOENT) {
		int r = err_code(e, -ENOENT, CNI_E_RETRY,
				 "loadFlannelSubnetEnv failed: open %s: no such file or directory",
				 path);

		err_details(e, "flanneld writes it when it has a subnet for this host; is it "
			       "running here?");
		return r;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, -errno, "loadFlannelSubnetEnv failed: open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_code(e, -EINVAL, CNI_E_CONFIG,
				"loadFlannelSubnetEnv failed: %s is no regular file", path);
	return take_fd(fd);
}

int subnet_env_read(const char *path, struct subnet_env *out, struct err *e)
{
	cleanup_fd int fd = env_open(path, e);
	cleanup_free char *text = NULL;
	char *save = NULL;
	int r = fd;

	if (fd < 0)
		return r;
	if ((r = fd_read_all(fd, ENV_BYTES_MAX, -1, &text, NULL)) < 0)
		return err_set(e, r, "loadFlannelSubnetEnv failed: read %s", path);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if ((r = parse_line(line, path, out, e)) < 0)
			return r;
	return check_complete(out, path, e);
}
