// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/cni/result.h"
#include "tests/unit/unit.h"

#include <errno.h>

#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/str.h"

static struct ip_prefix net(const char *s)
{
	struct ip_prefix p = { 0 };

	if (ip_prefix_parse(s, &p) < 0)
		fail_msg("%s is no prefix", s);
	return p;
}

static struct ip_addr ip(const char *s)
{
	struct ip_addr a = { 0 };

	if (ip_parse(s, &a) < 0)
		fail_msg("%s is no address", s);
	return a;
}

/* ---- one of each shape, built as plugins build it */

static void add_ifaces(struct cni_result *r)
{
	const struct mac bridge = { .set = true, .b = { 2, 0, 0, 0, 0, 1 } },
			 eth0 = { .set = true, .b = { 2, 0, 0, 0, 0, 2 } };

	assert_non_null(cni_result_add_iface(r, "cni0", NULL, &bridge));
	assert_non_null(cni_result_add_iface(r, "veth5e4dccb6", "", NULL));
	assert_non_null(cni_result_add_iface(r, "eth0", "/run/netns/x", &eth0));
}

static void add_ip(struct cni_result *r, const char *address, const char *gw)
{
	struct ip_prefix p = net(address);
	struct ip_addr g = { 0 };

	if (gw)
		g = ip(gw);
	assert_non_null(cni_result_add_ip(r, &p, gw ? &g : NULL, 2));
}

static struct cni_route *add_route(struct cni_result *r, const char *dst, const char *gw)
{
	struct ip_prefix p = net(dst);
	struct ip_addr g = { 0 };

	if (gw)
		g = ip(gw);
	struct cni_route *rt = cni_result_add_route(r, &p, gw ? &g : NULL);
	assert_non_null(rt);
	return rt;
}

static void make_v4(struct cni_result *r)
{
	add_ifaces(r);
	add_ip(r, "10.1.0.2/16", "10.1.0.1");
	(void)add_route(r, "0.0.0.0/0", NULL);
	(void)add_route(r, "10.9.0.0/16", "10.1.0.9");
}

static void make_v6(struct cni_result *r)
{
	add_ifaces(r);
	add_ip(r, "fd00:1::2/64", "fd00:1::1");
	(void)add_route(r, "::/0", "fd00:1::1");
}

static void make_dual(struct cni_result *r)
{
	add_ifaces(r);
	add_ip(r, "fd00:1::2/64", NULL);
	add_ip(r, "10.1.0.2/16", "10.1.0.1");
	add_ip(r, "10.1.0.3/16", "10.1.0.1");
	(void)add_route(r, "0.0.0.0/0", "10.1.0.1");
	(void)add_route(r, "::/0", "fd00:1::1");
}

static void make_none(struct cni_result *r)
{
	(void)r;
}

static void make_layer2(struct cni_result *r)
{
	add_ifaces(r);
}

static void strings(char ***v, size_t *n, const char *a, const char *b)
{
	*v = calloc(2, sizeof **v);
	assert_non_null(*v);
	(*v)[0] = strdup(a);
	(*v)[1] = b ? strdup(b) : NULL;
	*n = b ? 2 : 1;
}

static void make_dns(struct cni_result *r)
{
	add_ifaces(r);
	add_ip(r, "10.1.0.2/16", NULL);
	strings(&r->dns.nameservers, &r->dns.nnameservers, "10.0.0.53", "fd00::53");
	strings(&r->dns.search, &r->dns.nsearch, "a.example", "<b>&c");
	strings(&r->dns.options, &r->dns.noptions, "ndots:2", NULL);
	r->dns.domain = strdup("example.org");
}

static void make_numbers(struct cni_result *r)
{
	struct cni_route *rt;

	add_ifaces(r);
	r->ifaces[2].mtu = 1450;
	r->ifaces[2].socket_path = strdup("/run/vhost.sock");
	r->ifaces[2].pci_id = strdup("0000:00:1f.6");
	add_ip(r, "10.1.0.2/16", "10.1.0.1");
	rt = add_route(r, "0.0.0.0/0", "10.1.0.1");
	rt->mtu = 1400;
	rt->advmss = 1360;
	rt->priority = 100;
	rt->table = 4294967295U;
	rt->scope = 253;
	rt->has_table = rt->has_scope = true;
	rt = add_route(r, "10.8.0.0/16", NULL); /* 0 is a value for these two */
	rt->has_table = rt->has_scope = true;
}

