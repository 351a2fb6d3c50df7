// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/image/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/str.h"
#include "runner/image/place.h"

#define WH ".wh."
#define WH_OPAQUE ".wh..wh..opq"
#define WH_AUFS ".wh..wh." /* aufs' own book-keeping */
#define LINK_TARGET_MAX 4095
#define XATTR_MAX 65536

struct unpacker {
	struct place at;
	struct archive *archive;
	const struct unpack_limits *limits;
	struct unpack_stats stats;
	bool root; /* may give files away */
};

static int archive_failed(struct archive *a, struct err *e)
{
	const char *text = archive_error_string(a);
	int no = archive_errno(a);

	return err_say(e, no > 0 ? -no : -EBADMSG, "the archive cannot be read: %s",
		       text ?: "unknown error");
}

/* ---------------------------------------------------------------- what every kind has */

static int check_owner(struct archive_entry *ent, struct err *e)
{
	int64_t uid = archive_entry_uid(ent), gid = archive_entry_gid(ent);

	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return err_say(e, -EINVAL, "owner %lld:%lld is out of range", (long long)uid,
			       (long long)gid);
	return 0;
}

static void mtime_of(struct archive_entry *ent, struct timespec *t)
{
	*t = (struct timespec){
		.tv_sec = archive_entry_mtime(ent),
		.tv_nsec = archive_entry_mtime_nsec(ent),
	};
}

static int set_owner(struct unpacker *u, struct archive_entry *ent, struct err *e)
{
	if (!u->root)
		return 0;
	if (fchownat(u->at.dir, u->at.base, (uid_t)archive_entry_uid(ent),
		     (gid_t)archive_entry_gid(ent), AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, -errno, "set the owner");
	return 0;
}

static bool xattr_wanted(const char *name)
{
	if (!strcmp(name, "security.capability"))
		return true;
	return str_starts(name, "user.") && !str_starts(name, "user.overlay.");
}

static int set_xattrs(int fd, struct archive_entry *ent, struct err *e)
{
	const char *name;
	const void *value;
	size_t size;

	for (int n = archive_entry_xattr_reset(ent); n > 0; n--) {
		if (archive_entry_xattr_next(ent, &name, &value, &size) != ARCHIVE_OK)
			break;
		if (!name || !xattr_wanted(name))
			continue;
		if (size > XATTR_MAX)
			return err_say(e, -E2BIG,
				       "attribute %.60s has %zu bytes; at most %d are accepted",
				       name, size, XATTR_MAX);
		if (fsetxattr(fd, name, value, size, 0) < 0 &&
		    !(errno == ENOTSUP && str_starts(name, "user.")))
			return err_set(e, -errno, "set attribute %.60s", name);
	}
	return 0;
}

/* Of what has no descriptor: links and FIFOs. */
static int set_time(struct unpacker *u, struct archive_entry *ent, struct err *e)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };

	mtime_of(ent, &times[1]);
	if (utimensat(u->at.dir, u->at.base, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, -errno, "set the time");
	return 0;
}

/* ---------------------------------------------------------------- kinds */

static int make_dir(struct unpacker *u, struct archive_entry *ent, struct err *e)
{
	struct timespec mtime;
	int r;

	mtime_of(ent, &mtime);
	if (u->at.path[0]) {
		int was = place_empty(&u->at, true, e);

		if (was < 0)
			return was;
		if (was != PLACE_DIR && mkdirat(u->at.dir, u->at.base, 0700) < 0)
			return err_set(e, -errno, "create the directory");
		if (was == PLACE_WHITEOUT && (r = place_opaque(u->at.dir, u->at.base, e)) < 0)
			return r;
	}
	cleanup_fd int fd = place_open(u->at.root, u->at.path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return err_set(e, fd, "open the directory");
	if (u->root && fchown(fd, (uid_t)archive_entry_uid(ent), (gid_t)archive_entry_gid(ent)) < 0)
		return err_set(e, -errno, "set the owner");
	if ((r = set_xattrs(fd, ent, e)) < 0)
		return r;
	return place_later(&u->at, u->at.path, archive_entry_perm(ent) & 07777, &mtime, e);
}

static int write_block(int fd, const char *p, size_t len, int64_t off, struct err *e)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, -errno, "write the file");
		p += n;
		off += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_data(struct unpacker *u, int fd, int64_t size, struct err *e)
{
	const void *block;
	size_t len;
	int64_t off;
	int r;

	while ((r = archive_read_data_block(u->archive, &block, &len, &off)) == ARCHIVE_OK ||
	       r == ARCHIVE_WARN) {
		if (off < 0 || off > size || (int64_t)len > size - off)
			return err_say(e, -EBADMSG,
				       "it has more data than the %lld bytes it states",
				       (long long)size);
		if ((r = write_block(fd, block, len, off, e)) < 0)
			return r;
	}
	if (r != ARCHIVE_EOF)
		return archive_failed(u->archive, e);
	if (ftruncate(fd, size) < 0) /* a sparse file may end in a hole */
		return err_set(e, -errno, "set the size");
	return 0;
}

