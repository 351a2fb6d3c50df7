// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/fw/nftmsg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/clock.h"
#include "netlib/base/err.h"
#include "netlib/base/plan.h"
#include "netlib/base/str.h"
#include "netlib/base/trace.h"
#include "netlib/base/vec.h"
#include "netlib/nl/attr.h"
#include "netlib/nl/nl.h"
#include "netlib/nl/nlmsg.h"

/* NFPROTO_INET; linux/netfilter.h and netinet/in.h do not go together */
#define NF_INET 1
#define ERESTART_KERNEL 85 /* ERESTART: what a batch of an old generation gets */
#define ANSWER_ROOM 2048   /* socket memory that one refused message may take */

const size_t nft_hdr_len = sizeof(struct nfgenmsg);

void nft_begin_in(struct nlmsg *m, uint8_t family, uint16_t msg, uint16_t flags)
{
	const struct nfgenmsg g = { .nfgen_family = family, .version = NFNETLINK_V0 };

	nlmsg_begin(m, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | msg), flags, &g, sizeof g);
}

void nft_begin(struct nlmsg *m, uint16_t msg, uint16_t flags)
{
	nft_begin_in(m, NF_INET, msg, flags);
}

bool nft_is(const struct nlmsghdr *h, uint16_t msg)
{
	return nft_is_in(h, NF_INET, msg);
}

bool nft_is_in(const struct nlmsghdr *h, uint8_t family, uint16_t msg)
{
	struct nfgenmsg g;

	if (h->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | msg) ||
	    h->nlmsg_len < NLMSG_HDRLEN + sizeof g)
		return false;
	memcpy(&g, (const char *)h + NLMSG_HDRLEN, sizeof g);
	return g.nfgen_family == family;
}

#define COMMENT 0 /* type of the comment among user data */

size_t nft_comment_put(char buf[NFT_COMMENT_MAX], const char *text)
{
	size_t n = strnlen(text, NFT_COMMENT_MAX - 3) + 1;

	buf[0] = COMMENT;
	buf[1] = (char)n;
	memcpy(buf + 2, text, n - 1);
	buf[n + 1] = 0;
	return n + 2;
}

/* A series of type, length, bytes; the comment's terminator is not relied on. */
void nft_comment_get(const void *data, size_t len, char *out, size_t size)
{
	const uint8_t *p = data;

	while (len >= 2 && (size_t)p[1] + 2 <= len) {
		size_t n = p[1];

		if (p[0] == COMMENT) {
			n = n < size ? n : size - 1;
			memcpy(out, p + 2, n);
			out[n] = 0;
			return;
		}
		p += n + 2;
		len -= n + 2;
	}
}

static int no_nftables(struct err *e)
{
	return err_say(e, -EOPNOTSUPP,
		       "this kernel has no nf_tables; load the module nf_tables or build it in");
}

static int not_allowed(struct err *e)
{
	return err_say(
		e, -EPERM,
		"the firewall may be changed by root only (CAP_NET_ADMIN in the user namespace that owns this network "
		"namespace)");
}

static int take_generation(const struct nlmsghdr *h, void *arg)
{
	static const struct attr_spec attrs[] = {
		[NFTA_GEN_ID] = { .type = ATTR_T_U32BE },
	};

	if (h->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN))
		return 0;
	return attr_decode_msg(h, nft_hdr_len, attrs, arg);
}

int nft_generation(struct nl *nl, uint32_t *gen, struct err *e)
{
	struct err why = ERR_INIT;
	struct nlmsg m;

	nlmsg_init(&m);
	nft_begin(&m, NFT_MSG_GETGEN, 0);
	int r = nl_get(nl, &m, take_generation, gen, &why);
	/* how nfnetlink answers for a subsystem it does not know */
	if (r == -EINVAL || r == -EOPNOTSUPP)
		return no_nftables(e);
	if (r == -EPERM)
		return not_allowed(e);
	if (r < 0 && e) {
		*e = why;
		(void)err_wrap(e, "ask for the generation of the nftables rule set");
	}
	return r;
}

void nft_batch_clear(struct nft_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->note[i].words);
	free(b->buf);
	free(b->note);
	*b = (struct nft_batch)NFT_BATCH_INIT;
}

