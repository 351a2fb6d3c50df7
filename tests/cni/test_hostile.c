// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hostile configurations, by table: every key of every plugin with every wrong kind of value
 * (reliability matrix J6), and texts that are no JSON or too much of it. Expected is always the
 * same: exit 1, one error object that names the key, quickly, and nothing changed.
 */
#include "tests/lib/call.h"
#include "tests/lib/json.h"
#include "tests/lib/lab.h"
#include "tests/lib/snapshot.h"
#include "tests/lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAP (SNAPSHOT_ALL)
#define LEN(a) (sizeof(a) / sizeof *(a))

/* Sanitizers cost time and memory: there the limits mean nothing, and a third of the table does. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
#define LIMIT_US (SANITIZED ? 10000000 : 100000)
#define LIMIT_KIB (SANITIZED ? 4000000 : 8192)
#define TRIES 4 /* the machine may be busy; the plugin is not slow four times in a row */

static int setup(void **state)
{
	(void)state;
	lab_netns_new("c1");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_netns_del("c1");
	call_reset_host();
	return 0;
}

/* ---- wrong values, by kind */

enum kind { STRING = 1, BOOL = 2, INT = 4, OBJECT = 8, ARRAY = 16, TEXT = 32 /* with a meaning */ };

static const struct {
	const char *value;
	unsigned fits; /* kinds it is not wrong for */
} values[] = {
	{ "7", INT },
	{ "-1", 0 },
	{ "1.5", 0 },
	{ "1e2", 0 },
	{ "99999999999999999999999999", 0 },
	{ "true", BOOL },
	{ "false", BOOL },
	{ "\"no such thing\"", STRING },
	{ "\"\\u00e4\\n\"", STRING },
	{ "[]", ARRAY },
	{ "{}", OBJECT },
	{ "[[]]", 0 },
	{ "[7]", 0 },
	{ "{\"x\":7}", OBJECT },
};

struct key {
	const char *path;
	unsigned kind;
};

/* Keys that every plugin has, and those of an IPAM plugin and of a result. */
static const struct key common_keys[] = {
	{ "/cniVersion", TEXT },       { "/name", TEXT },
	{ "/type", STRING },	       { "/dns", OBJECT },
	{ "/args", OBJECT },	       { "/runtimeConfig", OBJECT },
	{ "/dns/nameservers", ARRAY }, { "/dns/domain", STRING },
	{ "/dns/search", ARRAY },      { "/dns/options", ARRAY },
	{ "/ipam", OBJECT },	       { "/ipam/type", STRING },
};

static const struct key ipam_keys[] = {
	{ "/ipam/subnet", TEXT },
	{ "/ipam/rangeStart", TEXT },
	{ "/ipam/rangeEnd", TEXT },
	{ "/ipam/gateway", TEXT },
	{ "/ipam/ranges", 0 },
	{ "/ipam/ranges/0", 0 },
	{ "/ipam/ranges/0/0", OBJECT },
	{ "/ipam/ranges/0/0/subnet", TEXT },
	{ "/ipam/ranges/0/0/rangeStart", TEXT },
	{ "/ipam/ranges/0/0/rangeEnd", TEXT },
	{ "/ipam/ranges/0/0/gateway", TEXT },
	{ "/ipam/ranges/0/0/exclude", ARRAY },
	{ "/ipam/routes", ARRAY },
	{ "/ipam/routes/0", 0 },
	{ "/ipam/routes/0/dst", TEXT },
	{ "/ipam/routes/0/gw", TEXT },
	{ "/ipam/routes/0/mtu", INT },
	{ "/ipam/routes/0/advmss", INT },
	{ "/ipam/routes/0/priority", INT },
	{ "/ipam/routes/0/table", INT },
	{ "/ipam/routes/0/scope", INT },
	{ "/ipam/dataDir", TEXT },
	{ "/ipam/resolvConf", STRING },
	{ "/ipam/exclude", ARRAY },
	{ "/runtimeConfig/ips", ARRAY },
	{ "/runtimeConfig/ipRanges", ARRAY },
	{ "/args/cni", OBJECT },
	{ "/args/cni/ips", ARRAY },
};

