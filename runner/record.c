// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/record.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/decode.h"
#include "netlib/base/encode.h"
#include "netlib/base/err.h"

static const struct field record_fields[] = {
	FIELD_STR("id", struct ctr_record, id),
	FIELD_STR("name", struct ctr_record, name),
	FIELD_STR("created", struct ctr_record, created),
	FIELD_STR("image", struct ctr_record, image),
	FIELD_STR("imageId", struct ctr_record, image_id),
	FIELD_STR("rootfs", struct ctr_record, rootfs),
	FIELD_STR("network", struct ctr_record, network),
	FIELD_STR("hostname", struct ctr_record, hostname),
	FIELD_STR("user", struct ctr_record, user),
	FIELD_STR("workingDir", struct ctr_record, working_dir),
	FIELD_STR("stopSignal", struct ctr_record, stop_signal),
	FIELD_STRS("lowers", struct ctr_record, lowers, nlowers),
	FIELD_STRS("entrypoint", struct ctr_record, entrypoint, nentrypoint),
	FIELD_STRS("cmd", struct ctr_record, cmd, ncmd),
	FIELD_STRS("ports", struct ctr_record, ports, nports),
	FIELD_STRS("binds", struct ctr_record, binds, nbinds),
	FIELD_STRS("exposed", struct ctr_record, exposed, nexposed),
	FIELD_BOOL("autoRemove", struct ctr_record, auto_remove),
	FIELD_BOOL("detached", struct ctr_record, detached),
	FIELD_INT("memory", struct ctr_record, memory, 0, INT64_MAX),
	FIELD_INT("nanoCpus", struct ctr_record, nano_cpus, 0, INT64_MAX),
	FIELD_INT("cpuShares", struct ctr_record, cpu_shares, 0, INT64_MAX),
	FIELD_INT("pidsLimit", struct ctr_record, pids_limit, -1, INT64_MAX),
	FIELD_END
};

static const struct field live_fields[] = { FIELD_INT("pid", struct ctr_live, pid, 1, INT32_MAX),
					    FIELD_INT("startTime", struct ctr_live, start_time, 0,
						      INT64_MAX),
					    FIELD_STR("boot", struct ctr_live, boot),
					    FIELD_STR("started", struct ctr_live, started),
					    FIELD_STR("cgroup", struct ctr_live, cgroup),
					    FIELD_STR("ifname", struct ctr_live, ifname),
					    FIELD_RAW("result", struct ctr_live, result),
					    FIELD_END };

static const struct field exit_fields[] = { FIELD_INT("code", struct ctr_exit, code, 0, 255),
					    FIELD_BOOL("oom", struct ctr_exit, oom),
					    FIELD_BOOL("lost", struct ctr_exit, lost),
					    FIELD_STR("started", struct ctr_exit, started),
					    FIELD_STR("finished", struct ctr_exit, finished),
					    FIELD_STR("error", struct ctr_exit, error),
					    FIELD_END };

int record_decode(struct doc *d, struct ctr_record *out, struct err *e)
{
	*out = (struct ctr_record){ .id = "",
				    .name = "",
				    .created = "",
				    .image = "",
				    .image_id = "",
				    .network = "none",
				    .hostname = "",
				    .user = "",
				    .working_dir = "",
				    .stop_signal = "" };
	return decode(d, d->root, record_fields, out, "", e);
}

int live_decode(struct doc *d, struct ctr_live *out, struct err *e)
{
	*out = (struct ctr_live){ .boot = "", .started = "", .cgroup = "", .ifname = "" };
	return decode(d, d->root, live_fields, out, "", e);
}

int exit_decode(struct doc *d, struct ctr_exit *out, struct err *e)
{
	*out = (struct ctr_exit){ .started = "", .finished = "", .error = "" };
	return decode(d, d->root, exit_fields, out, "", e);
}

struct json_object *record_strings(const char *const *v, size_t n)
{
	if (!v)
		return NULL;
	struct json_object *a = json_arr();
	for (size_t i = 0; i < n; i++)
		json_append(a, json_new_str(v[i]));
	return a;
}