static void append(struct nft_batch *b, const void *data, size_t len)
{
	if (b->bad)
		return;
	if (b->cap - b->len < len) {
		size_t cap = (b->cap ? b->cap : 4096) * 2;

		while (cap - b->len < len)
			cap *= 2;
		char *p = realloc(b->buf, cap);
		if (!p) {
			b->bad = -ENOMEM;
			return;
		}
		b->buf = p;
		b->cap = cap;
	}
	memcpy(b->buf + b->len, data, len);
	b->len += len;
}

/* The envelope: begin carries the generation the batch was made for. */
static void append_envelope(struct nft_batch *b, uint16_t type, const uint32_t *gen)
{
	const struct nfgenmsg g = { .nfgen_family = AF_UNSPEC,
				    .version = NFNETLINK_V0,
				    .res_id = htons(NFNL_SUBSYS_NFTABLES) };
	struct nlmsg m;

	nlmsg_init(&m);
	nlmsg_begin(&m, type, 0, &g, sizeof g);
	if (gen)
		nlmsg_u32be(&m, NFNL_BATCH_GENID, *gen);
	append(b, m.buf, m.len);
}

void nft_batch_add(struct nft_batch *b, const struct nlmsg *m, const char *act, const char *noun,
		   const char *name, size_t tag)
{
	if (!b->bad)
		b->bad = m->bad;
	struct nft_note *note = b->bad ? NULL : vec_add(&b->note, &b->n);
	if (!note) {
		b->bad = b->bad ? b->bad : -ENOMEM;
		return;
	}
	note->act = act;
	note->noun = noun;
	note->tag = tag;
	(void)str_copyf(note->name, sizeof note->name, "%s", name);
	b->deletions += act[0] == 'd';
	append(b, m->buf, m->len);
}

void nft_batch_words(struct nft_batch *b, const char *words)
{
	if (!b->bad && b->n)
		b->note[b->n - 1].words = strdup(words);
}

/*
 * Numbers the messages. Only the last one asks for an acknowledgement: failures are reported
 * without being asked for, and thousands of acknowledgements would not fit into the socket.
 */
static uint32_t number(struct nl *nl, char *buf, size_t len, size_t messages)
{
	uint32_t first = nl->seq + 1;

	for (size_t at = 0, i = 0; at < len; i++) {
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)(buf + at);

		h->nlmsg_seq = ++nl->seq;
		if (i == messages)
			h->nlmsg_flags |= NLM_F_ACK;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return first;
}

/*
 * Beyond the default of some 200 KiB; the plain option is for callers that are root only in their
 * user namespace.
 */
static void make_room(int fd, int force, int plain, size_t need)
{
	int size = (int)need;

	if (need > 100 * 1024 && setsockopt(fd, SOL_SOCKET, force, &size, sizeof size) < 0)
		(void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size);
}

static const char *table_of(const struct nft_batch *b)
{
	return b->table ?: "inet " NFT_TABLE;
}

/*
 * One answer: at the envelope (no nf_tables, generation moved, refused as a whole) or at a message.
 * Returns true for the last one.
 */
static bool take_answer(const struct nlmsghdr *h, uint32_t first, struct nft_batch *b, int *whole)
{
	struct nlmsgerr ne;
	uint32_t i = h->nlmsg_seq - first;

	if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_HDRLEN + sizeof ne || i > b->n + 1)
		return false;
	memcpy(&ne, (const char *)h + NLMSG_HDRLEN, sizeof ne);
	if (i == 0 || i == b->n + 1)
		*whole = ne.error ? ne.error : *whole;
	else if (!b->note[i - 1].err)
		b->note[i - 1].err = ne.error;
	return i == b->n;
}

