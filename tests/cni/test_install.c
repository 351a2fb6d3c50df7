// SPDX-License-Identifier: GPL-2.0-or-later
/* naru-cni install and uninstall: a directory of plugins changes whole or not at all. */
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOT "/run/node"
#define BIN ROOT "/bin"
#define NET ROOT "/net"
#define CONF ROOT "/10-naru.conflist"
#define STEPS_MAX 400

static const char conf[] =
	"{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"bridge\"}]}";

/* What is in the node's directories: names, links and content. */
#define TREE \
	"cd " ROOT " && for d in bin net; do find $d ! -type d -printf '%%p %%l ' " \
	"-exec sh -c 'cksum <\"$0\"' {} \\; 2>&1; done | sort"

static int setup(void **state)
{
	(void)state;
	lab_sh("rm -rf " ROOT " && mkdir -p " BIN " " NET);
	lab_sh("printf '%%s' '%s' >" CONF, conf);
	lab_sh("printf foreign >" BIN "/bridge; chmod 755 " BIN "/bridge; printf old >" NET
	       "/10-naru.conflist");
	return 0;
}

static const char *tree(void)
{
	return text_keep(lab_out(TREE));
}

static const char *naru_cni(const char *args)
{
	return text_keep(lab_out("%s/naru-cni %s", lab_bin(), args));
}

static void refuses(int status, const char *words, const char *args)
{
	const char *said = text_keep(
		lab_out("%s/naru-cni %s 2>&1 >/dev/null; echo status $?", lab_bin(), args));

	if (!strstr(said, words) || !strstr(said, textf("status %d", status)))
		lab_fail("naru-cni %s: expected status %d and \"%s\", got %s", args, status, words,
			 said);
}

#define INSTALL "install --to " BIN " --conf " CONF " --conf-dir " NET
#define UNINSTALL "uninstall --to " BIN

static void plugins_are_links_to_one_program_and_the_configuration_is_whole(void **state)
{
	(void)state;
	lab_sh("rm " BIN "/bridge " NET "/*");
	assert_non_null(strstr(naru_cni(INSTALL), "10-naru.conflist in " NET));
	assert_string_equal(text_keep(lab_out("cat " NET "/10-naru.conflist")), conf);
	lab_sh("cmp %s/naru-cni " BIN "/naru-cni", lab_bin());
	for (const char *const *p = (const char *const[]){ "bridge", "ptp", "host-local", NULL };
	     *p; p++) {
		const char *about = text_keep(lab_out(BIN "/%s 2>&1", *p));

		assert_non_null(strstr(about, strcmp(*p, "ptp") ? *p : "veth"));
	}
	const char *before = tree();
	naru_cni(INSTALL);
	assert_string_equal(tree(), before);
}

static void what_another_maker_put_there_is_in_the_way(void **state)
{
	(void)state;
	const char *before = tree();

	refuses(1,
		BIN "/bridge is another maker's; --replace keeps it as bridge.orig, "
		    "--name-prefix naru- installs beside it",
		"install --to " BIN);
	assert_string_equal(tree(), before);
	lab_sh("rm " BIN "/bridge");
	before = tree();
	refuses(1,
		NET "/10-naru.conflist is there with another content; --replace keeps it as "
		    "10-naru.conflist.orig",
		INSTALL);
	assert_string_equal(tree(), before);
}

static void uninstall_puts_back_what_was_kept(void **state)
{
	(void)state;
	const char *before = tree();

	naru_cni(INSTALL " --replace");
	assert_string_equal(text_keep(lab_out("cat " BIN "/bridge.orig")), "foreign");
	naru_cni(INSTALL " --replace");
	assert_string_equal(text_keep(lab_out("cat " BIN "/bridge.orig " NET "/*.orig")),
			    "foreignold");
	assert_string_equal(naru_cni(UNINSTALL), "");
	assert_string_equal(tree(), before);
	assert_string_equal(naru_cni(UNINSTALL), "");
}

