// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The part of libmnl's interface that is used here: by netlib/nl for reading, and by libnftnl's
 * archive for building rules. Debian ships libmnl as a shared library only; with these functions
 * inside no program of ours loads a library besides libc, and naru itself can be linked
 * statically. The interface is <libmnl/libmnl.h>, documented there.
 */
#include <libmnl/libmnl.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* --- messages --- */

struct nlmsghdr *mnl_nlmsg_put_header(void *buf)
{
	struct nlmsghdr *h = buf;

	*h = (struct nlmsghdr){ .nlmsg_len = MNL_NLMSG_HDRLEN };
	return h;
}

void *mnl_nlmsg_get_payload(const struct nlmsghdr *h)
{
	return (char *)h + MNL_NLMSG_HDRLEN;
}

void *mnl_nlmsg_get_payload_offset(const struct nlmsghdr *h, size_t offset)
{
	return (char *)mnl_nlmsg_get_payload(h) + MNL_ALIGN(offset);
}

void *mnl_nlmsg_get_payload_tail(const struct nlmsghdr *h)
{
	return (char *)h + MNL_ALIGN(h->nlmsg_len);
}

/* --- reading attributes --- */

uint16_t mnl_attr_get_type(const struct nlattr *a)
{
	return a->nla_type & NLA_TYPE_MASK;
}

uint16_t mnl_attr_get_payload_len(const struct nlattr *a)
{
	return (uint16_t)(a->nla_len - MNL_ATTR_HDRLEN);
}

void *mnl_attr_get_payload(const struct nlattr *a)
{
	return (char *)a + MNL_ATTR_HDRLEN;
}

bool mnl_attr_ok(const struct nlattr *a, int left)
{
	return left >= (int)sizeof *a && a->nla_len >= sizeof *a && (int)a->nla_len <= left;
}

struct nlattr *mnl_attr_next(const struct nlattr *a)
{
	return (struct nlattr *)((char *)a + MNL_ALIGN(a->nla_len));
}

int mnl_attr_type_valid(const struct nlattr *a, uint16_t max)
{
	if (mnl_attr_get_type(a) <= max)
		return 1;
	errno = EOPNOTSUPP;
	return -1;
}

static int refuse(int error)
{
	errno = error;
	return -1;
}

int mnl_attr_validate(const struct nlattr *a, enum mnl_attr_data_type type)
{
	static const uint8_t least[MNL_TYPE_MAX] = {
		[MNL_TYPE_U8] = 1,	   [MNL_TYPE_U16] = 2,	 [MNL_TYPE_U32] = 4,
		[MNL_TYPE_U64] = 8,	   [MNL_TYPE_MSECS] = 8, [MNL_TYPE_STRING] = 1,
		[MNL_TYPE_NUL_STRING] = 1,
	};
	const char *p = mnl_attr_get_payload(a);
	uint16_t len = mnl_attr_get_payload_len(a);

	if (type >= MNL_TYPE_MAX)
		return refuse(EINVAL);
	if (len < least[type] || (type == MNL_TYPE_FLAG && len) ||
	    (type == MNL_TYPE_NESTED && len && len < MNL_ATTR_HDRLEN))
		return refuse(ERANGE);
	return type == MNL_TYPE_NUL_STRING && p[len - 1] ? refuse(EINVAL) : 0;
}

uint8_t mnl_attr_get_u8(const struct nlattr *a)
{
	return *(uint8_t *)mnl_attr_get_payload(a);
}

uint16_t mnl_attr_get_u16(const struct nlattr *a)
{
	return *(uint16_t *)mnl_attr_get_payload(a);
}

uint32_t mnl_attr_get_u32(const struct nlattr *a)
{
	return *(uint32_t *)mnl_attr_get_payload(a);
}

/* attributes are aligned to four bytes only */
uint64_t mnl_attr_get_u64(const struct nlattr *a)
{
	uint64_t v;

	memcpy(&v, mnl_attr_get_payload(a), sizeof v);
	return v;
}

const char *mnl_attr_get_str(const struct nlattr *a)
{
	return mnl_attr_get_payload(a);
}

static int each(const struct nlattr *a, const char *end, mnl_attr_cb_t cb, void *data)
{
	int r = MNL_CB_OK;

	for (; r > MNL_CB_STOP && mnl_attr_ok(a, (int)(end - (char *)a)); a = mnl_attr_next(a))
		r = cb(a, data);
	return r;
}

int mnl_attr_parse(const struct nlmsghdr *h, unsigned offset, mnl_attr_cb_t cb, void *data)
{
	return each(mnl_nlmsg_get_payload_offset(h, offset), mnl_nlmsg_get_payload_tail(h), cb,
		    data);
}

int mnl_attr_parse_nested(const struct nlattr *nest, mnl_attr_cb_t cb, void *data)
{
	return each(mnl_attr_get_payload(nest), (char *)nest + MNL_ALIGN(nest->nla_len), cb, data);
}

/* --- writing attributes --- */

void mnl_attr_put(struct nlmsghdr *h, uint16_t type, size_t len, const void *data)
{
	struct nlattr *a = mnl_nlmsg_get_payload_tail(h);
	size_t size = MNL_ATTR_HDRLEN + len;

	*a = (struct nlattr){ .nla_type = type, .nla_len = (uint16_t)size };
	if (len)
		memcpy(mnl_attr_get_payload(a), data, len);
	memset((char *)a + size, 0, MNL_ALIGN(size) - size);
	h->nlmsg_len += MNL_ALIGN(size);
}

void mnl_attr_put_u8(struct nlmsghdr *h, uint16_t type, uint8_t v)
{
	mnl_attr_put(h, type, sizeof v, &v);
}

void mnl_attr_put_u16(struct nlmsghdr *h, uint16_t type, uint16_t v)
{
	mnl_attr_put(h, type, sizeof v, &v);
}

void mnl_attr_put_u32(struct nlmsghdr *h, uint16_t type, uint32_t v)
{
	mnl_attr_put(h, type, sizeof v, &v);
}

void mnl_attr_put_u64(struct nlmsghdr *h, uint16_t type, uint64_t v)
{
	mnl_attr_put(h, type, sizeof v, &v);
}

void mnl_attr_put_str(struct nlmsghdr *h, uint16_t type, const char *s)
{
	mnl_attr_put(h, type, strlen(s), s);
}

void mnl_attr_put_strz(struct nlmsghdr *h, uint16_t type, const char *s)
{
	mnl_attr_put(h, type, strlen(s) + 1, s);
}

struct nlattr *mnl_attr_nest_start(struct nlmsghdr *h, uint16_t type)
{
	struct nlattr *nest = mnl_nlmsg_get_payload_tail(h);

	*nest = (struct nlattr){ .nla_type = NLA_F_NESTED | type };
	h->nlmsg_len += MNL_ALIGN(sizeof *nest);
	return nest;
}

void mnl_attr_nest_end(struct nlmsghdr *h, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)((char *)mnl_nlmsg_get_payload_tail(h) - (char *)nest);
}
