// SPDX-License-Identifier: GPL-2.0-or-later
/* D-Bus messages written and read; the other half of dbus.h, which talks, is dbus.c. */
#include <errno.h>
#include <string.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/str.h"
#include "netlib/fw/dbus.h"

enum { METHOD_CALL = 1, METHOD_RETURN = 2, METHOD_ERROR = 3 };
enum {
	FIELD_PATH = 1,
	FIELD_INTERFACE = 2,
	FIELD_MEMBER = 3,
	FIELD_ERROR_NAME = 4,
	FIELD_REPLY_SERIAL = 5,
	FIELD_DESTINATION = 6,
	FIELD_SIGNATURE = 8
};
#define VERSION 1
#define NO_AUTO_START 2 /* flag: nobody is started to answer us */
#define FIELDS_AT 12	/* where the length of the header's fields stands */

/* ---- writing: little-endian, as we say in the first byte */

struct writer {
	uint8_t *p;
	size_t len, size;
	bool full;
};

static void put(struct writer *w, const void *data, size_t n)
{
	if (w->full || w->size - w->len < n) {
		w->full = true;
		return;
	}
	memcpy(w->p + w->len, data, n);
	w->len += n;
}

static void put_byte(struct writer *w, uint8_t b)
{
	put(w, &b, 1);
}

static void align(struct writer *w, size_t to)
{
	while (w->len % to && !w->full)
		put_byte(w, 0);
}

static void encode_u32(uint8_t out[4], uint32_t v)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(v >> 8 * i);
}

static void put_u32(struct writer *w, uint32_t v)
{
	uint8_t b[4];

	align(w, 4);
	encode_u32(b, v);
	put(w, b, 4);
}

static void put_string(struct writer *w, const char *s)
{
	put_u32(w, (uint32_t)strlen(s));
	put(w, s, strlen(s) + 1);
}

static void put_signature(struct writer *w, const char *s)
{
	put_byte(w, (uint8_t)strlen(s));
	put(w, s, strlen(s) + 1);
}

static void put_field(struct writer *w, uint8_t code, const char *type, const char *value)
{
	align(w, 8);
	put_byte(w, code);
	put_signature(w, type);
	if (*type == 'g')
		put_signature(w, value);
	else
		put_string(w, value);
}

static size_t count(const struct dbus_call *c)
{
	size_t n = 0;

	while (n < DBUS_ARGS_MAX && c->args[n])
		n++;
	return n;
}

size_t dbus_write_call(const struct dbus_call *c, uint32_t serial, uint8_t *buf, size_t size)
{
	static const char signature[] = "ssss";
	struct writer w = { .p = buf, .size = size };
	size_t n = count(c);

	put(&w, (const uint8_t[]){ 'l', METHOD_CALL, NO_AUTO_START, VERSION }, 4);
	put_u32(&w, 0); /* length of the body, known at the end */
	put_u32(&w, serial);
	put_u32(&w, 0); /* length of the fields */
	put_field(&w, FIELD_PATH, "o", c->path);
	put_field(&w, FIELD_INTERFACE, "s", c->interface);
	put_field(&w, FIELD_MEMBER, "s", c->member);
	put_field(&w, FIELD_DESTINATION, "s", c->dest);
	if (n)
		put_field(&w, FIELD_SIGNATURE, "g", signature + sizeof signature - 1 - n);
	size_t fields = w.len - DBUS_HEAD;
	align(&w, 8);
	size_t body = w.len;
	for (size_t i = 0; i < n; i++)
		put_string(&w, c->args[i]);
	if (w.full)
		return 0;
	encode_u32(buf + 4, (uint32_t)(w.len - body));
	encode_u32(buf + FIELDS_AT, (uint32_t)fields);
	return w.len;
}

/* ---- reading: in whichever order of bytes the sender has */

struct reader {
	const uint8_t *p;
	size_t at, end; /* both from the beginning of the message, which alignment counts from */
	bool big, bad;
};

static uint32_t decode_u32(const uint8_t *p, bool big)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++)
		v |= (uint32_t)p[i] << 8 * (big ? 3 - i : i);
	return v;
}

static const uint8_t *take(struct reader *r, size_t alignment, size_t n)
{
	size_t at = (r->at + alignment - 1) / alignment * alignment;

	if (r->bad || at > r->end || r->end - at < n) {
		r->bad = true;
		return NULL;
	}
	r->at = at + n;
	return r->p + at;
}

