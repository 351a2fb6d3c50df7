// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/inspect.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/str.h"
#include "netlib/cni/result.h"
#include "netlib/ip/port.h"
#include "runner/etc.h"
#include "runner/network.h"
#include "runner/state.h"
#include "runner/volume.h"

#define NEVER "0001-01-01T00:00:00Z" /* Go's zero time */
#define SHM_SIZE 67108864

static void set_text(struct json_object *o, const char *key, const char *text)
{
	json_set_str(o, key, text ? text : "");
}

/* docker prints null for a list that was never given */
static void set_list(struct json_object *o, const char *key, const char *const *v, size_t n)
{
	if (v && n)
		json_set(o, key, record_strings(v, n));
	else
		json_set_null(o, key);
}

static struct json_object *state_tree(const struct ctr *c)
{
	bool running = c->status == CTR_RUNNING;
	struct json_object *o = json_obj();

	json_set_str(o, "Status", running ? "running" : "exited");
	json_set_bool(o, "Running", running);
	json_set_bool(o, "Paused", false);
	json_set_bool(o, "Restarting", false);
	json_set_bool(o, "OOMKilled", !running && c->end.oom);
	json_set_bool(o, "Dead", false);
	json_set_int(o, "Pid", running ? c->live.pid : 0);
	json_set_int(o, "ExitCode", running ? 0 : c->end.code);
	set_text(o, "Error", !running && c->end.lost ? "nobody was there to see it end" : "");
	const char *started = running ? c->live.started : c->end.started;
	json_set_str(o, "StartedAt", *started ? started : NEVER);
	json_set_str(o, "FinishedAt", !running && *c->end.finished ? c->end.finished : NEVER);
	return o;
}

/*
 * {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}; exposed: also what the image exposes and nobody
 * published.
 */
static struct json_object *ports_tree(const struct ctr *c, bool exposed)
{
	struct json_object *o = json_obj();

	for (size_t i = 0; exposed && i < c->rec.nexposed; i++)
		json_set_null(o, c->rec.exposed[i]);
	for (size_t i = 0; i < c->rec.nports; i++) {
		char key[32], port[8], ip[IP_TEXT_MAX];
		struct port_map m;

		if (port_map_parse(c->rec.ports[i], &m, NULL) < 0)
			continue;
		for (unsigned k = 0; k < m.count; k++) {
			struct json_object *binding = json_obj(), *list;

			(void)snprintf(key, sizeof key, "%u/%s", m.container_port + k,
				       proto_name(m.proto));
			(void)snprintf(port, sizeof port, "%u", m.host_port + k);
			json_set_str(binding, "HostIp",
				     ip_is_set(&m.host_ip) ? ip_text(&m.host_ip, ip) :
				     exposed		   ? "0.0.0.0" :
							     "");
			json_set_str(binding, "HostPort", port);
			if (!json_is_array(list = json_get(o, key))) {
				list = json_arr();
				json_set(o, key, list);
			}
			json_append(list, binding);
		}
	}
	return o;
}

static struct json_object *host_config(const struct ctr *c, struct json_object *config)
{
	static const char *const paths[][2] = { { "MaskedPaths", "maskedPaths" },
						{ "ReadonlyPaths", "readonlyPaths" } };
	struct json_object *o = json_obj(), *log = json_obj(), *policy = json_obj();

	set_list(o, "Binds", c->rec.binds, c->rec.nbinds);
	json_set_str(log, "Type", "json-file");
	json_set(log, "Config", json_obj());
	json_set(o, "LogConfig", log);
	json_set_str(o, "NetworkMode", c->rec.network);
	json_set(o, "PortBindings", ports_tree(c, false));
	json_set_str(policy, "Name", "no");
	json_set_int(policy, "MaximumRetryCount", 0);
	json_set(o, "RestartPolicy", policy);
	json_set_bool(o, "AutoRemove", c->rec.auto_remove);
	json_set_bool(o, "Privileged", false);
	json_set_bool(o, "ReadonlyRootfs", false);
	json_set_int(o, "ShmSize", SHM_SIZE);
	json_set_str(o, "Runtime", "naru");
	json_set_int(o, "CpuShares", c->rec.cpu_shares);
	json_set_int(o, "Memory", c->rec.memory);
	json_set_int(o, "NanoCpus", c->rec.nano_cpus);
	if (c->rec.pids_limit)
		json_set_int(o, "PidsLimit", c->rec.pids_limit);
	else
		json_set_null(o, "PidsLimit");
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct json_object *list = json_get(json_get(config, "linux"), paths[i][1]);

