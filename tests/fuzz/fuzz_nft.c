// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What nf_tables answers, through a pair of sockets in the kernel's place: the state of our table
 * and the elements of its sets. The first byte says how the rest is shared out among the answers.
 */
#include <linux/netlink.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlib/base/err.h"
#include "netlib/fw/nftelem.h"
#include "netlib/fw/nftstate.h"
#include "netlib/nl/nl.h"
#include "tests/fuzz/fuzz.h"

#define BODY_MAX 8192

/* One message of type msg of the inet family, and the end of the answer. */
static void answer(int fd, uint16_t msg, uint32_t seq, const uint8_t *data, size_t size)
{
	static _Alignas(8) char buf[NLMSG_HDRLEN + sizeof(struct nfgenmsg) + BODY_MAX + 64];
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf, *end;
	struct nfgenmsg *g = (struct nfgenmsg *)(void *)(buf + NLMSG_HDRLEN);

	memset(buf, 0, sizeof buf);
	*h = (struct nlmsghdr){ .nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof *g) + size),
				.nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | msg),
				.nlmsg_seq = seq };
	*g = (struct nfgenmsg){ .nfgen_family = 1 /* inet */, .version = NFNETLINK_V0 };
	memcpy(g + 1, data, size);
	end = (struct nlmsghdr *)(void *)(buf + NLMSG_ALIGN(h->nlmsg_len));
	*end = (struct nlmsghdr){ .nlmsg_len = NLMSG_LENGTH(sizeof(struct nlmsgerr)),
				  .nlmsg_type = NLMSG_ERROR,
				  .nlmsg_seq = seq };
	(void)!send(fd, buf, (size_t)((char *)end - buf) + end->nlmsg_len, 0);
}

static bool see(const struct nft_found *f, const void *arg)
{
	(void)arg;
	PROMISE(memchr(f->owner, 0, sizeof f->owner));
	return true;
}

static void empty(int fd)
{
	char request[4096];

	while (recv(fd, request, sizeof request, MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t state[] = { NFT_MSG_NEWTABLE, NFT_MSG_NEWCHAIN, NFT_MSG_NEWSET,
					  NFT_MSG_NEWRULE };
	struct nft_state s = NFT_STATE_INIT;
	struct nft_founds found = NFT_FOUNDS_INIT;
	struct nft_batch b = NFT_BATCH_INIT;
	struct err e = ERR_INIT;
	int fd[2];

	if (!size || size > BODY_MAX || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd) < 0)
		return 0;
	struct nl nl = { .fd = fd[0], .name = "fuzzed" };
	size_t at = 1, part = data[0] % 2 ? size - 1 : (size - 1) / 4;
	for (unsigned i = 0; i < 4; i++) {
		answer(fd[1], state[i], nl.seq + 1 + i, data + at, part);
		at += data[0] % 2 ? 0 : part;
	}
	if (nft_state_read(&nl, &s, &e) == 0)
		(void)nft_state_complete(&s, NULL, &b, &e);
	empty(fd[0]);
	empty(fd[1]);
	struct fw_set set = { .kind = (enum fw_kind)(data[0] % FW_KINDS) };
	answer(fd[1], NFT_MSG_NEWSETELEM, nl.seq + 1, data + 1, size - 1);
	(void)nft_elems_list(&nl, &set, see, NULL, &found, &e);
	nft_batch_clear(&b);
	nft_founds_clear(&found);
	nft_state_clear(&s);
	(void)close(fd[1]);
	nl_close(&nl);
	return 0;
}
