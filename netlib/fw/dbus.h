/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_FW_DBUS_H
#define NARU_FW_DBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * As much of D-Bus as asking one service one question takes: method calls whose arguments are
 * strings, answered with a string, a truth value, or an error. A library for it would cost more to
 * load than the whole call takes, on every machine that has a bus, firewalld or not.
 */
struct err;

struct dbus {
	int fd; /* -1: none */
	uint32_t serial;
};
#define DBUS_INIT { .fd = -1 }
void dbus_close(struct dbus *d);
#define cleanup_dbus __attribute__((cleanup(dbus_close)))

/* For a whole conversation: connecting, saying who we are, one call. */
#define DBUS_PATIENCE_MS 10000

/*
 * Connects to the system bus: DBUS_SYSTEM_BUS_ADDRESS (unix:path=... or unix:abstract=...), else
 * /run/dbus/system_bus_socket. 1 when there is none; negative when there is one that does not talk
 * to us.
 */
#define DBUS_NO_BUS 1
int dbus_open(struct dbus *d, struct err *e);

#define DBUS_ARGS_MAX 4
struct dbus_call {
	const char *dest, *path, *interface, *member;
	const char *args[DBUS_ARGS_MAX]; /* strings, up to NULL */
};

#define DBUS_TEXT_MAX 256
struct dbus_reply {
	bool error;
	char name[128];		  /* of the error */
	bool yes;		  /* the answer, when it is a truth value */
	char text[DBUS_TEXT_MAX]; /* the answer, or the error's sentence, cut to fit */
};

/* 0 with *out filled (an error of the service is an answer), or negative: the bus is unusable. */
int dbus_call(struct dbus *d, const struct dbus_call *c, struct dbus_reply *out, struct err *e);

/* A message as it travels; what dbus_call writes and reads. Pure. */
#define DBUS_HEAD 16		   /* bytes in which a message says how long it is */
#define DBUS_MESSAGE_MAX (1 << 16) /* longer ones are not for us */
/* Length of the message that begins so, its head included; 0: no message, or too long. */
size_t dbus_message_len(const uint8_t head[DBUS_HEAD]);
enum dbus_type { DBUS_OTHER, DBUS_RETURN, DBUS_ERROR };
struct dbus_message {
	enum dbus_type type;
	uint32_t reply_to;
	struct dbus_reply reply;
};
/* -EBADMSG when it does not follow the rules. */
int dbus_parse(const uint8_t *buf, size_t len, struct dbus_message *out);
/* Returns the length, 0 when it does not fit. */
size_t dbus_write_call(const struct dbus_call *c, uint32_t serial, uint8_t *buf, size_t size);

#endif
