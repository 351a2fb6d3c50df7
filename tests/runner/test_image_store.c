// SPDX-License-Identifier: GPL-2.0-or-later
/* Images by name, several at once, and what is left of the killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netlib/base/cleanup.h"
#include "netlib/base/err.h"
#include "netlib/base/fd.h"
#include "netlib/base/file.h"
#include "runner/image/import.h"
#include "runner/image/store.h"
#include "tests/lib/imglab.h"

static void an_image_is_found_by_name_id_and_beginning(void **state)
{
	static const char *const changes[] = {
		"CMD [\"/bin/httpd\",\"-f\"]",
		"ENTRYPOINT /bin/init x",
		"ENV A=1 B=\"two words\"",
		"env A 3",
		"EXPOSE 80 53/udp 8000-8001",
		"WORKDIR /srv",
		"WORKDIR www",
		"USER 7:8",
		"STOPSIGNAL SIGINT",
		"LABEL k=v",
		"VOLUME /data",
	};
	const struct import_spec spec = {
		.file = imglab_archive("a.tar", imglab_small, IMGLAB_SMALL, 0),
		.name = "me/app:2",
		.message = "hi",
		.platform = "linux/arm64/v8",
		.changes = (const char **)(void *)(uintptr_t)changes,
		.nchanges = ARRAY_LEN(changes),
	};
	struct import_result res;
	struct err e = ERR_INIT;
	char digest[160], begin[13];

	(void)state;
	if (image_import(&spec, &res, &e) < 0)
		fail_msg("%s", e.text);
	(void)snprintf(digest, sizeof digest, "me/app@sha256:%s", res.manifest);
	(void)snprintf(begin, sizeof begin, "%.12s", res.id);
	const char *const names[] = { "me/app:2", "docker.io/me/app:2", digest, res.id, begin };
	for (size_t k = 0; k < ARRAY_LEN(names); k++) {
		cleanup_image struct image i = IMAGE_INIT;

		if (image_lookup(NULL, names[k], &i, &e) < 0)
			fail_msg("%s: %s", names[k], e.text);
		assert_string_equal(i.id, res.id);
		assert_int_equal(i.nlayers, 1);
		assert_int_equal(i.size, 6);
		assert_string_equal(i.os, "linux");
		assert_string_equal(i.arch, "arm64");
		assert_string_equal(i.created, "1970-01-02T00:00:00Z");
		assert_int_equal(i.ncmd, 2);
		assert_string_equal(i.cmd[0], "/bin/httpd");
		assert_int_equal(i.nentrypoint, 3);
		assert_string_equal(i.entrypoint[2], "/bin/init x");
		assert_int_equal(i.nenv, 2);
		assert_string_equal(i.env[0], "A=3");
		assert_string_equal(i.env[1], "B=two words");
		assert_int_equal(i.nports, 4);
		assert_string_equal(i.ports[1], "53/udp");
		assert_string_equal(i.ports[3], "8001/tcp");
		assert_string_equal(i.workdir, "/srv/www");
		assert_string_equal(i.user, "7:8");
		assert_string_equal(i.stop_signal, "SIGINT");
		assert_string_equal(json_text(json_get(i.labels, "k")), "v");
		assert_string_equal(i.volumes[0], "/data");
	}
}

static void an_unknown_image_is_answered_with_what_is_here(void **state)
{
	cleanup_image struct image i = IMAGE_INIT;
	const char *file = imglab_archive("a.tar", imglab_small, IMGLAB_SMALL, 0);
	struct import_result res;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(image_lookup(NULL, "busybox:1", &i, &e), -ENOENT);
	assert_string_equal(
		e.text,
		"no such image busybox:1; there are none here yet; import one with naru import FILE busybox:1");
	assert_int_equal(imglab_import(file, "busybox:2", &res, &e), 0);
	assert_int_equal(imglab_import(file, "alpine:3", &res, &e), 0);
	assert_int_equal(image_lookup(NULL, "busybos:2", &i, &e), -ENOENT);
	assert_string_equal(
		e.text,
		"no such image busybos:2; images here: busybox:2, alpine:3; import one with naru import FILE busybos:2");
	assert_int_equal(image_lookup(NULL, "Busybox", &i, &e), -EINVAL);
	assert_string_equal(e.text, "image name \"Busybox\": the repository must be in lower case");
}

static void a_name_given_again_leaves_the_old_image_nameless(void **state)
{
	static const struct imglab_item other[] = { { "x", .data = "y" } };
	cleanup_images struct image_list l = { 0 };
	cleanup_image struct image i = IMAGE_INIT;
	struct import_result old, now;

	(void)state;
	assert_int_equal(imglab_import(imglab_archive("a.tar", imglab_small, IMGLAB_SMALL, 0),
				       "test:1", &old, NULL),
			 0);
	assert_int_equal(imglab_import(imglab_archive("b.tar", other, ARRAY_LEN(other), 0),
				       "test:1", &now, NULL),
			 0);
	assert_int_equal(image_list(NULL, &l, NULL), 0);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.v[0].name, "docker.io/library/test:1");
	assert_string_equal(l.v[1].name, "");
	assert_int_equal(image_lookup(NULL, "test:1", &i, NULL), 0);
	assert_string_equal(i.id, now.id);
	image_clear(&i);
	assert_int_equal(image_lookup(NULL, old.id, &i, NULL), 0);
}

/*
 * Starts naru-image on a pipe that gives it half an archive; returns its pid once a layer is being
 * unpacked.
 */
