// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlib/nl/attr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

static int take_str(const char *data, size_t len, char *out, size_t size)
{
	size_t n = strnlen(data, len);

	if (n >= size)
		return -EBADMSG;
	memcpy(out, data, n);
	out[n] = 0;
	return 0;
}

static int take_number(enum attr_type type, const void *data, size_t len, void *out)
{
	static const size_t width[] = {
		[ATTR_T_U8] = 1, [ATTR_T_U16] = 2, [ATTR_T_U32] = 4, [ATTR_T_U32BE] = 4
	};

	if (len < width[type])
		return -EBADMSG;
	memcpy(out, data, width[type]);
	if (type == ATTR_T_U32BE) {
		uint32_t v;

		memcpy(&v, data, sizeof v);
		v = ntohl(v);
		memcpy(out, &v, sizeof v);
	}
	return 0;
}

static int take(const struct attr_spec *s, const void *data, size_t len, void *obj)
{
	char *member = (char *)obj + s->off;

	switch (s->type) {
	case ATTR_T_NONE:
		return 0;
	case ATTR_T_STR:
		return take_str(data, len, member, s->size);
	case ATTR_T_BYTES:
		if (len == s->size)
			memcpy(member, data, len);
		return 0;
	case ATTR_T_NEST:
		return attr_decode_raw(data, len, s->sub, s->nsub, obj);
	case ATTR_T_FN:
		return s->fn(data, len, obj);
	default:
		return take_number(s->type, data, len, member);
	}
}

int attr_decode_raw(const void *data, size_t len, const struct attr_spec *specs, size_t n,
		    void *obj)
{
	const char *p = data;

	while (len >= NLA_HDRLEN) {
		struct nlattr a;

		memcpy(&a, p, sizeof a);
		if (a.nla_len < NLA_HDRLEN || a.nla_len > len)
			return -EBADMSG;
		unsigned type = a.nla_type & NLA_TYPE_MASK;
		if (type < n) {
			int r = take(&specs[type], p + NLA_HDRLEN, a.nla_len - (size_t)NLA_HDRLEN,
				     obj);

			if (r < 0)
				return r;
		}
		size_t step = NLA_ALIGN((size_t)a.nla_len);
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
	return 0;
}

int attr_decode(const struct nlmsghdr *h, size_t hdr_len, const struct attr_spec *specs, size_t n,
		void *obj)
{
	size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(hdr_len);

	if (h->nlmsg_len < NLMSG_HDRLEN + hdr_len)
		return -EBADMSG;
	if (h->nlmsg_len < skip)
		return 0;
	return attr_decode_raw((const char *)h + skip, h->nlmsg_len - skip, specs, n, obj);
}
