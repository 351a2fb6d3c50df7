// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Times new TCP connections through whatever lies between two network namespaces.
 *
 *   connect serve PORT
 *           accepts until it is ended
 *   connect measure ROUNDS N NAME=NETNS=IP:PORT...
 *           N connections to each target in turn, round by round
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/lib/netns.h"
#include "tests/bench/lib/sample.h"

struct target {
	char name[64];
	int netns;
	struct sockaddr_in addr;
};

static int serve(uint16_t port)
{
	const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(s, (const struct sockaddr *)&any, sizeof any) || listen(s, 1024))
		die("listen on port %d", port);
	for (;;) {
		int c = accept4(s, NULL, NULL, SOCK_CLOEXEC);
		if (c >= 0)
			close(c);
	}
}

static void target_parse(struct target *t, const char *text)
{
	char netns[128], ip[64];
	int port;

	if (sscanf(text, "%63[^=]=%127[^=]=%63[^:]:%d", t->name, netns, ip, &port) != 4)
		die("target %s: expected NAME=NETNS=IP:PORT", text);
	t->netns = open(netns, O_RDONLY | O_CLOEXEC);
	if (t->netns < 0)
		die("open %s", netns);
	t->addr.sin_family = AF_INET;
	t->addr.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, ip, &t->addr.sin_addr) != 1)
		die("target %s: address", text);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/*
 * The median time of n connections, in microseconds. They end by reset, to leave no port in
 * TIME_WAIT.
 */
static double round_us(const struct target *t, double *us, int n)
{
	const struct linger reset = { 1, 0 };

	netns_enter(t->netns);
	for (int i = 0; i < n; i++) {
		int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(c, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		double start = now_us();
		if (connect(c, (const struct sockaddr *)&t->addr, sizeof t->addr))
			die("%s: connection %d", t->name, i);
		us[i] = now_us() - start;
		close(c);
	}
	qsort(us, (size_t)n, sizeof *us, compare);
	return us[n / 2];
}

static int measure(int rounds, int n, char **targets, int ntarget)
{
	struct target *t = calloc((size_t)ntarget, sizeof *t);
	double *us = calloc((size_t)n, sizeof *us);

	if (!t || !us)
		die("hold %d times", n);
	for (int i = 0; i < ntarget; i++)
		target_parse(&t[i], targets[i]);
	for (int r = -1; r < rounds; r++)
		for (int i = 0; i < ntarget; i++) {
			const struct target *to = &t[(i + r + 1) % ntarget];
			double median = round_us(to, us, n);
			if (r >= 0)
				sample(to->name, "connect", "us", median);
		}
	free(us);
	free(t);
	return 0;
}

int main(int argc, char **argv)
{
	require_private();
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve((uint16_t)atoi(argv[2]));
	if (argc >= 5 && !strcmp(argv[1], "measure"))
		return measure(atoi(argv[2]), atoi(argv[3]), argv + 4, argc - 4);
	fprintf(stderr, "usage: connect serve PORT\n"
			"       connect measure ROUNDS N NAME=NETNS=IP:PORT...\n");
	return 2;
}
