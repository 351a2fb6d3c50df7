// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Container runtimes as Debian ships them, with our plugins where theirs would be: podman with its
 * CNI back end, containerd through its own client.
 */
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOT "/run/rt"
#define NET ROOT "/net.d"
#define PODMAN \
	"CONTAINERS_CONF=" ROOT \
	"/containers.conf podman --root /var/lib/rt-podman --runroot " ROOT \
	"/podman --storage-driver vfs --runtime crun --log-level error "
/* in the laboratory podman cannot raise the limits it would ask for by itself */
#define LIMITS "--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "
#define CTR "ctr -a " ROOT "/containerd.sock "

/* What `podman network create` writes, and what containerd's documentation shows. */
static const char conflist[] =
	"{'cniVersion':'%s','name':'%s','plugins':["
	"{'type':'bridge','bridge':'%s','isGateway':true,'ipMasq':true,'hairpinMode':true,"
	"'ipam':{'type':'host-local','routes':[{'dst':'0.0.0.0/0'}],"
	"'ranges':[[{'subnet':'10.%d.0.0/24'}]]}},"
	"{'type':'portmap','capabilities':{'portMappings':true}}%s]}";

static bool have(const char *program)
{
	return lab_try("command -v %s", program) == 0;
}

static void write_list(const char *dir, const char *version, const char *name, const char *bridge,
		       int net, const char *more)
{
	lab_sh("mkdir -p %s && printf '%%s' '%s' >%s/10-%s.conflist", dir,
	       jsonf(conflist, version, name, bridge, net, more), dir, name);
}

static int enter(void **state)
{
	lab_setup(state);
	lab_sh("ip link set lo up; mkdir -p " ROOT "/fs/bin " ROOT
	       "/fs/www && cp /bin/busybox " ROOT "/fs/bin/ && cd " ROOT "/fs/bin && "
	       "for x in sh httpd wget ip sleep; do ln -s busybox $x; done");
	lab_sh("echo hello >" ROOT "/fs/www/index.html");
	return 0;
}

/* ---- podman */

static int podman_setup(void **state)
{
	(void)state;
	if (!have("podman"))
		return 0;
	lab_sh("cat >" ROOT "/containers.conf <<E\n"
	       "[network]\nnetwork_backend = \"cni\"\ncni_plugin_dirs = [\"%s\"]\n"
	       "network_config_dir = \"" NET "\"\n"
	       "[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nE",
	       lab_bin());
	write_list(NET, "0.4.0", "podman", "cni-podman0", 99,
		   ",{'type':'firewall','backend':''},{'type':'tuning'}");
	lab_sh("tar -C " ROOT "/fs -cf " ROOT "/bb.tar . && " PODMAN "import -q " ROOT
	       "/bb.tar bb:1");
	return 0;
}

static int podman_teardown(void **state)
{
	(void)state;
	(void)lab_try(PODMAN "rm -a -f -t 0");
	return 0;
}

static void podman_serves_a_page_and_leaves_nothing(void **state)
{
	(void)state;
	if (!have("podman"))
		lab_skip("podman is not installed");
	lab_sh(PODMAN "run -d --name web -p 8080:80 " LIMITS "bb:1 /bin/httpd -f -h /www");
	assert_string_equal(
		text_keep(lab_out(
			"for i in 1 2 3 4 5 6 7 8 9; do "
			"wget -T 1 -t 1 -qO- http://127.0.0.1:8080/ && break; sleep 0.1; done")),
		"hello");
	lab_sh(PODMAN "exec web ip addr show eth0 | grep -q 'inet 10.99.0.'");
	assert_string_equal(
		text_keep(lab_out(
			PODMAN
			"inspect -f '{{(index .NetworkSettings.Networks \"podman\").IPAddress}}' "
			"web")),
		text_keep(lab_out("cd /var/lib/cni/networks/podman && ls | grep '^10'")));
	lab_sh(PODMAN "rm -f -t 0 web");
	assert_int_not_equal(lab_try("nft list table inet naru | grep -q 'elements = '"), 0);
	assert_int_not_equal(lab_try("ls /var/lib/cni/networks/podman | grep -q '^10'"), 0);
	assert_string_equal(text_keep(lab_out("ip -o link show type veth | wc -l")), "0");
}