static const struct key bridge_keys[] = {
	{ "/bridge", TEXT },	   { "/isGateway", BOOL },   { "/isDefaultGateway", BOOL },
	{ "/forceAddress", BOOL }, { "/ipMasq", BOOL },	     { "/ipMasqBackend", TEXT },
	{ "/mtu", INT },	   { "/hairpinMode", BOOL }, { "/promiscMode", BOOL },
	{ "/enabledad", BOOL },	   { "/deferDel", BOOL },    { "/runtimeConfig/mac", TEXT },
	{ "/args/cni/mac", TEXT },
};

static const struct key veth_keys[] = {
	{ "/ipMasq", BOOL },	   { "/ipMasqBackend", TEXT }, { "/mtu", INT },
	{ "/mac", TEXT },	   { "/deferDel", BOOL },      { "/runtimeConfig/mac", TEXT },
	{ "/args/cni/mac", TEXT },
};

#define MAP "/runtimeConfig/portMappings"
static const struct key portmap_keys[] = {
	{ "/snat", BOOL },
	{ "/masqAll", BOOL },
	{ "/backend", TEXT },
	{ MAP, ARRAY },
	{ MAP "/0", 0 },
	{ MAP "/0/hostPort", INT },
	{ MAP "/0/containerPort", INT },
	{ MAP "/0/range", INT },
	{ MAP "/0/protocol", TEXT },
	{ MAP "/0/hostIP", TEXT },
};

static const struct key result_keys[] = {
	{ "/prevResult", OBJECT },
	{ "/prevResult/cniVersion", TEXT },
	{ "/prevResult/interfaces", ARRAY },
	{ "/prevResult/interfaces/0", OBJECT },
	{ "/prevResult/interfaces/0/name", STRING },
	{ "/prevResult/interfaces/0/mac", STRING },
	{ "/prevResult/interfaces/0/sandbox", STRING },
	{ "/prevResult/interfaces/0/mtu", INT },
	{ "/prevResult/ips", ARRAY },
	{ "/prevResult/ips/0", 0 },
	{ "/prevResult/ips/0/address", TEXT },
	{ "/prevResult/ips/0/gateway", TEXT },
	{ "/prevResult/ips/0/interface", 0 }, /* 7 is none of one */
	{ "/prevResult/routes", ARRAY },
	{ "/prevResult/routes/0/dst", TEXT },
	{ "/prevResult/routes/0/gw", TEXT },
	{ "/prevResult/dns", OBJECT },
	{ "/prevResult/dns/nameservers", ARRAY },
};

#define KEYS(t) { t, LEN(t) }
static const struct {
	const char *plugin, *conf;
	struct {
		const struct key *keys;
		size_t n;
	} tables[4];
} subjects[] = {
	{ "bridge",
	  "'bridge':'br0','isGateway':true,'ipMasq':true,",
	  { KEYS(common_keys), KEYS(ipam_keys), KEYS(bridge_keys) } },
	{ "veth", "'ipMasq':true,", { KEYS(common_keys), KEYS(ipam_keys), KEYS(veth_keys) } },
	{ "loopback", "", { KEYS(common_keys), KEYS(result_keys) } },
	{ "portmap", "", { KEYS(common_keys), KEYS(portmap_keys), KEYS(result_keys) } },
	{ "masquerade", "", { KEYS(common_keys), KEYS(result_keys) } },
	{ "host-local", "", { KEYS(common_keys), KEYS(ipam_keys) } },
};

/* A configuration with everything in it, right. */
static const char *right(const char *plugin, const char *keys)
{
	bool chained = !strcmp(plugin, "portmap") || !strcmp(plugin, "masquerade");
	const char *c = jsonf(
		"{'cniVersion':'1.1.0','name':'net1','type':'%s',%s'dns':{'nameservers':[]},"
		"'args':{'cni':{}},'runtimeConfig':{'portMappings':[{'hostPort':8080,"
		"'containerPort':80,'protocol':'tcp'}]},'ipam':{'type':'host-local','ranges':[[{"
		"'subnet':'10.1.0.0/24'}]],'routes':[{'dst':'10.9.0.0/16'}]}}",
		plugin, keys);

	if (chained || !strcmp(plugin, "loopback"))
		c = text_keep(json_with(
			c, "prevResult",
			jsonf("{'cniVersion':'1.1.0','interfaces':[{'name':'eth0','sandbox':"
			      "'/run/netns/c1','mac':'02:00:00:00:00:01'}],'ips':[{'address':"
			      "'10.1.0.2/24','gateway':'10.1.0.1','interface':0}],'routes':[{'dst':"
			      "'10.9.0.0/16','gw':'10.1.0.1'}],'dns':{}}")));
	return c;
}