static const struct shape {
	const char *name;
	void (*make)(struct cni_result *r);
	bool ipam, no_ip;
} shapes[] = {
	{ "v4", make_v4, false, false },	   { "v6", make_v6, false, false },
	{ "dual", make_dual, false, false },	   { "none", make_none, false, true },
	{ "layer2", make_layer2, false, true },	   { "dns", make_dns, false, false },
	{ "numbers", make_numbers, false, false }, { "ipam", make_dual, true, false },
};

static void every_shape_has_the_reference_form_in_every_version(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		for (int v = 0; v < CNI_VERSIONS; v++) {
			cleanup_result struct cni_result r = { 0 };
			cleanup_str struct str s = STR_INIT;
			struct err e = ERR_INIT;
			char golden[80];

			shapes[i].make(&r);
			int rc = cni_result_print(&r, (enum cni_version)v, shapes[i].ipam, &s, &e);
			if (v <= CNI_V_0_2_0 && shapes[i].no_ip) {
				row_int(i, shapes[i].name, rc, -EINVAL);
				row_text(i, shapes[i].name, e.text,
					 "cannot convert: no valid IP addresses");
				continue;
			}
			if (rc < 0)
				row_fail(i, e.text);
			(void)snprintf(golden, sizeof golden, "tests/golden/results/%s-%s",
				       shapes[i].name, cni_version_names[v]);
			assert_golden(golden, s.p);
		}
}

static void what_was_printed_is_read_back_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		for (int v = 0; v < CNI_VERSIONS; v++) {
			cleanup_result struct cni_result r = { 0 }, back = { 0 };
			cleanup_str struct str s = STR_INIT, again = STR_INIT;
			cleanup_doc struct doc d = DOC_INIT;
			struct err e = ERR_INIT;

			shapes[i].make(&r);
			if (cni_result_print(&r, (enum cni_version)v, shapes[i].ipam, &s, NULL) < 0)
				continue;
			assert_int_equal(doc_parse(&d, s.p, s.len, NULL), 0);
			if (cni_result_decode(d.root, (enum cni_version)v, &back, "", &e) < 0)
				row_fail(i, e.text);
			assert_int_equal(cni_result_print(&back, (enum cni_version)v,
							  shapes[i].ipam, &again, NULL),
					 0);
			row_text(i, cni_version_names[v], again.p, s.p);
		}
}

/* ---- documents that version 1.1.1 of the Go plugins wrote */

static char *read_golden(const char *name, const char *version)
{
	char path[96], *text = NULL;
	struct err e = ERR_INIT;

	(void)snprintf(path, sizeof path, "tests/golden/reference/%s-%s", name, version);
	if (file_read_at(AT_FDCWD, path, 1 << 20, &text, NULL, &e) < 0)
		fail_msg("%s", e.text);
	return text;
}

static void the_references_documents_come_out_as_they_went_in(void **state)
{
	static const char *const plugins[] = { "bridge",	 "bridge-l2",
					       "host-local-dns", "host-local-dual",
					       "host-local-v4",	 "host-local-v6",
					       "loopback",	 "ptp" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plugins); i++)
		for (int v = 0; v < CNI_V_1_1_0; v++) {
			cleanup_result struct cni_result r = { 0 };
			cleanup_str struct str s = STR_INIT, want = STR_INIT;
			cleanup_doc struct doc d = DOC_INIT;
			struct err e = ERR_INIT;

			if (v <= CNI_V_0_2_0 && !strcmp(plugins[i], "bridge-l2"))
				continue; /* "cannot convert: no valid IP addresses" there too */
			if (v < CNI_V_1_0_0 && !strcmp(plugins[i], "loopback"))
				continue; /* it writes the form of 1.0.0 whatever was asked for */
			cleanup_free char *text = read_golden(plugins[i], cni_version_names[v]);
			assert_int_equal(doc_parse(&d, text, strlen(text), NULL), 0);
			if (cni_result_decode(d.root, (enum cni_version)v, &r, "", &e) < 0)
				row_fail(i, e.text);
			assert_int_equal(cni_result_print(&r, (enum cni_version)v, false, &s, NULL),
					 0);
			if (v < CNI_V_1_0_0) {
				row_text(i, plugins[i], s.p, text);
				continue;
			}
			/*
			 * later releases sort the keys of 1.x and leave an empty dns out, and so do
			 * we
			 */
			if (json_get(d.root, "dns") && cni_dns_empty(&r.dns))
				json_del(d.root, "dns");
			json_print(&want, d.root, 4, true);
			row_text(i, plugins[i], s.p, want.p);
		}
}