static int check_size(struct unpacker *u, int64_t size, struct err *e)
{
	if (size < 0 || (uint64_t)size > u->limits->bytes ||
	    u->stats.bytes + (uint64_t)size > u->limits->bytes)
		return err_say(e, -EFBIG, "it states %lld bytes; a layer may have %llu altogether",
			       (long long)size, (unsigned long long)u->limits->bytes);
	u->stats.bytes += (uint64_t)size;
	return 0;
}

static int make_file(struct unpacker *u, struct archive_entry *ent, struct err *e)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	int64_t size = archive_entry_size_is_set(ent) ? archive_entry_size(ent) : 0;
	int r;

	if ((r = check_size(u, size, e)) < 0 || (r = place_empty(&u->at, false, e)) < 0)
		return r;
	cleanup_fd int fd = openat(u->at.dir, u->at.base,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, -errno, "create the file");
	if ((r = write_data(u, fd, size, e)) < 0 || (r = set_owner(u, ent, e)) < 0)
		return r;
	/* in this order: a change of owner drops setuid bits and capabilities */
	if (fchmod(fd, archive_entry_perm(ent) & 07777) < 0)
		return err_set(e, -errno, "set the mode");
	if ((r = set_xattrs(fd, ent, e)) < 0)
		return r;
	mtime_of(ent, &times[1]);
	return futimens(fd, times) < 0 ? err_set(e, -errno, "set the time") : 0;
}

static int make_symlink(struct unpacker *u, struct archive_entry *ent, struct err *e)
{
	const char *target = archive_entry_symlink(ent) ?: archive_entry_symlink_utf8(ent);
	int r;

	if (!target || !*target || strlen(target) > LINK_TARGET_MAX)
		return err_say(e, -EINVAL, "the symbolic link has no target of 1..%d bytes",
			       LINK_TARGET_MAX);
	if ((r = place_empty(&u->at, false, e)) < 0)
		return r;
	if (symlinkat(target, u->at.dir, u->at.base) < 0)
		return err_set(e, -errno, "create the symbolic link");
	return (r = set_owner(u, ent, e)) < 0 ? r : set_time(u, ent, e);
}

/*
 * Only to an earlier file of the same layer: found without following links, and linked by the name
 * that was looked at.
 */
static int make_hardlink(struct unpacker *u, const char *target, struct err *e)
{
	char clean[PLACE_PATH_MAX], parent[PLACE_PATH_MAX];
	struct stat st;
	int r;

	if ((r = place_clean(target, u->limits->depth, clean, e)) < 0)
		return err_wrap(e, "hard link to \"%.200s\"", target);
	if (!strcmp(clean, u->at.path))
		return err_say(e, -EINVAL, "hard link to itself");
	char *slash = strrchr(clean, '/');
	(void)snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - clean) : 0, clean);
	const char *base = slash ? slash + 1 : clean;
	cleanup_fd int dir = place_open(u->at.root, parent, O_PATH | O_DIRECTORY);
	if (dir < 0 || !*base || fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_say(e, -ENOENT,
			       "hard link to \"%.200s\", which is no earlier entry of the layer%s",
			       target,
			       dir == -ELOOP || dir == -ENOTDIR ?
				       " (what is on the way is no directory)" :
				       "");
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !S_ISFIFO(st.st_mode))
		return err_say(e, -EINVAL, "hard link to \"%.200s\", which is no file", target);
	if ((r = place_empty(&u->at, false, e)) < 0)
		return r;
	if (linkat(dir, base, u->at.dir, u->at.base, 0) < 0)
		return err_set(e, -errno, "hard link to \"%.200s\"", target);
	return 0;
}

static int make_fifo(struct unpacker *u, struct archive_entry *ent, struct err *e)
{
	int r = place_empty(&u->at, false, e);

	if (r < 0)
		return r;
	if (mknodat(u->at.dir, u->at.base, S_IFIFO | 0600, 0) < 0)
		return err_set(e, -errno, "create the FIFO");
	if ((r = set_owner(u, ent, e)) < 0)
		return r;
	if (fchmodat(u->at.dir, u->at.base, archive_entry_perm(ent) & 07777, 0) < 0)
		return err_set(e, -errno, "set the mode");
	return set_time(u, ent, e);
}

static int refuse_device(struct unpacker *u, struct archive_entry *ent, struct err *e)
{
	(void)ent;
	/* hidden behind the container's own /dev in any case */
	if (str_starts(u->at.path, "dev/")) {
		u->stats.devices_left_out++;
		return 0;
	}
	return err_say(
		e, -EPERM,
		"device nodes are accepted below dev/ only (and left out there); make the archive without it "
		"(tar --exclude)");
}

static int refuse_socket(struct unpacker *u, struct archive_entry *ent, struct err *e)
{
	(void)u, (void)ent;
	return err_say(e, -EINVAL, "sockets are not accepted");
}