/* The kernel has executed the batch before sendto() returned: what it has to say is waiting. */
static int take_answers(struct nl *nl, uint32_t first, struct nft_batch *b, struct err *e)
{
	_Alignas(8) char buf[8192];
	bool last = false;
	int whole = 0;

	for (;;) {
		struct sockaddr_nl from = { 0 };
		socklen_t fromlen = sizeof from;
		ssize_t n = recvfrom(nl->fd, buf, sizeof buf, MSG_DONTWAIT,
				     (struct sockaddr *)&from, &fromlen);

		if (n < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return err_set(e, -errno, "receive from the kernel (%s namespace)",
				       nl->name);
		if (from.nl_pid != 0)
			continue;
		for (size_t at = 0; (size_t)n - at >= sizeof(struct nlmsghdr);) {
			const struct nlmsghdr *h =
				(const struct nlmsghdr *)(const void *)(buf + at);

			if (h->nlmsg_len < sizeof *h || h->nlmsg_len > (size_t)n - at)
				break;
			last |= take_answer(h, first, b, &whole);
			at += NLMSG_ALIGN(h->nlmsg_len) < (size_t)n - at ?
				      NLMSG_ALIGN(h->nlmsg_len) :
				      (size_t)n - at;
		}
	}
	if (whole == -ERESTART_KERNEL || whole == -EAGAIN || whole == -EINTR)
		return NFT_MOVED;
	if (whole == -EOPNOTSUPP)
		return no_nftables(e);
	if (whole == -EPERM)
		return not_allowed(e);
	if (whole < 0)
		return err_set(e, whole, "nftables: commit a change of table %s", table_of(b));
	return last ? 0 : err_set(e, -EIO, "nftables: the kernel did not answer");
}

/* Each operation with what became of it; the last one has the time of the whole batch. */
static void trace_batch(const struct nft_batch *b, int r, int64_t us)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct nft_note *n = &b->note[i];
		const char *end = n->err ? strerror(-n->err) : r == 0 ? "ok" : "not committed";

		trace_event("nft", n->name, i + 1 == b->n ? us : -1, "%s %s%s%s: %s", n->act,
			    n->noun, n->words ? " " : "", n->words ? n->words : "", end);
	}
}

/* In a dry run, a batch that the kernel would have taken. */
static void note_batch(const struct nft_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->note[i].err)
			return;
	for (size_t i = 0; i < b->n; i++)
		plan_note("nft", "host", "%s %s %s%s%s", b->note[i].act, b->note[i].noun,
			  b->note[i].name, b->note[i].words ? ": " : "",
			  b->note[i].words ? b->note[i].words : "");
}

int nft_batch_send(struct nl *nl, struct nft_batch *b, const uint32_t *gen, struct err *e)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	cleanup_batch struct nft_batch whole = NFT_BATCH_INIT;

	if (!b->n && !b->bad)
		return 0;
	append_envelope(&whole, NFNL_MSG_BATCH_BEGIN, gen);
	append(&whole, b->buf, b->len);
	if (!plan_on()) /* without an end the kernel checks everything and commits nothing */
		append_envelope(&whole, NFNL_MSG_BATCH_END, NULL);
	if (b->bad || whole.bad)
		return err_set(e, b->bad ? b->bad : whole.bad,
			       "write a change of the nftables rule set");
	make_room(nl->fd, SO_SNDBUFFORCE, SO_SNDBUF, whole.len + 4096);
	make_room(nl->fd, SO_RCVBUFFORCE, SO_RCVBUF, b->n * ANSWER_ROOM);
	uint32_t first = number(nl, whole.buf, whole.len, b->n);
	for (size_t i = 0; i < b->n; i++)
		b->note[i].err = 0;
	int64_t start = trace_on() ? clock_us() : 0;
	while (sendto(nl->fd, whole.buf, whole.len, 0, (struct sockaddr *)&kernel, sizeof kernel) <
	       0)
		if (errno != EINTR)
			return err_set(e, -errno, "send %zu bytes to nf_tables (%s namespace)",
				       whole.len, nl->name);
	int r = take_answers(nl, first, b, e);
	if (trace_on())
		trace_batch(b, r, clock_us() - start);
	if (r == 0 && plan_on())
		note_batch(b);
	for (size_t i = 0; i < b->n && r == 0; i++)
		if (b->note[i].err)
			r = err_set(e, b->note[i].err, "nftables: %s %s %s in table %s",
				    b->note[i].act, b->note[i].noun, b->note[i].name, table_of(b));
	return r;
}
