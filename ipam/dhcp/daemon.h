/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IPAM_DHCP_DAEMON_H
#define NARU_IPAM_DHCP_DAEMON_H

/* `dhcp daemon`: its flags are the reference's; argv[0] is "daemon". Returns the exit status. */
int dhcp_daemon(int argc, char **argv);

#endif