		json_set(o, paths[i][0], list ? json_ref(list) : json_arr());
	}
	return o;
}

static struct json_object *graph_driver(const struct state *s, const struct ctr *c)
{
	struct json_object *o = json_obj(), *data = json_obj();
	cleanup_str struct str lower = STR_INIT;
	char path[CTR_PATH_MAX];

	for (size_t i = 0; i < c->rec.nlowers; i++)
		str_addf(&lower, "%s%s", i ? ":" : "", c->rec.lowers[i]);
	set_text(data, "LowerDir", lower.p);
	json_set_str(data, "MergedDir",
		     c->rec.auto_remove ? ctr_run_path(s, c->id, "merged", path) :
					  ctr_root_path(s, c->id, "merged", path));
	json_set_str(data, "UpperDir", ctr_root_path(s, c->id, "upper", path));
	json_set_str(data, "WorkDir", ctr_root_path(s, c->id, "work", path));
	json_set(o, "Data", data);
	json_set_str(o, "Name", "overlay2");
	return o;
}

static struct json_object *mounts_tree(const struct ctr *c)
{
	struct json_object *list = json_arr();

	for (size_t i = 0; i < c->rec.nbinds; i++) {
		struct volume v;

		if (volume_split(c->rec.binds[i], &v, NULL) < 0)
			continue;
		struct json_object *o = json_obj();
		json_set_str(o, "Type", "bind");
		json_set_str(o, "Source", v.source);
		json_set_str(o, "Destination", v.target);
		json_set_str(o, "Mode", v.mode);
		json_set_bool(o, "RW", !v.read_only);
		json_set_str(o, "Propagation", v.propagation);
		json_append(list, o);
		volume_clear(&v);
	}
	return list;
}

static int exposed_key(const char *key, struct json_object *v, void *keys)
{
	(void)v;
	json_set(keys, key, json_obj());
	return 0;
}

static struct json_object *config_tree(const struct ctr *c, struct json_object *config)
{
	struct json_object *o = json_obj();

	json_set_str(o, "Hostname", c->rec.hostname);
	json_set_str(o, "Domainname", "");
	json_set_str(o, "User", c->rec.user);
	json_set_bool(o, "AttachStdin", false);
	json_set_bool(o, "AttachStdout", !c->rec.detached);
	json_set_bool(o, "AttachStderr", !c->rec.detached);
	if (c->rec.nexposed || c->rec.nports) {
		struct json_object *exposed = ports_tree(c, true), *keys = json_obj();

		(void)json_each(exposed, exposed_key, keys);
		json_put(exposed);
		json_set(o, "ExposedPorts", keys);
	}
	json_set_bool(o, "Tty", false);
	json_set_bool(o, "OpenStdin", !c->rec.detached);
	json_set_bool(o, "StdinOnce", false);
	struct json_object *env = json_get(json_get(config, "process"), "env");
	json_set(o, "Env", env ? json_ref(env) : json_arr());
	set_list(o, "Cmd", c->rec.cmd, c->rec.ncmd);
	json_set_str(o, "Image", c->rec.image);
	json_set_null(o, "Volumes");
	json_set_str(o, "WorkingDir", c->rec.working_dir);
	set_list(o, "Entrypoint", c->rec.entrypoint, c->rec.nentrypoint);
	json_set(o, "Labels", json_obj());
	return o;
}

/* --- the network --- */

static const struct cni_ip *first_of(const struct cni_result *res, int family)
{
	for (size_t i = 0; i < res->nips; i++)
		if (res->ips[i].address.addr.family == family)
			return &res->ips[i];
	return NULL;
}

