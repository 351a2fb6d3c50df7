// SPDX-License-Identifier: GPL-2.0-or-later
/* naru-cni install, naru-cni uninstall: the plugins on a node, with nothing but this one file. */
#include "netlib/cni/main_install.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "netlib/cni/install.h"
#include "netlib/cni/netlist.h"

#define CONFS_MAX 16
#define USAGE_STATUS 2

static const char usage[] =
	"Usage: naru-cni install --to DIR [OPTION]...\n"
	"       naru-cni uninstall --to DIR [--conf-dir DIR]\n"
	"       naru-cni wait\n"
	"\n"
	"Puts this program into the directory of plugins, with a link for each plugin's name,\n"
	"and then network configurations where the runtime reads them. Every file appears at once\n"
	"under its name, so a runtime may work meanwhile. Doing it again changes nothing.\n"
	"wait does nothing until it is ended: for a pod that shows its node is served.\n"
	"\n"
	"      --to DIR           directory of plugins, /opt/cni/bin for most runtimes\n"
	"      --conf FILE        install this NAME.conflist too, last; may be repeated\n"
	"      --conf-dir DIR     where configurations go (default " NETLIST_CONF_DIR ")\n"
	"      --name-prefix P    call the plugins P + name: naru- puts them beside other makers'\n"
	"      --replace          other makers' files of these names are kept as NAME.orig;\n"
	"                         uninstall puts them back\n"
	"  -o, --output json      print what was done as JSON; --json for short\n"
	"  -h, --help             this text\n"
	"\n"
	"Examples:\n"
	"  naru-cni install --to /opt/cni/bin --replace\n"
	"  naru-cni install --to /host/opt/cni/bin --conf-dir /host/etc/cni/net.d \\\n"
	"      --conf /config/10-naru.conflist\n"
	"  naru-cni uninstall --to /opt/cni/bin\n"
	"\n"
	"Exit status: 0 done, 1 refused or failed (nothing is changed then), 2 wrong usage.\n";

struct args {
	struct install in;
	const char *conf[CONFS_MAX + 1];
	const char *conf_dir;
	bool json, help;
};

enum { O_TO = 256, O_CONF, O_CONF_DIR, O_PREFIX, O_REPLACE, O_JSON };

static const struct option options[] = {
	{ "to", required_argument, NULL, O_TO },
	{ "conf", required_argument, NULL, O_CONF },
	{ "conf-dir", required_argument, NULL, O_CONF_DIR },
	{ "name-prefix", required_argument, NULL, O_PREFIX },
	{ "replace", no_argument, NULL, O_REPLACE },
	{ "output", required_argument, NULL, 'o' },
	{ "json", no_argument, NULL, O_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

bool is_install_verb(const char *word)
{
	return !strcmp(word, "install") || !strcmp(word, "uninstall") || !strcmp(word, "wait");
}

static int set_option(struct args *a, int o, const char *value, size_t *nconf)
{
	switch (o) {
	case O_TO:
		a->in.to = value;
		return 0;
	case O_CONF:
		if (*nconf == CONFS_MAX)
			return -1;
		a->conf[(*nconf)++] = value;
		return 0;
	case O_CONF_DIR:
		a->conf_dir = value;
		return 0;
	case O_PREFIX:
		a->in.prefix = value;
		return 0;
	case O_REPLACE:
		a->in.replace = true;
		return 0;
	case 'o':
		a->json = true;
		return strcmp(value, "json") ? -1 : 0;
	case O_JSON:
		a->json = true;
		return 0;
	case 'h':
		a->help = true;
		return 0;
	default:
		return -1;
	}
}

/* 0, or -1 when the usage is wrong; getopt has said why then, or the caller does. */
static int parse(int argc, char **argv, struct args *a)
{
	size_t nconf = 0;
	int o;

	while ((o = getopt_long(argc, argv, "o:h", options, NULL)) != -1)
		if (set_option(a, o, optarg, &nconf) < 0)
			return -1;
	if (a->help)
		return 0;
	if (optind < argc) {
		(void)fprintf(stderr, "naru-cni %s: %s is not expected\n", argv[0], argv[optind]);
		return -1;
	}
	if (!a->in.to) {
		(void)fprintf(stderr, "naru-cni %s: --to DIR is missing\n", argv[0]);
		return -1;
	}
	return 0;
}

static void print_json(struct json_object *o)
{
	cleanup_str struct str s = STR_INIT;

	json_print(&s, o, 2, false);
	(void)printf("%s\n", s.p ? s.p : "");
}

static void print_installed(const struct args *a, struct json_object *m)
{
	struct json_object *kept = json_get(m, "kept"), *conf = json_get(m, "conf");

	if (a->json) {
		print_json(m);
		return;
	}
	(void)printf("%zu plugins in %s\n", json_len(json_get(m, "plugins")), a->in.to);
	for (size_t i = 0; i < json_len(kept); i++)
		(void)printf("kept %s as %s.orig\n", json_text(json_at(kept, i)),
			     json_text(json_at(kept, i)));
	for (size_t i = 0; i < json_len(conf); i++)
		(void)printf("%s in %s\n", json_text(json_get(json_at(conf, i), "file")),
			     a->in.conf_dir);
}

static void print_left(const struct args *a, struct json_object *left)
{
	if (a->json) {
		cleanup_json struct json_object *o = json_obj();

		json_set(o, "left", json_ref(left));
		print_json(o);
		return;
	}
	for (size_t i = 0; i < json_len(left); i++)
		(void)printf("left %s: it was changed since\n", json_text(json_at(left, i)));
}

static int run(struct args *a, bool install, struct err *e)
{
	cleanup_json struct json_object *o = NULL;
	int r;

	if (!install) {
		if ((r = cni_uninstall(a->in.to, a->conf_dir, &o, e)) == 0)
			print_left(a, o);
		return r;
	}
	a->in.conf = a->conf;
	a->in.conf_dir = a->conf_dir ? a->conf_dir : NETLIST_CONF_DIR;
	a->in.program = "/proc/self/exe";
	if ((r = cni_install(&a->in, &o, e)) == 0)
		print_installed(a, o);
	return r;
}

/* SIGTERM ends process 1 of a container only when it is asked for. */
static int wait_for_end(void)
{
	sigset_t set;
	int sig;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return sigwait(&set, &sig) ? EXIT_FAILURE : 0;
}

int main_install(int argc, char **argv, const char *const *names)
{
	struct args a = { .in.names = names };
	struct err e = ERR_INIT;

	if (argc == 1 && !strcmp(argv[0], "wait"))
		return wait_for_end();
	if (parse(argc, argv, &a) < 0) {
		(void)fprintf(stderr, "Try: naru-cni %s --help\n", argv[0]);
		return USAGE_STATUS;
	}
	if (a.help) {
		(void)fputs(usage, stdout);
		return 0;
	}
	if (run(&a, !strcmp(argv[0], "install"), &e) < 0) {
		(void)fprintf(stderr, "naru-cni %s: %s%s%s\n", argv[0], e.text,
			      *e.details ? "; " : "", e.details);
		return EXIT_FAILURE;
	}
	return fflush(stdout) ? EXIT_FAILURE : 0;
}