static void podman_restarts_a_container_at_the_same_port(void **state)
{
	(void)state;
	if (!have("podman"))
		lab_skip("podman is not installed");
	lab_sh(PODMAN "run -d --name web -p 8080:80 " LIMITS "bb:1 /bin/httpd -f -h /www");
	lab_sh(PODMAN "restart -t 0 web");
	assert_string_equal(
		text_keep(lab_out(
			"for i in 1 2 3 4 5 6 7 8 9; do "
			"wget -T 1 -t 1 -qO- http://127.0.0.1:8080/ && break; sleep 0.1; done")),
		"hello");
}

static void podman_makes_and_uses_a_network_of_its_own(void **state)
{
	(void)state;
	if (!have("podman"))
		lab_skip("podman is not installed");
	lab_sh(PODMAN "network create --subnet 10.98.0.0/24 other");
	lab_sh(PODMAN "run --rm --network other " LIMITS
		      "bb:1 /bin/ip addr show eth0 | grep -q 'inet 10.98.0.'");
	lab_sh(PODMAN "network rm other");
}

/* ---- containerd: `ctr` knows no other directories than the usual ones */

static int containerd_setup(void **state)
{
	static bool begun;

	(void)state;
	if (!have("containerd") || begun)
		return 0;
	begun = true;
	lab_sh("mkdir -p " ROOT "/etc " ROOT "/work /run/netns && "
	       "mount -t tmpfs none /opt && mkdir /opt/cni && ln -s %s /opt/cni/bin && "
	       "mount -t overlay none -o lowerdir=/etc,upperdir=" ROOT "/etc,workdir=" ROOT
	       "/work /etc",
	       lab_bin());
	write_list("/etc/cni/net.d", "1.0.0", "naru", "cni0", 97, "");
	lab_sh("cat >" ROOT "/containerd.toml <<E\nversion = 2\nroot = \"" ROOT "/root\"\n"
	       "state = \"" ROOT "/state\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n"
	       "[grpc]\naddress = \"" ROOT "/containerd.sock\"\nE");
	lab_sh("containerd -c " ROOT "/containerd.toml >" ROOT
	       "/containerd.log 2>&1 & echo $! >" ROOT
	       "/containerd.pid; for i in $(seq 100); do test -S " ROOT
	       "/containerd.sock && exit 0; sleep 0.1; done; cat " ROOT "/containerd.log; exit 1");
	return 0;
}

static int leave(void **state)
{
	(void)state;
	if (access(ROOT "/containerd.pid", R_OK) == 0)
		(void)lab_try("kill $(cat " ROOT "/containerd.pid)");
	return 0;
}

static void containerd_gives_a_container_its_network_and_takes_it_back(void **state)
{
	(void)state;
	if (!have("containerd"))
		lab_skip("containerd is not installed");
	const char *said = text_keep(
		lab_out(CTR "run --rm --cni --rootfs " ROOT "/fs web /bin/ip addr show eth0"));

	assert_non_null(strstr(said, "inet 10.97.0."));
	assert_int_not_equal(lab_try("ls /var/lib/cni/networks/naru | grep -q '^10'"), 0);
	assert_int_not_equal(lab_try("nft list table inet naru | grep -q 'elements = '"), 0);
	assert_string_equal(text_keep(lab_out("ip -o link show type veth | wc -l")), "0");
}

static void containerds_detached_container_serves_a_page(void **state)
{
	(void)state;
	if (!have("containerd"))
		lab_skip("containerd is not installed");
	lab_sh(CTR "run -d --cni --rootfs " ROOT "/fs served /bin/httpd -f -h /www");
	const char *ip =
		text_keep(lab_out("cd /var/lib/cni/networks/naru && ls | grep '^10' | head -1"));
	assert_string_equal(
		text_keep(lab_out("for i in 1 2 3 4 5 6 7 8 9; do "
				  "wget -T 1 -t 1 -qO- http://%s/ && break; sleep 0.1; done",
				  ip)),
		"hello");
	lab_sh(CTR "task kill -s 9 served; for i in 1 2 3 4 5 6 7 8 9; do " CTR
		   "task delete served; test $? = 137 && break; sleep 0.1; done; " CTR
		   "container rm served");
}

#define PODMAN_TEST(f) cmocka_unit_test_setup_teardown(f, podman_setup, podman_teardown)
#define CONTAINERD_TEST(f) cmocka_unit_test_setup(f, containerd_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PODMAN_TEST(podman_serves_a_page_and_leaves_nothing),
		PODMAN_TEST(podman_restarts_a_container_at_the_same_port),
		PODMAN_TEST(podman_makes_and_uses_a_network_of_its_own),
		CONTAINERD_TEST(containerd_gives_a_container_its_network_and_takes_it_back),
		CONTAINERD_TEST(containerds_detached_container_serves_a_page),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