static void a_result_of_another_version_is_converted(void **state)
{
	cleanup_free char *old = read_golden("bridge", "0.4.0"),
			  *oldest = read_golden("bridge", "0.2.0");
	cleanup_result struct cni_result r = { 0 };
	cleanup_str struct str s = STR_INIT;
	cleanup_doc struct doc d = DOC_INIT;

	(void)state;
	assert_int_equal(doc_parse(&d, old, strlen(old), NULL), 0);
	assert_int_equal(cni_result_decode(d.root, CNI_V_0_4_0, &r, "", NULL), 0);
	assert_int_equal(cni_result_print(&r, CNI_V_0_2_0, false, &s, NULL), 0);
	assert_string_equal(s.p, oldest);
}

/* ---- what is wrong with a document */

static const struct {
	const char *json, *error;
	enum cni_version v;
} wrong[] = {
	{ "[]", "/prevResult: expected a result object", CNI_V_1_0_0 },
	{ "{\"interfaces\":{}}", "/prevResult/interfaces: expected an array", CNI_V_1_0_0 },
	{ "{\"interfaces\":[5]}", "/prevResult/interfaces/0: expected object, got integer 5",
	  CNI_V_1_0_0 },
	{ "{\"interfaces\":[{\"name\":5}]}",
	  "/prevResult/interfaces/0/name: expected string, got integer 5", CNI_V_1_0_0 },
	{ "{\"interfaces\":[{},{\"mtu\":-1}]}",
	  "/prevResult/interfaces/1/mtu: expected integer 0..4294967295, got -1", CNI_V_1_1_0 },
	{ "{\"ips\":\"x\"}", "/prevResult/ips: expected an array", CNI_V_0_3_1 },
	{ "{\"ips\":[{}]}", "/prevResult/ips/0: expected \"address\", like 10.1.0.2/16",
	  CNI_V_0_3_1 },
	{ "{\"ips\":[{\"address\":\"\"}]}",
	  "/prevResult/ips/0: expected \"address\", like 10.1.0.2/16", CNI_V_0_3_1 },
	{ "{\"ips\":[{\"address\":\"10.1.0.2\"}]}",
	  "/prevResult/ips/0/address: expected an address like 10.1.0.2/16, got string \"10.1.0.2\"",
	  CNI_V_1_0_0 },
	{ "{\"ips\":[{\"address\":\"10.1.0.2/33\"}]}",
	  "/prevResult/ips/0/address: expected an address like 10.1.0.2/16, got string \"10.1.0.2/33\"",
	  CNI_V_1_0_0 },
	{ "{\"ips\":[{\"address\":5}]}",
	  "/prevResult/ips/0/address: expected an address like 10.1.0.2/16, got integer 5",
	  CNI_V_1_0_0 },
	{ "{\"ips\":[{\"address\":\"10.1.0.2/8\",\"gateway\":\"x\"}]}",
	  "/prevResult/ips/0/gateway: expected an IP address, got string \"x\"", CNI_V_1_0_0 },
	{ "{\"ips\":[{\"address\":\"10.1.0.2/8\",\"interface\":-1}]}",
	  "/prevResult/ips/0/interface: expected integer 0..4096, got -1", CNI_V_1_0_0 },
	{ "{\"ips\":[{\"address\":\"10.1.0.2/8\",\"interface\":\"0\"}]}",
	  "/prevResult/ips/0/interface: expected integer 0..4096, got string \"0\"", CNI_V_1_0_0 },
	{ "{\"routes\":[{\"gw\":\"10.0.0.1\"}]}",
	  "/prevResult/routes/0: expected \"dst\", a destination like 0.0.0.0/0", CNI_V_1_0_0 },
	{ "{\"routes\":[{\"dst\":\"0.0.0.0/0\",\"scope\":256}]}",
	  "/prevResult/routes/0/scope: expected integer 0..255, got 256", CNI_V_1_1_0 },
	{ "{\"dns\":[]}", "/prevResult/dns: expected object, got array", CNI_V_1_0_0 },
	{ "{\"dns\":{\"nameservers\":\"x\"}}",
	  "/prevResult/dns/nameservers: expected array of strings, got string \"x\"", CNI_V_1_0_0 },
	{ "{\"dns\":{\"search\":[5]}}", "/prevResult/dns/search/0: expected string, got integer 5",
	  CNI_V_0_2_0 },
	{ "{\"ip4\":5}", "/prevResult/ip4: expected \"ip\", an address like 10.1.0.2/16",
	  CNI_V_0_2_0 },
	{ "{\"ip4\":{\"ip\":\"x\"}}",
	  "/prevResult/ip4: expected \"ip\", an address like 10.1.0.2/16", CNI_V_0_1_0 },
	{ "{\"ip6\":{\"ip\":\"fd00::1/64\",\"gateway\":\"x\"}}",
	  "/prevResult/ip6: expected \"gateway\" to be an IP address, got \"x\"", CNI_V_0_2_0 },
	{ "{\"ip4\":{\"ip\":\"10.1.0.2/16\",\"routes\":{}}}",
	  "/prevResult/ip4/routes: expected an array", CNI_V_0_2_0 },
	{ "{\"ip4\":{\"ip\":\"10.1.0.2/16\",\"routes\":[{\"dst\":\"x\"}]}}",
	  "/prevResult/ip4/routes/0/dst: expected a destination like 0.0.0.0/0, got string \"x\"",
	  CNI_V_0_2_0 },
};

