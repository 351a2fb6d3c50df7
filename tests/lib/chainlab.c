// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/chainlab.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "netlib/base/str.h"

static char lab[64];

/*
 * Notes its verb in "log" and its stdin in NAME.VERB.in; fails when NAME.VERB.fail is there;
 * answers with NAME.VERB.out.
 */
static const char script[] =
	"#!/bin/sh\n"
	"d=${0%/*}; n=${0##*/}\n"
	"cat > \"$d/$n.$CNI_COMMAND.in\"\n"
	"echo \"$n $CNI_COMMAND $CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME $CNI_ARGS\" >> \"$d/log\"\n"
	"if [ -e \"$d/$n.$CNI_COMMAND.kill\" ]; then kill -9 $$; fi\n"
	"if [ -e \"$d/$n.$CNI_COMMAND.fail\" ]; then cat \"$d/$n.$CNI_COMMAND.fail\"; exit 1; fi\n"
	"if [ -e \"$d/$n.$CNI_COMMAND.out\" ]; then cat \"$d/$n.$CNI_COMMAND.out\"; fi\n";

const char *chainlab_dir(void)
{
	return lab;
}

char *chainlab_at(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *p = paths[next++ % 4];

	(void)snprintf(p, sizeof paths[0], "%s/%s", lab, name);
	return p;
}

void chainlab_put(const char *name, const char *text)
{
	cleanup_fd int fd = open(chainlab_at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

char *chainlab_get(const char *name)
{
	char *text = NULL;

	if (file_read_at(AT_FDCWD, chainlab_at(name), 1 << 20, &text, NULL, NULL) < 0)
		return strdup("");
	return text;
}

int chainlab_make(void **state)
{
	(void)state;
	strcpy(lab, "/tmp/naru-test-netlist-XXXXXX");
	assert_non_null(mkdtemp(lab));
	assert_int_equal(mkdir(chainlab_at("conf"), 0755), 0);
	for (const char *const *n = (const char *const[]){ "one", "two", "three", NULL }; *n; n++)
		chainlab_put(*n, script);
	chainlab_put("one.ADD.out",
		     "{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"one0\"}],"
		     "\"ips\":[{\"address\":\"10.1.0.2/24\"}]}");
	chainlab_put("two.ADD.out",
		     "{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"two0\"}]}");
	chainlab_put("three.ADD.out",
		     "{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"three0\"}]}");
	return 0;
}

int chainlab_drop(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, lab, NULL);
}

void chainlab_parse(const char *text, struct netlist *n)
{
	struct err e = ERR_INIT;

	if (netlist_parse(text, strlen(text), n, &e) < 0)
		fail_msg("%s", e.text);
}

struct netlist_rt chainlab_attachment(void)
{
	return (struct netlist_rt){
		.container = "c1",
		.netns = "/run/netns/x",
		.ifname = "eth0",
		.path = lab,
		.cache_dir = lab,
	};
}

void chainlab_log(const char *want)
{
	cleanup_free char *got = chainlab_get("log");

	assert_string_equal(got, want);
	(void)unlink(chainlab_at("log"));
}

void chainlab_file(const char *name, const char *want)
{
	cleanup_free char *got = chainlab_get(name);

	assert_string_equal(got, want);
}