static void another_configuration_later_is_ours_as_well(void **state)
{
	(void)state;
	const char *before = tree();

	naru_cni(INSTALL " --replace");
	lab_sh("sed -i 's/\"n\"/\"m\"/' " CONF);
	naru_cni(INSTALL);
	lab_sh("cmp " CONF " " NET "/10-naru.conflist; ! ls -A " NET " | grep '[.]old'");
	naru_cni("install --to " BIN); /* of the plugins alone */
	assert_string_equal(naru_cni(UNINSTALL), "");
	assert_string_equal(tree(), before);
	/* nor is a former one put back where there was none */
	lab_sh("rm " NET "/* " BIN "/bridge");
	naru_cni(INSTALL);
	lab_sh("sed -i 's/\"m\"/\"n\"/' " CONF);
	naru_cni(INSTALL);
	assert_string_equal(naru_cni(UNINSTALL), "");
	lab_sh("test -z \"$(ls -A " NET " " BIN " | grep -v :)\"");
}

static void uninstall_leaves_what_was_changed_since(void **state)
{
	(void)state;
	naru_cni(INSTALL " --replace");
	lab_sh("echo >>" NET "/10-naru.conflist; ln -sfn /bin/true " BIN "/portmap");
	assert_string_equal(naru_cni(UNINSTALL),
			    "left " NET "/10-naru.conflist: it was changed since\n"
			    "left " BIN "/portmap: it was changed since");
	lab_sh("test -e " NET "/10-naru.conflist && test -h " BIN "/portmap");
}

static void a_prefix_puts_them_beside_the_others(void **state)
{
	(void)state;
	const char *before = tree();

	naru_cni("install --to " BIN " --name-prefix naru-");
	assert_string_equal(text_keep(lab_out("cat " BIN "/bridge")), "foreign");
	assert_non_null(strstr(text_keep(lab_out(BIN "/naru-bridge 2>&1")), "CNI bridge plugin"));
	naru_cni(UNINSTALL);
	assert_string_equal(tree(), before);
}

static void another_prefix_takes_the_former_names_away(void **state)
{
	(void)state;
	naru_cni("install --to " BIN " --replace");
	naru_cni("install --to " BIN " --name-prefix naru-");
	assert_string_equal(text_keep(lab_out("cat " BIN "/bridge")), "foreign");
	lab_sh("test ! -e " BIN "/portmap && test -x " BIN "/naru-portmap");
}

static void wrong_usage_and_configurations_that_none_would_load_are_said(void **state)
{
	(void)state;
	const char *before = tree();

	refuses(2, "naru-cni install: --to DIR is missing", "install");
	refuses(2, "unrecognized option", "install --too x");
	refuses(1, "open directory " ROOT "/none; create it or mount it here: No such file",
		"install --to " ROOT "/none");
	lab_sh("cp " CONF " " ROOT "/x.conf");
	refuses(1, ROOT "/x.conf: expected a file called NAME.conflist; runtimes read no other",
		"install --replace --to " BIN " --conf-dir " NET " --conf " ROOT "/x.conf");
	lab_sh("echo '{' >" CONF);
	refuses(1, CONF ": error parsing configuration list: invalid JSON at offset 2",
		INSTALL " --replace");
	assert_string_equal(tree(), before);
}

#define STEPPER \
	"ASAN_OPTIONS=detect_leaks=0 %s/../tests/tools/stepper " /* no leak check under ptrace */

/* State-changing calls of an installation. */
static int steps(void)
{
	lab_sh(STEPPER "--list=/run/steps -- %s/naru-cni " INSTALL " --replace", lab_bin(),
	       lab_bin());
	int n = atoi(text_keep(lab_out("grep -c . /run/steps")));

	assert_in_range(n, 10, STEPS_MAX);
	naru_cni(UNINSTALL);
	return n;
}

static void a_failure_at_any_call_puts_everything_back(void **state)
{
	(void)state;
	const char *before = tree();

	for (int n = steps(), i = 1; i < n; i++) { /* the last is the answer on stdout */
		int status =
			lab_try(STEPPER "--errno=ENOSPC@%d -- %s/naru-cni " INSTALL " --replace",
				lab_bin(), i, lab_bin());

		if (status == 0) /* one that does not matter: the name to remove was not there */
			naru_cni(UNINSTALL);
		if (strcmp(tree(), before))
			lab_fail("call %d failed: expected %s, found %s", i, before, tree());
	}
}