static void every_error_has_its_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		cleanup_result struct cni_result r = { 0 };
		cleanup_doc struct doc d = DOC_INIT;
		struct err e = ERR_INIT;

		assert_int_equal(doc_parse(&d, wrong[i].json, strlen(wrong[i].json), NULL), 0);
		row_int(i, wrong[i].json,
			cni_result_decode(d.root, wrong[i].v, &r, "/prevResult", &e), -EINVAL);
		row_text(i, wrong[i].json, e.text, wrong[i].error);
		row_int(i, "untouched", r.nifaces || r.nips || r.nroutes, 0);
	}
}

static void null_lists_and_unknown_keys_are_accepted(void **state)
{
	static const char text[] =
		"{\"interfaces\":null,\"ips\":null,\"routes\":null,\"dns\":null,\"future\":{\"x\":1},\"CNIVERSION\":\"1.0.0\"}";
	cleanup_result struct cni_result r = { 0 };
	cleanup_doc struct doc d = DOC_INIT;

	(void)state;
	assert_int_equal(doc_parse(&d, text, strlen(text), NULL), 0);
	assert_int_equal(cni_result_decode(d.root, CNI_V_1_0_0, &r, "", NULL), 0);
	assert_int_equal(r.nips + r.nifaces + r.nroutes, 0);
	assert_true(cni_dns_empty(&r.dns));
}

static void lists_end_at_4096_elements(void **state)
{
	static const char *const elements[][2] = { { "ips", "{\"address\":\"10.1.0.2/16\"}" },
						   { "routes", "{\"dst\":\"::/0\"}" },
						   { "interfaces", "{}" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(elements); i++)
		for (size_t n = 4096; n <= 4097; n++) {
			cleanup_result struct cni_result r = { 0 };
			cleanup_doc struct doc d = DOC_INIT;
			cleanup_str struct str s = STR_INIT;
			struct err e = ERR_INIT;

			str_addf(&s, "{\"%s\":[", elements[i][0]);
			for (size_t k = 0; k < n; k++)
				str_addf(&s, "%s%s", k ? "," : "", elements[i][1]);
			str_add(&s, "]}");
			assert_int_equal(doc_parse(&d, s.p, s.len, NULL), 0);
			row_int(i, elements[i][0],
				cni_result_decode(d.root, CNI_V_1_0_0, &r, "", &e),
				n > 4096 ? -EINVAL : 0);
		}
}

static void dns_is_copied_and_known_when_empty(void **state)
{
	cleanup_result struct cni_result r = { 0 }, copy = { 0 };

	(void)state;
	assert_true(cni_dns_empty(&r.dns));
	make_dns(&r);
	assert_false(cni_dns_empty(&r.dns));
	assert_int_equal(cni_dns_copy(&r.dns, &copy.dns), 0);
	assert_int_equal(cni_dns_copy(&r.dns, &copy.dns), 0); /* what was there is freed */
	assert_string_equal(copy.dns.search[1], "<b>&c");
	assert_ptr_not_equal(copy.dns.search[1], r.dns.search[1]);
	assert_string_equal(copy.dns.domain, "example.org");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_has_the_reference_form_in_every_version),
		cmocka_unit_test(what_was_printed_is_read_back_the_same),
		cmocka_unit_test(the_references_documents_come_out_as_they_went_in),
		cmocka_unit_test(a_result_of_another_version_is_converted),
		cmocka_unit_test(every_error_has_its_path),
		cmocka_unit_test(null_lists_and_unknown_keys_are_accepted),
		cmocka_unit_test(lists_end_at_4096_elements),
		cmocka_unit_test(dns_is_copied_and_known_when_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
