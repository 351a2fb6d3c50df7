// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/hostport.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/ip/addr.h"
#include "netlib/ip/port.h"

/* Of /proc/net/tcp and udp: sockets that wait for somebody. */
#define STATE_LISTEN 0x0a
#define STATE_UNCONNECTED 0x07

#define NAME_SIZE 32

static bool bindable(int family, int proto, const struct ip_addr *ip, uint16_t port)
{
	cleanup_fd int fd =
		socket(family, (proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	const int on = 1;
	union {
		struct sockaddr any; /* family and nothing else: zeroes are "any address" */
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = { .any.sa_family = (sa_family_t)family };

	if (fd < 0)
		return true; /* a kernel without that family has no such socket */
	if (family == AF_INET) {
		a.v4.sin_port = htons(port);
		memcpy(&a.v4.sin_addr, ip->b, ip->family == AF_INET ? sizeof a.v4.sin_addr : 0);
	} else {
		a.v6.sin6_port = htons(port);
		memcpy(&a.v6.sin6_addr, ip->b, ip->family == AF_INET6 ? sizeof a.v6.sin6_addr : 0);
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	}
	if (proto == IPPROTO_TCP) /* what waits for late packets only is in nobody's way */
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	return bind(fd, &a.any, family == AF_INET ? sizeof a.v4 : sizeof a.v6) == 0 ||
	       errno != EADDRINUSE;
}

/*
 * The inode of a socket that serves the port; 0: there is none. A connection that happens to start
 * at that port keeps it from being bound as well, but loses nothing.
 */
static unsigned long serving(int proto, uint16_t port)
{
	static const char *const tables[][2] = { { "/proc/net/tcp", "/proc/net/tcp6" },
						 { "/proc/net/udp", "/proc/net/udp6" } };
	bool tcp = proto == IPPROTO_TCP;

	for (int i = 0; i < 2; i++) {
		cleanup_stream FILE *f = fopen(tables[tcp ? 0 : 1][i], "re");
		char line[256];

		while (f && fgets(line, sizeof line, f)) {
			unsigned local, state;
			unsigned long inode;

			if (sscanf(line, " %*u: %*[0-9A-F]:%x %*s %x %*s %*s %*s %*s %*s %lu",
				   &local, &state, &inode) == 3 &&
			    local == port && state == (tcp ? STATE_LISTEN : STATE_UNCONNECTED))
				return inode;
		}
	}
	return 0;
}

static bool holds(const char *pid, const char *socket_name)
{
	char path[300], target[64];

	(void)snprintf(path, sizeof path, "/proc/%s/fd", pid);
	cleanup_dir DIR *d = opendir(path);
	for (struct dirent *ent; d && (ent = readdir(d));) {
		ssize_t n = readlinkat(dirfd(d), ent->d_name, target, sizeof target - 1);

		if (n > 0) {
			target[n] = 0;
			if (!strcmp(target, socket_name))
				return true;
		}
	}
	return false;
}

static void name_of(const char *pid, char name[NAME_SIZE])
{
	char path[300];

	(void)snprintf(path, sizeof path, "/proc/%s/comm", pid);
	cleanup_stream FILE *f = fopen(path, "re");
	if (!f || !fgets(name, NAME_SIZE, f))
		*name = 0;
	name[strcspn(name, "\n")] = 0;
}

static int taken(const struct port_map *m, uint16_t port, unsigned long inode, struct err *e)
{
	char wanted[40], name[NAME_SIZE];
	int r = err_say(e, -EADDRINUSE, "host port %u/%s is taken by a process of this host", port,
			proto_name(m->proto));

	(void)snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
	cleanup_dir DIR *proc = opendir("/proc");
	for (struct dirent *ent; proc && (ent = readdir(proc));) {
		if (!isdigit((unsigned char)ent->d_name[0]) || !holds(ent->d_name, wanted))
			continue;
		name_of(ent->d_name, name);
		r = err_say(e, -EADDRINUSE,
			    "host port %u/%s is taken by process %s (%s) of this host", port,
			    proto_name(m->proto), ent->d_name, name);
		break;
	}
	err_details(e, "choose another port for -p, or end what serves it");
	return r;
}

int hostport_check(const struct port_map *ports, size_t n, struct err *e)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < n; i++) {
		const struct port_map *m = &ports[i];

		for (unsigned k = 0; m->proto != IPPROTO_SCTP && k < 2u * m->count; k++) {
			uint16_t port = (uint16_t)(m->host_port + k / 2);
			int family = families[k % 2];
			unsigned long inode;

			if ((m->host_ip.family && m->host_ip.family != family) ||
			    bindable(family, m->proto, &m->host_ip, port))
				continue;
			if ((inode = serving(m->proto, port)))
				return taken(m, port, inode, e);
		}
	}
	return 0;
}