static const struct {
	mode_t type;
	int (*make)(struct unpacker *u, struct archive_entry *ent, struct err *e);
} makers[] = {
	{ AE_IFREG, make_file },      { AE_IFDIR, make_dir },	   { AE_IFLNK, make_symlink },
	{ AE_IFIFO, make_fifo },      { AE_IFCHR, refuse_device }, { AE_IFBLK, refuse_device },
	{ AE_IFSOCK, refuse_socket },
};

/* ---------------------------------------------------------------- whiteouts */

static int make_whiteout(struct unpacker *u, struct archive_entry *ent, struct err *e)
{
	const char *base = u->at.base, *hidden = base + strlen(WH);

	if (archive_entry_hardlink(ent) || archive_entry_filetype(ent) != AE_IFREG)
		return err_say(e, -EINVAL,
			       "only an empty file may have a name beginning with \"" WH "\"");
	if (!strcmp(base, WH_OPAQUE)) {
		cleanup_fd int dir = place_open(u->at.root, u->at.parent, O_RDONLY | O_DIRECTORY);

		return dir < 0 ? err_set(e, dir, "open its directory") : place_opaque(dir, ".", e);
	}
	if (str_starts(base, WH_AUFS))
		return 0;
	if (!*hidden || !strcmp(hidden, ".") || !strcmp(hidden, ".."))
		return err_say(e, -EINVAL, "a whiteout of \"%s\" is not accepted", hidden);
	return place_whiteout(&u->at, hidden, e);
}

static bool whiteout_in_parents(const char *path)
{
	for (const char *slash; (slash = strchr(path, '/')); path = slash + 1)
		if (str_starts(path, WH))
			return true;
	return false;
}

/* ---------------------------------------------------------------- entries */

static int make_entry(struct unpacker *u, struct archive_entry *ent, const char *name,
		      struct err *e)
{
	const char *hardlink = archive_entry_hardlink(ent) ?: archive_entry_hardlink_utf8(ent);
	char path[PLACE_PATH_MAX];
	int r;

	if ((r = place_clean(name, u->limits->depth, path, e)) < 0 || (r = check_owner(ent, e)) < 0)
		return r;
	if (!*path && (hardlink || archive_entry_filetype(ent) != AE_IFDIR))
		return err_say(e, -EINVAL, "the root of a layer must be a directory");
	if (whiteout_in_parents(path))
		return err_say(e, -EINVAL, "a whiteout holds no entries");
	if ((r = place_go(&u->at, path, e)) < 0)
		return r;
	if (str_starts(u->at.base, WH))
		return make_whiteout(u, ent, e);
	if (hardlink)
		return make_hardlink(u, hardlink, e);
	for (size_t i = 0; i < ARRAY_LEN(makers); i++)
		if (makers[i].type == archive_entry_filetype(ent))
			return makers[i].make(u, ent, e);
	return err_say(e, -EINVAL, "an entry of unknown type");
}

/* Names go into sentences: nothing in them may reach a terminal as a command. */
static void printable(const char *name, char out[256])
{
	size_t n = 0;

	for (; *name && n < 250; name++) {
		unsigned char c = (unsigned char)*name;

		if (c < 0x20 || c == 0x7f || c == '"')
			n += (size_t)snprintf(out + n, 256 - n, "\\x%02x", c);
		else
			out[n++] = (char)c;
	}
	out[n] = 0;
}

static int unpack_entries(struct unpacker *u, struct err *e)
{
	struct archive_entry *ent;
	char shown[256];
	int r;

	while ((r = archive_read_next_header(u->archive, &ent)) == ARCHIVE_OK ||
	       r == ARCHIVE_WARN) {
		const char *name = archive_entry_pathname(ent) ?: archive_entry_pathname_utf8(ent);

		if (++u->stats.entries > u->limits->entries)
			return err_say(e, -E2BIG, "the archive has more than %llu entries",
				       (unsigned long long)u->limits->entries);
		if (!name)
			return err_say(e, -EINVAL, "entry %llu: its name cannot be read",
				       (unsigned long long)u->stats.entries);
		if ((r = make_entry(u, ent, name, e)) < 0) {
			printable(name, shown);
			return err_wrap(e, "entry %llu \"%s\"",
					(unsigned long long)u->stats.entries, shown);
		}
	}
	if (r != ARCHIVE_EOF)
		return archive_failed(u->archive, e);
	return u->stats.entries ? 0 : err_say(e, -EINVAL, "the archive is empty");
}

int unpack_layer(int dir, struct archive *a, const struct unpack_limits *limits,
		 struct unpack_stats *out, struct err *e)
{
	struct unpacker u = { .archive = a, .limits = limits, .root = geteuid() == 0 };
	/*
	 * names of pax archives are UTF-8, and libarchive converts them to the locale's character
	 * set
	 */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL),
		 old = utf8 ? uselocale(utf8) : NULL;
	mode_t mask = umask(0);
	int r;

	place_init(&u.at, dir);
	r = unpack_entries(&u, e);
	if (r == 0)
		r = place_finish(&u.at, e);
	place_clear(&u.at);
	(void)umask(mask);
	if (utf8) {
		(void)uselocale(old);
		freelocale(utf8);
	}
	if (r == 0)
		*out = u.stats;
	return r;
}