struct json_object *record_encode(const struct ctr_record *r)
{
	const struct {
		const char *key;
		const char **v;
		size_t n;
	} lists[] = {
		{ "lowers", r->lowers, r->nlowers },
		{ "entrypoint", r->entrypoint, r->nentrypoint },
		{ "cmd", r->cmd, r->ncmd },
		{ "ports", r->ports, r->nports },
		{ "binds", r->binds, r->nbinds },
		{ "exposed", r->exposed, r->nexposed },
	};
	const struct {
		const char *key;
		int64_t n;
	} limits[] = {
		{ "memory", r->memory },
		{ "nanoCpus", r->nano_cpus },
		{ "cpuShares", r->cpu_shares },
		{ "pidsLimit", r->pids_limit },
	};
	struct json_object *o = json_obj();

	json_set_str(o, "id", r->id);
	json_set_str(o, "name", r->name);
	json_set_str(o, "created", r->created);
	json_set_str(o, "image", r->image);
	json_set_str(o, "imageId", r->image_id);
	json_set_str(o, "rootfs", r->rootfs);
	json_set_str(o, "network", r->network);
	json_set_str(o, "hostname", r->hostname);
	json_set_str(o, "user", r->user);
	json_set_str(o, "workingDir", r->working_dir);
	json_set_str(o, "stopSignal", r->stop_signal);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		json_set(o, lists[i].key, record_strings(lists[i].v, lists[i].n));
	json_set_bool(o, "autoRemove", r->auto_remove);
	json_set_bool(o, "detached", r->detached);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		if (limits[i].n)
			json_set_int(o, limits[i].key, limits[i].n);
	return o;
}

struct json_object *live_encode(const struct ctr_live *l)
{
	struct json_object *o = json_obj();

	json_set_int(o, "pid", l->pid);
	json_set_int(o, "startTime", (int64_t)l->start_time);
	json_set_str(o, "boot", l->boot);
	json_set_str(o, "started", l->started);
	json_set_str(o, "cgroup", l->cgroup);
	json_set_str(o, "ifname", l->ifname);
	if (l->result)
		json_set(o, "result", json_ref(l->result));
	return o;
}

struct json_object *exit_encode(const struct ctr_exit *x)
{
	struct json_object *o = json_obj();

	json_set_int(o, "code", x->code);
	json_set_bool(o, "oom", x->oom);
	json_set_bool(o, "lost", x->lost);
	json_set_str(o, "started", x->started);
	json_set_str(o, "finished", x->finished);
	json_set_str(o, "error", x->error);
	return o;
}

#define DAY 86400
#define ERA 146097 /* days in 400 years */

/*
 * The C library reads the machine's time zone before it tells UTC, which costs more than all the
 * rest. Counted in years that begin in March, so that the odd day comes last.
 */
const char *time_now_text(char buf[TIME_TEXT_MAX])
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	unsigned long days = (unsigned long)ts.tv_sec / DAY + 719468; /* since March 1 of year 0 */
	unsigned s = (unsigned)((unsigned long)ts.tv_sec % DAY);
	unsigned long era = days / ERA, day = days % ERA;
	unsigned long year = (day - day / 1460 + day / 36524 - day / (ERA - 1)) / 365;
	unsigned yday = (unsigned)(day - (365 * year + year / 4 - year / 100));
	unsigned shifted = (5 * yday + 2) / 153, month = shifted < 10 ? shifted + 3 : shifted - 9;

	(void)snprintf(buf, TIME_TEXT_MAX, "%04lu-%02u-%02uT%02u:%02u:%02u.%09ldZ",
		       year + era * 400 + (month <= 2), month, yday - (153 * shifted + 2) / 5 + 1,
		       s / 3600, s / 60 % 60, s % 60, ts.tv_nsec);
	return buf;
}

int64_t time_parse_text(const char *text)
{
	struct tm tm = { 0 };

	if (!text || !strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
		return 0;
	return (int64_t)timegm(&tm);
}

const char *boot_id_text(char buf[40])
{
	cleanup_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, 36);

	buf[n > 0 ? n : 0] = 0;
	return buf;
}