static void set_addresses(struct json_object *o, const struct cni_result *res)
{
	static const struct {
		int family;
		const char *address, *len, *gateway;
	} rows[] = {
		{ AF_INET, "IPAddress", "IPPrefixLen", "Gateway" },
		{ AF_INET6, "GlobalIPv6Address", "GlobalIPv6PrefixLen", "IPv6Gateway" },
	};
	char text[IP_TEXT_MAX], mac[MAC_TEXT_MAX] = "";

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct cni_ip *ip = first_of(res, rows[i].family);

		json_set_str(o, rows[i].gateway,
			     ip && ip_is_set(&ip->gateway) ? ip_text(&ip->gateway, text) : "");
		json_set_str(o, rows[i].address, ip ? ip_text(&ip->address.addr, text) : "");
		json_set_int(o, rows[i].len, ip ? ip->address.len : 0);
	}
	for (size_t i = 0; i < res->nifaces; i++)
		if (res->ifaces[i].sandbox && *res->ifaces[i].sandbox)
			(void)mac_text(&res->ifaces[i].mac, mac);
	json_set_str(o, "MacAddress", mac);
}

static struct json_object *network_settings(const struct state *s, const struct ctr *c)
{
	struct json_object *o = json_obj(), *networks = json_obj(), *one = json_obj();
	cleanup_result struct cni_result res = { 0 };
	bool up = c->status == CTR_RUNNING && c->live.result &&
		  cni_result_decode(c->live.result, CNI_V_1_1_0, &res, "/result", NULL) == 0;
	char path[CTR_PATH_MAX];

	json_set_str(o, "SandboxID", up ? c->id : "");
	json_set_str(o, "SandboxKey", up ? ctr_run_path(s, c->id, "netns", path) : "");
	json_set(o, "Ports", up || c->status != CTR_RUNNING ? ports_tree(c, true) : json_obj());
	set_addresses(o, &res);
	json_set_str(one, "NetworkID", c->rec.network);
	json_set_str(one, "EndpointID", up ? c->id : "");
	set_addresses(one, &res);
	json_set(networks, c->rec.network, one);
	json_set(o, "Networks", networks);
	return o;
}

struct json_object *inspect_tree(const struct state *s, const struct ctr *c,
				 struct json_object *config)
{
	static const char *const keys[ETC_FILES] = { "HostnamePath", "HostsPath",
						     "ResolvConfPath" };
	bool etc = c->status == CTR_RUNNING && c->live.result;
	struct json_object *o = json_obj(), *args = json_arr();
	cleanup_free char *name = str_fmt("/%s", c->rec.name);
	const char *first = NULL;
	char path[CTR_PATH_MAX];

	for (size_t i = 0; i < c->rec.nentrypoint + c->rec.ncmd; i++) {
		const char *word = i < c->rec.nentrypoint ? c->rec.entrypoint[i] :
							    c->rec.cmd[i - c->rec.nentrypoint];

		if (first)
			json_append(args, json_new_str(word));
		else
			first = word;
	}
	json_set_str(o, "Id", c->id);
	json_set_str(o, "Created", c->rec.created);
	set_text(o, "Path", first);
	json_set(o, "Args", args);
	json_set(o, "State", state_tree(c));
	json_set_str(o, "Image", c->rec.image_id);
	for (size_t i = 0; i < ETC_FILES; i++)
		json_set_str(o, keys[i], etc ? ctr_run_path(s, c->id, etc_files[i], path) : "");
	json_set_str(o, "LogPath",
		     c->rec.auto_remove && !c->rec.detached ?
			     "" :
			     ctr_root_path(s, c->id, "log/json.log", path));
	set_text(o, "Name", name);
	json_set_int(o, "RestartCount", 0);
	json_set_str(o, "Driver", "overlay2");
	json_set_str(o, "Platform", "linux");
	json_set(o, "HostConfig", host_config(c, config));
	json_set(o, "GraphDriver", graph_driver(s, c));
	json_set(o, "Mounts", mounts_tree(c));
	json_set(o, "Config", config_tree(c, config));
	json_set(o, "NetworkSettings", network_settings(s, c));
	return o;
}
