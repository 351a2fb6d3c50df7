/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_IMAGE_REF_H
#define NARU_IMAGE_REF_H

struct err;

#define REF_NAME_MAX 256 /* with the terminator, as docker limits it */
#define REF_TAG_MAX 129
#define REF_DIGEST_MAX 72 /* "sha256:" and 64 hex digits */
#define REF_TEXT_MAX (REF_NAME_MAX + REF_TAG_MAX + REF_DIGEST_MAX)

/*
 * An image's name, NAME[:TAG][@DIGEST], in its full form: "busybox" is docker.io/library/busybox
 * with tag latest, "me/app" is docker.io/me/app, "localhost/app" and "host:5000/app" stay as they
 * are.
 */
struct image_ref {
	char name[REF_NAME_MAX];
	/* "latest" when neither a tag nor a digest was given; "" with a digest alone */
	char tag[REF_TAG_MAX];
	char digest[REF_DIGEST_MAX]; /* "" = none */
};

/* 0 or -EINVAL with a sentence that quotes the text and says which part is wrong. */
int image_ref_parse(const char *text, struct image_ref *out, struct err *e);

/* The full form, "docker.io/library/busybox:latest": what the store keeps. */
void image_ref_full(const struct image_ref *r, char buf[REF_TEXT_MAX]);

/* What people type and read, "busybox:latest"; and the name alone, "busybox". */
void image_ref_short(const struct image_ref *r, char buf[REF_TEXT_MAX]);
const char *image_ref_short_name(const struct image_ref *r);

#endif