static void after_a_kill_at_any_call_installing_again_and_uninstalling_leave_nothing(void **state)
{
	(void)state;
	const char *before = tree();

	for (int n = steps(), i = 1; i <= n; i++) {
		assert_int_not_equal(lab_try(STEPPER "--kill=%d -- %s/naru-cni " INSTALL
						     " --replace",
					     lab_bin(), i, lab_bin()),
				     0);
		/* whatever is there under a plugin's name is whole */
		lab_sh("cd " BIN " && test \"$(cat bridge | head -c 7)\" = foreign || "
		       "cmp -s bridge %s/naru-cni",
		       lab_bin());
		naru_cni(INSTALL " --replace");
		naru_cni(UNINSTALL);
		if (strcmp(tree(), before))
			lab_fail("killed at %d: expected %s, found %s", i, before, tree());
	}
}

static void two_at_a_time_do_not_disturb_each_other(void **state)
{
	(void)state;
	lab_sh("for i in 1 2 3 4; do %s/naru-cni " INSTALL " --replace & p=\"$p $!\"; done; "
	       "for i in $p; do wait $i || exit 1; done",
	       lab_bin());
	assert_string_equal(text_keep(lab_out("cat " BIN "/bridge.orig")), "foreign");
	lab_sh("cmp %s/naru-cni " BIN "/bridge", lab_bin());
}

static void json_tells_the_same(void **state)
{
	(void)state;
	const char *out = naru_cni(INSTALL " --replace --json");

	assert_non_null(strstr(out, "\"kept\": [\n    \"bridge\"\n  ]"));
	assert_string_equal(naru_cni(UNINSTALL " -o json"), "{\n  \"left\": []\n}");
}

static void from_a_container_it_serves_the_node(void **state)
{
	(void)state;
	lab_sh("rm " NET "/*; mkdir -p " ROOT "/config && cp " CONF " " ROOT "/config/ && "
	       "rm -rf " ROOT "/fs && mkdir -p " ROOT "/fs && cp %s/naru-cni " ROOT "/fs/ && "
	       "cp -L --parents $(ldd %s/naru-cni | grep -o '/[^ ]*') " ROOT "/fs/",
	       lab_bin(), lab_bin());
	lab_sh("%s/naru run --rm --network none -v " BIN ":/host/bin -v " NET
	       ":/host/net.d -v " ROOT "/config:/config:ro --rootfs " ROOT
	       "/fs /naru-cni install --to /host/bin "
	       "--conf-dir /host/net.d --conf /config/10-naru.conflist --replace",
	       lab_bin());
	assert_string_equal(text_keep(lab_out("cat " NET "/10-naru.conflist")), conf);
	lab_sh(BIN "/portmap 2>&1 | grep -q 'CNI portmap plugin'");
	naru_cni(UNINSTALL " --conf-dir " NET);
	lab_sh("test ! -e " NET "/10-naru.conflist");
}

static void wait_ends_when_it_is_told_to(void **state)
{
	(void)state;
	lab_sh("%s/naru-cni wait & sleep 0.1; kill $! && wait $!", lab_bin());
}

#define NODE(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NODE(plugins_are_links_to_one_program_and_the_configuration_is_whole),
		NODE(what_another_maker_put_there_is_in_the_way),
		NODE(uninstall_puts_back_what_was_kept),
		NODE(another_configuration_later_is_ours_as_well),
		NODE(uninstall_leaves_what_was_changed_since),
		NODE(a_prefix_puts_them_beside_the_others),
		NODE(another_prefix_takes_the_former_names_away),
		NODE(wrong_usage_and_configurations_that_none_would_load_are_said),
		NODE(a_failure_at_any_call_puts_everything_back),
		NODE(after_a_kill_at_any_call_installing_again_and_uninstalling_leave_nothing),
		NODE(two_at_a_time_do_not_disturb_each_other),
		NODE(json_tells_the_same),
		NODE(from_a_container_it_serves_the_node),
		NODE(wait_ends_when_it_is_told_to),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
