/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_DHCP_H
#define TESTS_LIB_DHCP_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * dnsmasq on a bridge br0 (192.0.2.1, 2001:db8:2::1) of the host, our daemon, and an empty
 * container c1: what tests of dhcp need. In a laboratory only (lab_enter).
 */
#define DHCP_LEASES "/run/dm/leases" /* what dnsmasq has given away */
#define DHCP_RECORDS "/var/lib/cni/dhcp"
#define DHCP_SOCK "/run/cni/dhcp.sock"
#define DHCP_RANGE "--dhcp-range=192.0.2.50,192.0.2.59,120 "
#define DHCP_CONF(version, ipam, outer) \
	"{'cniVersion':'" version "','name':'net1','type':'bridge','bridge':'br0'," \
	"'ipam':{'type':'dhcp'" ipam "}" outer "}"

/* The bridge and the container, without programs; skips the test when there is no dnsmasq. */
int dhcp_setup_bare(void **state);
/* Both programs as well, the server with name servers and domains. */
int dhcp_setup(void **state);
int dhcp_teardown(void **state);

/* The server and the daemon, with more arguments; words are separated by blanks. */
void dhcp_serve(const char *more);
void dhcp_server_kill(void);
void dhcp_daemon_start(const char *more);
/*
 * Without waiting for it: as argv says, NULL-terminated, or, when argv is NULL, the plugin's own
 * with more. fd3 >= 0 is handed on as systemd does.
 */
void dhcp_daemon_spawn(const char *const *argv, const char *more, int fd3);
/* Sends a signal (0: none) and waits for its end. */
void dhcp_daemon_stop(int sig);
pid_t dhcp_daemon_pid(void);

/* DHCP_CONF without keys of its own. */
const char *dhcp_conf(void);

bool dhcp_leased(const char *what);
void dhcp_await_lease(const char *what, bool there);
/* The daemon has no lease on disk. */
void dhcp_no_record(void);

#endif