/* The document with the value put in or replaced at a path; arrays have it as only element. */
static const char *with_value(const char *doc, const char *path, const char *value)
{
	const char *rest = strchr(path + 1, '/');
	const char *name =
		textf("%.*s", rest ? (int)(rest - path - 1) : (int)strlen(path) - 1, path + 1);
	bool element = *name >= '0' && *name <= '9';
	char *found = json_find(doc, textf("/%s", name));
	const char *inner = found ? text_keep(found) : "{}";

	if (rest)
		inner = with_value(inner, rest, value);
	else
		inner = value;
	return element ? textf("[%s]", inner) : text_keep(json_with(doc, name, inner));
}

/* Runs it until it is quick enough; what it answers is the same each time. */
static void refused_quickly(const char *plugin, const char *conf, const char *words, long limit_kib)
{
	static const char verb[] = "ADD";
	const struct call c = { .plugin = plugin, .verb = verb, .conf = conf };
	long best_us = LIMIT_US + 1, kib = 0;

	for (int i = 0; i < TRIES && best_us > LIMIT_US; i++) {
		struct lab_result r;

		call_run(&c, &r);
		if (r.status != 1 || !strstr(r.out, words) || json_count(r.out, "") < 2 ||
		    !(json_is(r.out, "/code", "7") || json_is(r.out, "/code", "6")))
			lab_fail(
				"%s %s < %.1500s: expected exit 1, code 6 or 7 and \"%s\", got %d\n%s%s",
				plugin, verb, conf, words, r.status, r.out, r.err);
		best_us = r.wall_us < best_us ? r.wall_us : best_us;
		kib = r.rss_kib;
		lab_result_clear(&r);
	}
	if (best_us > LIMIT_US || (kib > limit_kib && kib > lab_rss_floor() + 2048))
		lab_fail("%s %s < %.500s: took %ld us and %ld KiB", plugin, verb, conf, best_us,
			 kib);
}

static unsigned try_key(const char *plugin, const char *base, const struct key *key, size_t turn)
{
	unsigned n = 0;

	for (size_t v = 0; v < LEN(values); v++) {
		if (values[v].fits & key->kind || (SANITIZED && (v + turn) % 3))
			continue;
		/* the place is named as far as the decoder can tell: an element by its array */
		refused_quickly(plugin, with_value(base, key->path, values[v].value),
				!strcmp(key->path, "/name") || !strcmp(key->path, "/cniVersion") ?
					"" :
					key->path,
				LIMIT_KIB);
		n++;
	}
	return n;
}

static void every_key_with_every_wrong_value_is_refused_by_name(void **state)
{
	unsigned n = 0;

	(void)state;
	for (size_t i = 0; i < LEN(subjects); i++) {
		const char *plugin = subjects[i].plugin;
		char *base = strdup(right(plugin, subjects[i].conf));

		for (size_t t = 0; t < LEN(subjects[i].tables); t++) {
			char *before = snapshot_take(SNAP, "c1");

			for (size_t k = 0; k < subjects[i].tables[t].n; k++)
				n += try_key(plugin, base, &subjects[i].tables[t].keys[k], k);
			assert_untouched(before, SNAP, "c1");
			free(before);
		}
		ok(plugin, "ADD", base); /* it was right but for that */
		ok(plugin, "DEL", base);
		free(base);
		call_reset_host();
		lab_sh_in("c1", "ip link set lo down; ip addr flush dev lo");
	}
	assert_true(n >= (SANITIZED ? 400 : 1200));
}

/* ---- no JSON, or too much of it */

