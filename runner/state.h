/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_STATE_H
#define NARU_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "netlib/base/decode.h"
#include "runner/record.h"

struct err;
struct json_object;

/*
 * Containers on disk. What must outlive a reboot is below NARU_ROOT (/var/lib/naru), what describes
 * things in the kernel below NARU_RUN (/run/naru), so that a record never outlives what it records.
 *
 *   ROOT/containers/ID/       upper/ work/ log/json.log  config.json container.json exit.json
 *   ROOT/names/NAME           symbolic link to the ID, created exclusively
 *   RUN/containers/ID/        lock journal state.json  netns hosts resolv.conf hostname
 *
 * A container that removes itself (--rm) does not outlive a reboot: its config.json and
 * container.json are in RUN, unsynced. container.json is written last, when everything else stands:
 * without it a container was never completely created, and gc takes it away. Removing begins with
 * it, for the same reason. Documents are replaced whole. Whoever works on a container holds its
 * lock: the runner that watches over it, for as long as it runs. Reading takes no lock and never
 * waits.
 */
#define CTR_DOC_MAX (1024 * 1024)
#define STATE_PATH_MAX 512
#define CTR_PATH_MAX (STATE_PATH_MAX + ID_LEN + 64) /* of anything below */

/* Directories, opened once. */
struct state {
	char root[STATE_PATH_MAX], run[STATE_PATH_MAX]; /* absolute */
	int containers, names; /* ROOT/containers, ROOT/names; -1: not there */
	int live;	       /* RUN/containers; -1: not there */
};

#define STATE_INIT { .containers = -1, .names = -1, .live = -1 }
#define cleanup_state __attribute__((cleanup(state_close)))

/*
 * Reads NARU_ROOT and NARU_RUN. STATE_READ: what is missing stays -1, nothing is there.
 * STATE_CHANGE: the same on a machine without containers, else RUN is made when a reboot has taken
 * it. STATE_CREATE makes everything.
 */
enum state_access { STATE_READ, STATE_CHANGE, STATE_CREATE };
int state_open(struct state *s, enum state_access access, struct err *e);
void state_close(struct state *s);

enum ctr_status { CTR_EXITED, CTR_RUNNING };

/* Everything known about one container, as of now. */
struct ctr {
	char id[ID_LEN + 1];
	struct doc docs[3];
	struct ctr_record rec;
	struct ctr_live live;
	struct ctr_exit end;
	bool has_live, has_end;
	enum ctr_status status;
};

#define CTR_INIT \
	{ \
		.docs = { DOC_INIT, DOC_INIT, DOC_INIT } \
	}
#define cleanup_ctr __attribute__((cleanup(ctr_clear)))

/* 0; -ENOENT: no container with that id was ever completely created. */
int ctr_load(struct ctr *c, const struct state *s, const char *id, struct err *e);
void ctr_clear(struct ctr *c);

/*
 * What a user types: a name, an id, or the beginning of an id that only one container has. Fills
 * id. -ENOENT with the nearest name as a hint; -EINVAL when the beginning is not unique.
 */
int state_find(const struct state *s, const char *ref, char id[ID_LEN + 1], struct err *e);
/* state_find and ctr_load. */
int ctr_find(struct ctr *c, const struct state *s, const char *ref, struct err *e);

/* Ids below both roots, each once, sorted: malloc'd array, half-made containers included. */
int state_ids(const struct state *s, char (**ids)[ID_LEN + 1], size_t *n, struct err *e);

/* Completely created containers, newest first: malloc'd array, to be freed with ctrs_free. */
int ctrs_load(const struct state *s, struct ctr **v, size_t *n, struct err *e);
void ctrs_free(struct ctr *v, size_t n);

/*
 * RUN/lock: held shared (LOCK_SH) while a container is made, exclusively (LOCK_EX) while gc looks
 * for attachments and control groups that belong to nobody. Held as long as *fd is open; waits at
 * most ten seconds.
 */
int state_gate(const struct state *s, int mode, int *fd, struct err *e);

/* Gives a container its name: 0; -EEXIST naming the owner. */
int state_name_add(const struct state *s, const char *name, const char *id, struct err *e);
/* Takes it away if it is that container's. Absence is success. */
void state_name_del(const struct state *s, const char *name, const char *id);
/* Takes away names whose container is nowhere; returns how many, or negative. */
int state_names_sweep(const struct state *s, struct err *e);

/* Reads NAME from wherever the container's documents are. */
int ctr_read_doc(const struct state *s, const char *id, const char *name, struct doc *out,
		 struct err *e);
/*
 * "ROOT/containers/ID/NAME" and "RUN/containers/ID/NAME"; name "" for the directory itself. Return
 * buf.
 */
const char *ctr_root_path(const struct state *s, const char *id, const char *name,
			  char buf[CTR_PATH_MAX]);
const char *ctr_run_path(const struct state *s, const char *id, const char *name,
			 char buf[CTR_PATH_MAX]);
/* The directory of config.json. */
const char *ctr_bundle_path(const struct state *s, const struct ctr_record *r,
			    char buf[CTR_PATH_MAX]);

bool state_is_id(const char *text);
bool state_name_ok(const char *name); /* [A-Za-z0-9][A-Za-z0-9_.-]*, 2..128, docker's rule */

#endif
