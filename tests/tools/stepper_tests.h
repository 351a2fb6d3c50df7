/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_TOOLS_STEPPER_TESTS_H
#define TESTS_TOOLS_STEPPER_TESTS_H

#include "tests/tools/stepper_calls.h"

/*
 * The questions the table of calls asks where the number alone does not decide. Each looks at the
 * arguments of one stopped call (fd: the descriptor acted on, or -1) and may describe it in
 * s->detail.
 */
enum call_class test_open(struct stop *s, int fd);
enum call_class test_file(struct stop *s, int fd);
enum call_class test_write(struct stop *s, int fd);
enum call_class test_send(struct stop *s, int fd);
enum call_class test_read(struct stop *s, int fd);
enum call_class test_utimensat(struct stop *s, int fd);
enum call_class test_fsconfig(struct stop *s, int fd);
enum call_class test_kill(struct stop *s, int fd);
enum call_class test_bind(struct stop *s, int fd);
enum call_class test_ioctl(struct stop *s, int fd);
enum call_class test_setsockopt(struct stop *s, int fd);
enum call_class test_bpf(struct stop *s, int fd);
enum call_class test_clone(struct stop *s, int fd);
enum call_class test_fcntl(struct stop *s, int fd);

#endif