static void texts_that_are_no_json_are_refused_with_their_place(void **state)
{
#define OPEN "{\"cniVersion\":\"1.1.0\",\"name\":\"n\","
	static const char *const t[] = {
		"\xef\xbb\xbf{}",
		OPEN "}",
		OPEN "\"x\":NaN}",
		OPEN "\"x\":Infinity}",
		OPEN "\"x\":-Infinity}",
		OPEN "\"x\":1.}",
		OPEN "\"x\":.5}",
		OPEN "\"x\":+1}",
		OPEN "\"x\":0x10}",
		OPEN "\"x\":TRUE}",
		OPEN "\"x\":nul}",
		OPEN "\"x\":'a'}",
		OPEN "\"x\":1,}",
		OPEN "\"x\":[1,]}",
		OPEN "\"x\":1 /* c */}",
		OPEN "\"x\":1} x",
		OPEN "\"x\":1}{}",
		OPEN "\"x\" 1}",
		OPEN "x:1}",
		OPEN "\"x\":\"\n\"}",
		OPEN "\"x\":\"\\q\"}",
		OPEN "\"x\":\"\\u00\"}",
		OPEN "\"x\":\"\\u0000\"}",
		OPEN "\"x\\u0000y\":1}",
		OPEN "\"x\":\"\xff\xfe\"}",
		OPEN "\"x\":\"\xc0\xaf\"}",
		OPEN "\"x\":\"\xed\xa0\x80\"}",
		OPEN "\"x\":\"\xf5\x80\x80\x80\"}",
		OPEN "\"x\":\"\\ud800\"}",
		OPEN "\"x\":\"\\udc00\\ud800\"}",
		OPEN "\"x\":01}",
		OPEN "\"x\":\"",
		OPEN "\"x\":[",
		"\"",
		"\\",
		"\x01",
		"tru",
		"nulll",
		"-",
		"[}",
		"{]",
	};

	(void)state;
	char *before = snapshot_take(SNAP, "c1");

	for (size_t i = 0; i < LEN(t); i++)
		for (size_t v = 0; v < 2; v++)
			fails(6, "", "bridge", v ? "DEL" : "ADD", t[i]);
	assert_untouched(before, SNAP, "c1");
	free(before);
}

/* Bytes that a C string cannot hold. */
static void run_bytes(const char *verb, const char *bytes, size_t len, struct lab_result *r)
{
	char path[4200], *argv[] = { path, NULL }, cni_path[4200], command[32];
	char *env[] = { command,
			(char[]){ "CNI_CONTAINERID=c1" },
			(char[]){ "CNI_IFNAME=eth0" },
			(char[]){ "CNI_NETNS=/run/netns/c1" },
			cni_path,
			NULL };
	const struct lab_cmd c = {
		.path = path, .argv = argv, .env = env, .in = bytes, .in_len = len
	};

	snprintf(path, sizeof path, "%s/bridge", lab_bin());
	snprintf(cni_path, sizeof cni_path, "CNI_PATH=%s", lab_bin());
	snprintf(command, sizeof command, "CNI_COMMAND=%s", verb);
	lab_run(&c, r);
}

static void a_nul_byte_anywhere_is_refused(void **state)
{
	const char good[] = "{\"cniVersion\":\"1.1.0\",\"name\":\"n1\",\"bridge\":\"br0\"}";

	(void)state;
	for (size_t at_byte = 0; at_byte <= sizeof good - 1; at_byte += 5) {
		char text[sizeof good + 1];
		struct lab_result r;

		memcpy(text, good, at_byte);
		text[at_byte] = '\0';
		memcpy(text + at_byte + 1, good + at_byte, sizeof good - 1 - at_byte);
		run_bytes("ADD", text, sizeof good, &r);
		call_refused("NUL", &r, 6, "NUL byte");
		lab_result_clear(&r);
	}
}

static void depth_is_limited(void **state)
{
	static const size_t depths[] = { 65, 100, 5000, 500000 };
	static const char *const units[] = { "[", "{\"a\":", "[{\"\":" };

	(void)state;
	for (size_t i = 0; i < LEN(depths); i++)
		for (size_t u = 0; u < LEN(units); u++) {
			size_t unit = strlen(units[u]), n = depths[i] * unit;
			char *text = malloc(n + 64);
			struct lab_result r;

			assert_non_null(text);
			n = depths[i];
			if (n * unit > 1000000)
				n = 1000000 / unit;
			strcpy(text, "{\"name\":\"n\",\"x\":");
			for (size_t k = 0; k < n; k++)
				memcpy(text + 16 + k * unit, units[u], unit);
			/* the first bytes are the opening above */
			run_bytes("ADD", text, 16 + n * unit, &r);
			call_refused("depth", &r, 6, "");
			assert_in_range(r.rss_kib, 0, LIMIT_KIB + lab_rss_floor());
			lab_result_clear(&r);
			free(text);
		}
}

