// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/etc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/str.h"
#include "netlib/cni/result.h"

#define RESOLV_MAX (64 * 1024)
#define WORDS " \t"

const char *const etc_files[ETC_FILES] = { "hostname", "hosts", "resolv.conf" };

char *etc_hosts(const char *hostname, const struct cni_result *res)
{
	struct str s = STR_INIT;
	char text[IP_TEXT_MAX];

	str_add(&s,
		"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
		"fe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n");
	for (size_t i = 0; res && i < res->nips; i++)
		str_addf(&s, "%s\t%s\n", ip_text(&res->ips[i].address.addr, text), hostname);
	return str_take(&s);
}

static void add_words(struct str *s, const char *keyword, char *const *words, size_t n)
{
	if (!n)
		return;
	str_add(s, keyword);
	for (size_t i = 0; i < n; i++)
		str_addf(s, " %s", words[i]);
	str_addc(s, '\n');
}

static bool loopback_server(const char *line, size_t len)
{
	char word[64];
	struct ip_addr a;
	size_t skip = strlen("nameserver");

	if (len <= skip || memcmp(line, "nameserver", skip) != 0 || !strchr(WORDS, line[skip]))
		return false;
	skip += strspn(line + skip, WORDS);
	size_t n = strcspn(line + skip, WORDS "\n#;%");
	if (n >= sizeof word)
		return false;
	memcpy(word, line + skip, n);
	word[n] = 0;
	return ip_parse(word, &a) == 0 && ip_is_loopback(&a);
}

char *etc_resolv(const struct cni_dns *dns, const char *host_conf)
{
	struct str s = STR_INIT;

	if (dns && !cni_dns_empty(dns)) {
		for (size_t i = 0; i < dns->nnameservers; i++)
			str_addf(&s, "nameserver %s\n", dns->nameservers[i]);
		if (dns->domain && *dns->domain && !dns->nsearch)
			str_addf(&s, "domain %s\n", dns->domain);
		add_words(&s, "search", dns->search, dns->nsearch);
		add_words(&s, "options", dns->options, dns->noptions);
		return str_take(&s);
	}
	for (const char *p = host_conf; *p;) {
		size_t len = strcspn(p, "\n");

		if (!loopback_server(p, len)) {
			str_add_n(&s, p, len);
			str_addc(&s, '\n');
		}
		p += len + (p[len] == '\n');
	}
	return str_take(&s);
}

static char *read_conf(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = NULL;

	if (fd >= 0)
		(void)fd_read_all(fd, RESOLV_MAX, -1, &text, NULL);
	return text;
}

/*
 * systemd's stub listens on the host's loopback only; the file beside it names the servers it asks.
 */
static char *host_resolv(void)
{
	cleanup_free char *text = read_conf("/etc/resolv.conf");
	char *behind = text && strstr(text, "127.0.0.53") ?
			       read_conf("/run/systemd/resolve/resolv.conf") :
			       NULL;

	return behind ? behind : text ? take_ptr(text) : strdup("");
}

static int write_in_place(int dir, const char *name, const char *text, struct err *e)
{
	cleanup_fd int fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r = fd < 0		     ? -errno :
		fchmod(fd, 0644) < 0 ? -errno :
				       fd_write_all(fd, text, strlen(text));

	return r < 0 ? err_set(e, r, "write the container's /etc/%s", name) : 0;
}

static int write_text(int dir, const char *name, const char *text, struct err *e)
{
	return text ? write_in_place(dir, name, text, e) :
		      err_set(e, -ENOMEM, "write the container's /etc/%s", name);
}

int etc_write(int dir, const char *hostname, const struct cni_result *res, struct err *e)
{
	cleanup_free char *host_conf = host_resolv();
	cleanup_free char *name = str_fmt("%s\n", hostname);
	cleanup_free char *hosts = etc_hosts(hostname, res);
	cleanup_free char *resolv =
		host_conf ? etc_resolv(res ? &res->dns : NULL, host_conf) : NULL;
	const char *const texts[ETC_FILES] = { name, hosts, resolv };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ETC_FILES; i++)
		r = write_text(dir, etc_files[i], texts[i], e);
	return r;
}

int etc_write_result(int dir, const char *hostname, const struct cni_result *res, struct err *e)
{
	cleanup_free char *hosts = etc_hosts(hostname, res);
	int r = write_text(dir, "hosts", hosts, e);

	if (r < 0 || cni_dns_empty(&res->dns))
		return r;
	cleanup_free char *resolv = etc_resolv(&res->dns, "");
	return write_text(dir, "resolv.conf", resolv, e);
}