static pid_t start_half(const char *file, int *writer)
{
	cleanup_free char *text = NULL, *program = imglab_program();
	size_t len = 0;
	int p[2];

	assert_int_equal(file_read_at(AT_FDCWD, file, 64 << 20, &text, &len, NULL), 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)dup2(p[0], STDIN_FILENO);
		(void)execl(program, "naru-image", "import", "-q", "-", "test:1", (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	(void)close(p[0]);
	assert_int_equal(fd_write_all(p[1], text, len / 2), 0);
	for (int i = 0; i < 500 && imglab_count("images/layers") == 0; i++)
		(void)poll(NULL, 0, 10);
	assert_int_equal(imglab_count("images/layers"), 1);
	*writer = p[1];
	return pid;
}

static void a_killed_import_is_cleaned_up_by_the_next_one_or_by_gc(void **state)
{
	static char data[1000001];
	const struct imglab_item items[] = { { "f", .data = data }, { "g", .data = data } };
	struct import_result res;
	size_t removed = 0;

	(void)state;
	memset(data, 'x', sizeof data - 1);
	cleanup_free char *file = strdup(imglab_archive("a.tar", items, 2, 0));
	for (int round = 0; round < 2; round++) {
		cleanup_fd int writer = -1;
		pid_t pid = start_half(file, &writer);

		assert_int_equal(image_gc(NULL, &removed, NULL), 0);
		assert_int_equal(removed, 0); /* its writer lives */
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		if (round == 0) {
			assert_int_equal(image_gc(NULL, &removed, NULL), 0);
			assert_int_equal(removed, 1);
			assert_int_equal(imglab_count("images/layers"), 0);
		}
	}
	assert_int_equal(imglab_import(file, "test:1", &res, NULL), 0);
	assert_int_equal(imglab_count("images/layers"), 1);
}

static void gc_takes_layers_and_blobs_nobody_names(void **state)
{
	struct import_result res;
	size_t removed = 0;

	(void)state;
	assert_int_equal(image_gc(NULL, &removed, NULL), 0); /* no store at all */
	assert_int_equal(imglab_import(imglab_archive("a.tar", imglab_small, IMGLAB_SMALL, 0),
				       "test:1", &res, NULL),
			 0);
	assert_int_equal(file_mkdirs(imglab_at("images/layers/0000/dir"), 0755, NULL), 0);
	assert_int_equal(close(open(imglab_at("images/blobs/sha256/1111"),
				    O_WRONLY | O_CREAT | O_CLOEXEC, 0600)),
			 0);
	assert_int_equal(image_gc(NULL, &removed, NULL), 0);
	assert_int_equal(removed, 2);
	assert_int_equal(imglab_count("images/layers"), 1);
	assert_int_equal(imglab_count("images/blobs/sha256"), 2);
	cleanup_image struct image i = IMAGE_INIT;
	assert_int_equal(image_lookup(NULL, "test:1", &i, NULL), 0);
}

static void concurrent_imports_all_arrive(void **state)
{
	cleanup_free char *file = strdup(imglab_archive("a.tar", imglab_small, IMGLAB_SMALL, 0));
	cleanup_free char *program = imglab_program();
	cleanup_images struct image_list l = { 0 };
	pid_t pids[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "test:%zu", i);
		pids[i] = fork();
		if (pids[i] == 0) {
			int null = open("/dev/null", O_WRONLY);

			(void)dup2(null, STDOUT_FILENO);
			(void)execl(program, "naru-image", "import", "-q", file, name,
				    (char *)NULL);
			_exit(127);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
		int st = -1;

		assert_int_equal(waitpid(pids[i], &st, 0), pids[i]);
		assert_int_equal(st, 0);
	}
	assert_int_equal(image_list(NULL, &l, NULL), 0);
	assert_int_equal(l.n, ARRAY_LEN(pids));
	assert_int_equal(imglab_count("images/layers"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IMGLAB(an_image_is_found_by_name_id_and_beginning),
		IMGLAB(an_unknown_image_is_answered_with_what_is_here),
		IMGLAB(a_name_given_again_leaves_the_old_image_nameless),
		IMGLAB(a_killed_import_is_cleaned_up_by_the_next_one_or_by_gc),
		IMGLAB(gc_takes_layers_and_blobs_nobody_names),
		IMGLAB(concurrent_imports_all_arrive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