static void a_hundred_megabytes_are_refused_at_one(void **state)
{
	static const struct {
		const char *head;
		char fill;
	} t[] = { { "{\"name\":\"", 'a' }, { "{", ' ' }, { "{\"x\":", '1' }, { "{\"x\":[", '[' } };
	const size_t n = 100u << 20;
	char *text = malloc(n);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < LEN(t); i++) {
		struct lab_result r;

		memset(text, t[i].fill, n);
		memcpy(text, t[i].head, strlen(t[i].head));
		run_bytes("ADD", text, n, &r);
		call_refused("100 MB", &r, 6, "larger than 1048576 bytes");
		assert_in_range(r.rss_kib, 0, LIMIT_KIB + lab_rss_floor());
		lab_result_clear(&r);
	}
	free(text);
}

static void lists_are_limited_too(void **state)
{
	static const struct {
		const char *head, *item, *tail, *words;
		size_t n;
	} t[] = {
		{ "'ipam':{'type':'host-local','ranges':[", "[{'subnet':'10.1.0.0/24'}],", "[]]}",
		  "more than 32768 values", 30000 },
		{ "'ipam':{'type':'host-local','ranges':[", "[{'subnet':'10.1.0.0/24'}],", "[]]}",
		  "/ipam/ranges", 4097 },
		{ "'ipam':{'type':'host-local','subnet':'10.0.0.0/8','exclude':[", "'10.0.0.1',",
		  "'10.0.0.2']}", "/ipam/exclude", 30000 },
		{ "'dns':{'nameservers':[", "'10.0.0.1',", "'10.0.0.2']}", "/dns/nameservers",
		  30000 },
		{ "'runtimeConfig':{'ips':[", "'10.0.0.1',",
		  "'10.0.0.2']},'ipam':{'type':'host-local',"
		  "'subnet':'10.0.0.0/8'}",
		  "/runtimeConfig/ips", 30000 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		size_t item = strlen(t[i].item), n = t[i].n * item;
		char *many = malloc(n + 1);

		assert_non_null(many);
		for (size_t k = 0; k < t[i].n; k++)
			memcpy(many + k * item, t[i].item, item);
		many[n] = '\0';
		refused_quickly("bridge",
				jsonf("{'cniVersion':'1.1.0','name':'n','bridge':'br0',%s%s%s}",
				      t[i].head, many, t[i].tail),
				t[i].words, 2 * LIMIT_KIB);
		free(many);
	}
}

/* Go's habits, which real configurations lean on. */
static void what_is_only_unusual_is_accepted(void **state)
{
	static const char *const t[] = {
		"{'cniVersion':'1.1.0','name':'n1','name':'n2','bridge':'br1','bridge':'br0'}",
		"{'CNIVERSION':'1.1.0','Name':'n1','BRIDGE':'br0'}",
		"  {\n\t'cniVersion':\r\n'1.1.0','name':'n1','bridge':'br0'}  \n",
		"{'cniVersion':'1.1.0','name':'n1','bridge':'br0','mtu':null,'ipam':null,'dns':null}",
		"{'cniVersion':'1.1.0','name':'n1','bridge':'br0','x':[{'y':[1,2.5,-3e-7,'\\u00e4']}]}",
		"{'cniVersion':'1.1.0','name':'n1','bridge':'\\u0062r0'}",
		"{'cniVersion':'1.1.0','name':'n1','bridge':'br0','mtu':-0}",
	};

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		const char *c = jsonf("%s", t[i]);

		assert_string_equal(at(ok("bridge", "ADD", c), "/interfaces/0/name"), "br0");
		ok("bridge", "DEL", c);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_key_with_every_wrong_value_is_refused_by_name),
		T(texts_that_are_no_json_are_refused_with_their_place),
		T(a_nul_byte_anywhere_is_refused),
		T(depth_is_limited),
		T(a_hundred_megabytes_are_refused_at_one),
		T(lists_are_limited_too),
		T(what_is_only_unusual_is_accepted),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
