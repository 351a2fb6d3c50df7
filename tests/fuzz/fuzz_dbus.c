// SPDX-License-Identifier: GPL-2.0-or-later
/* A message from the bus, with a head that says the truth about its length or not. */
#include <string.h>

#include "netlib/fw/dbus.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dbus_message m;
	uint8_t *copy;

	if (size < DBUS_HEAD || !(copy = malloc(size)))
		return 0;
	memcpy(copy, data, size);
	size_t len = dbus_message_len(copy);
	PROMISE(len <= DBUS_MESSAGE_MAX && (!len || len >= DBUS_HEAD));
	PROMISE(dbus_parse(copy, size, &m) < 0 || len == size);
	/* the most fruitful case: a body of exactly the length said */
	uint32_t fields = copy[12] % (size - DBUS_HEAD + 1);
	size_t body_at = (DBUS_HEAD + fields + 7) / 8 * 8;
	if (body_at <= size) {
		memset(copy + 12, 0, 4);
		memset(copy + 4, 0, 4);
		copy[0] = 'l';
		copy[3] = 1;
		copy[12] = (uint8_t)fields;
		copy[4] = (uint8_t)(size - body_at);
		copy[5] = (uint8_t)((size - body_at) >> 8);
		if (dbus_parse(copy, size, &m) == 0) {
			PROMISE(memchr(m.reply.text, 0, sizeof m.reply.text));
			PROMISE(memchr(m.reply.name, 0, sizeof m.reply.name));
			PROMISE(m.reply.error == (m.type == DBUS_ERROR));
		}
	}
	free(copy);
	return 0;
}