static uint32_t take_u32(struct reader *r)
{
	const uint8_t *p = take(r, 4, 4);

	return p ? decode_u32(p, r->big) : 0;
}

static uint8_t take_byte(struct reader *r)
{
	const uint8_t *p = take(r, 1, 1);

	return p ? *p : 0;
}

/* n bytes and a terminator, none in between; NULL when it is not so. */
static const char *take_text(struct reader *r, size_t n)
{
	const char *s = n < DBUS_MESSAGE_MAX ? (const char *)take(r, 1, n + 1) : NULL;

	if (!s || s[n] || strlen(s) != n) {
		r->bad = true;
		return NULL;
	}
	return s;
}

static const char *take_string(struct reader *r)
{
	uint32_t n = take_u32(r);

	return take_text(r, n);
}

static const char *take_signature(struct reader *r)
{
	uint8_t n = take_byte(r);

	return take_text(r, n);
}

/* What the fields of a header say that we care for. */
struct fields {
	const char *error_name, *signature;
	uint32_t reply_to;
};

static void take_field(struct reader *r, struct fields *f)
{
	(void)take(r, 8, 0);
	uint8_t code = take_byte(r);
	const char *type = take_signature(r), *text = NULL;
	uint32_t number = 0;

	if (!type || strlen(type) != 1) {
		r->bad = true;
		return;
	}
	if (*type == 's' || *type == 'o')
		text = take_string(r);
	else if (*type == 'g')
		text = take_signature(r);
	else if (*type == 'u')
		number = take_u32(r);
	else
		r->bad = true;
	if (code == FIELD_ERROR_NAME)
		f->error_name = *type == 's' ? text : NULL;
	else if (code == FIELD_SIGNATURE)
		f->signature = *type == 'g' ? text : NULL;
	else if (code == FIELD_REPLY_SERIAL)
		f->reply_to = number;
}

size_t dbus_message_len(const uint8_t head[DBUS_HEAD])
{
	bool big = head[0] == 'B';
	size_t body = decode_u32(head + 4, big), fields = decode_u32(head + FIELDS_AT, big);

	if ((!big && head[0] != 'l') || head[3] != VERSION || body > DBUS_MESSAGE_MAX ||
	    fields > DBUS_MESSAGE_MAX)
		return 0;
	size_t len = (DBUS_HEAD + fields + 7) / 8 * 8 + body;
	return len > DBUS_MESSAGE_MAX ? 0 : len;
}

/* The first value of the body, when it is of a kind that we can use. */
static void take_answer(struct reader *r, const char *signature, struct dbus_reply *out)
{
	uint32_t yes;
	const char *s;

	if (signature && *signature == 's') {
		if ((s = take_string(r)))
			(void)str_copyf(out->text, sizeof out->text, "%s", s);
	} else if (signature && *signature == 'b') {
		yes = take_u32(r);
		out->yes = yes == 1;
		r->bad |= yes > 1;
	}
}

int dbus_parse(const uint8_t *buf, size_t len, struct dbus_message *out)
{
	struct reader r = { .p = buf, .at = DBUS_HEAD };
	struct dbus_message m = { 0 };
	struct fields f = { 0 };

	if (len < DBUS_HEAD || dbus_message_len(buf) != len)
		return -EBADMSG;
	r.big = buf[0] == 'B';
	m.type = buf[1] == METHOD_RETURN ? DBUS_RETURN :
		 buf[1] == METHOD_ERROR	 ? DBUS_ERROR :
					   DBUS_OTHER;
	r.end = DBUS_HEAD + decode_u32(buf + FIELDS_AT, r.big);
	while (!r.bad && r.at < r.end)
		take_field(&r, &f);
	if (r.bad)
		return -EBADMSG;
	r.at = (r.end + 7) / 8 * 8;
	r.end = len;
	m.reply_to = f.reply_to;
	m.reply.error = m.type == DBUS_ERROR;
	if (m.reply.error)
		(void)str_copyf(m.reply.name, sizeof m.reply.name, "%s", f.error_name ?: "?");
	if (m.type != DBUS_OTHER)
		take_answer(&r, f.signature, &m.reply);
	if (r.bad)
		return -EBADMSG;
	*out = m;
	return 0;
}
