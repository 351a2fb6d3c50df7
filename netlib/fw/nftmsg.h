/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_NFTMSG_H
#define NARU_FW_NFTMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How to talk to nf_tables: requests about our table, and batches, which the kernel takes as a
 * whole or not at all.
 */
struct err;
struct nl;
struct nlmsg;
struct nlmsghdr;

#define NFT_TABLE "naru" /* family inet */
#define NFT_NAME_LEN 64	 /* of a chain or set we care for, with terminator */

/* Begins a request: msg is NFT_MSG_... */
void nft_begin(struct nlmsg *m, uint16_t msg, uint16_t flags);
/* The same about another family of tables. */
#define NFT_BRIDGE 7 /* NFPROTO_BRIDGE */
void nft_begin_in(struct nlmsg *m, uint8_t family, uint16_t msg, uint16_t flags);

/* True for an answer of type msg about the inet family, or another one. */
bool nft_is(const struct nlmsghdr *h, uint16_t msg);
bool nft_is_in(const struct nlmsghdr *h, uint8_t family, uint16_t msg);
/* What stands in front of an answer's attributes, for attr_decode. */
extern const size_t nft_hdr_len;

/*
 * The number of the rule set's current generation: any commit in the namespace, whoever makes it,
 * moves it. -EOPNOTSUPP when the kernel has no nf_tables.
 */
int nft_generation(struct nl *nl, uint32_t *gen, struct err *e);

/*
 * User data as nft writes and reads it: a comment. Writing returns the length; text is at most 127
 * characters. Reading leaves out alone when there is none.
 */
#define NFT_COMMENT_MAX 130
size_t nft_comment_put(char buf[NFT_COMMENT_MAX], const char *text);
void nft_comment_get(const void *data, size_t len, char *out, size_t size);

/* A message of a batch, for telling what failed. */
struct nft_note {
	const char *act, *noun;	 /* "add", "element of" */
	char name[NFT_NAME_LEN]; /* "dnat4" */
	char *words;		 /* for traces and plans: what it says, or NULL; owned */
	size_t tag;		 /* the caller's; NFT_NO_TAG for furniture */
	int err;		 /* after sending: 0 or -errno */
};
#define NFT_NO_TAG SIZE_MAX

struct nft_batch {
	char *buf;
	size_t len, cap;
	struct nft_note *note;
	size_t n;
	size_t deletions;
	int bad;	   /* first failure while building, -errno */
	const char *table; /* for texts; NULL: "inet " NFT_TABLE */
};
#define NFT_BATCH_INIT { 0 }
#define cleanup_batch __attribute__((cleanup(nft_batch_clear)))
void nft_batch_clear(struct nft_batch *b);

/* Appends the one message in m. */
void nft_batch_add(struct nft_batch *b, const struct nlmsg *m, const char *act, const char *noun,
		   const char *name, size_t tag);

/* Says of the last message what it is about, when a trace or a plan wants to know. */
void nft_batch_words(struct nft_batch *b, const char *words);

/*
 * Sends the batch; with gen, the kernel refuses it when its generation is another by now. An empty
 * batch is success. Returns 0; NFT_MOVED; or the first failure, with every message's own in its
 * note.
 */
#define NFT_MOVED 1
int nft_batch_send(struct nl *nl, struct nft_batch *b, const uint32_t *gen, struct err *e);

#endif
