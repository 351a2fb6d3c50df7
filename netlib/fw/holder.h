/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_HOLDER_H
#define NARU_FW_HOLDER_H

/*
 * Gives a copy of the socket to a short-lived process (base/aside.h), so that the caller's close is
 * not the last one and need not wait for the kernel's grace period after a deletion (measured: 17
 * ms). It exits after some 60 ms. Where it cannot be made the close simply takes its time.
 */
void fw_hold_socket(int fd);

#endif
