// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/publish.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "runner/hostport.h"
#include "runner/state.h"

/* The kernel's for connections that begin here, and docker's for this. */
#define FIRST 32768u
#define LAST 60999u
#define TRIES 200

bool publish_lacks_host(const char *text)
{
	const char *colon = strrchr(text, ':');

	return !colon || (colon > text + 1 && colon[-1] == ':');
}

int publish_with_host(const char *text, unsigned first, unsigned count, char *buf, size_t size)
{
	const char *colon = strrchr(text, ':'), *ctr = colon ? colon + 1 : text;
	char last[16] = "";

	if (count > 1)
		(void)str_copyf(last, sizeof last, "-%u", first + count - 1);
	/* "ADDRESS:" of "ADDRESS::80" */
	return str_copyf(buf, size, "%.*s%u%s:%s", colon ? (int)(colon - text) : 0, text, first,
			 last, ctr);
}

static bool meet(const struct port_map *a, const struct port_map *b)
{
	return a->proto == b->proto && a->host_port < b->host_port + b->count &&
	       b->host_port < a->host_port + a->count;
}

static bool is_taken(const struct port_map *m, const struct port_map *taken, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (meet(m, &taken[i]))
			return true;
	return false;
}

static bool published(const struct port_map *m, const struct ctr *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; v[i].status == CTR_RUNNING && k < v[i].rec.nports; k++) {
			struct port_map other;

			if (port_map_parse(v[i].rec.ports[k], &other, NULL) == 0 && meet(m, &other))
				return true;
		}
	return false;
}

static int draw(const char *text, struct port_map *m, char *buf, size_t size, struct err *e)
{
	unsigned count = m->count ? m->count : 1, dice = 0;

	if (getrandom(&dice, sizeof dice, 0) != sizeof dice)
		return err_set(e, -errno, "-p %s: choose a host port", text);
	if (publish_with_host(text, FIRST + dice % (LAST + 2 - FIRST - count), count, buf, size) <
	    0)
		return err_set(e, -ENAMETOOLONG, "-p %.100s", text);
	return port_map_parse(buf, m, e);
}

/* The number of ports is only known once the text, made whole, has been understood. */
static int count_ports(const char *text, struct port_map *m, struct err *e)
{
	const char *colon = strrchr(text, ':'), *ctr = colon ? colon + 1 : text;
	char whole[128];

	/* "80-82/udp" as "80-82:80-82/udp" */
	if (str_copyf(whole, sizeof whole, "%.*s%.*s:%s", colon ? (int)(colon - text) : 0, text,
		      (int)strcspn(ctr, "/"), ctr, ctr) < 0 ||
	    port_map_parse(whole, m, NULL) < 0)
		return port_map_parse(text, m, e);
	return m->count <= LAST + 1 - FIRST ?
		       0 :
		       err_say(e, -EINVAL, "-p %s: expected at most %u ports to choose for", text,
			       LAST + 1 - FIRST);
}

int publish_choose(const char *text, const struct port_map *taken, size_t ntaken, char *buf,
		   size_t size, struct port_map *out, struct err *e)
{
	cleanup_state struct state st = STATE_INIT;
	struct port_map m = { 0 };
	struct ctr *v = NULL;
	size_t n = 0;
	int r = count_ports(text, &m, e);

	if (r < 0 || (r = state_open(&st, STATE_READ, e)) < 0 ||
	    (r = ctrs_load(&st, &v, &n, e)) < 0)
		return r;
	bool free_one = false;
	for (int i = 0; !free_one && i < TRIES && r == 0; i++)
		free_one = (r = draw(text, &m, buf, size, e)) == 0 &&
			   !is_taken(&m, taken, ntaken) && !published(&m, v, n) &&
			   hostport_check(&m, 1, NULL) == 0;
	ctrs_free(v, n);
	if (r == 0 && !free_one)
		return err_say(e, -EADDRINUSE,
			       "-p %s: found no free host port in %u-%u after %d tries", text,
			       FIRST, LAST, TRIES);
	if (r == 0)
		*out = m;
	return r;
}
