/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_IDS_H
#define NARU_CNI_IDS_H

#include <stdint.h>

/*
 * An ELF note (".note.naru", name "Naru", type 1) with the build id, so that a program can tell
 * from the file of another one whether both come from one build. Placed by NARU_NOTE in each main
 * file, which includes the generated build-id.h.
 */
struct naru_note {
	uint32_t namesz, descsz, type;
	char name[8];
	char id[32];
};

extern const struct naru_note naru_note;

#define NARU_NOTE \
	__attribute__((section(".note.naru"), used, aligned(4))) \
	const struct naru_note naru_note = { \
		.namesz = 5, .descsz = 32, .type = 1, .name = "Naru", .id = NARU_BUILD_ID \
	}

#endif
