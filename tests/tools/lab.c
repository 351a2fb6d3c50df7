// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lab [--outside] PROGRAM [ARGUMENT...]    runs a program in a laboratory (tests/lib/lab.h)
 *
 * For scripts and for looking around by hand: "lab --outside bash". What is made inside is gone
 * when the program ends.
 */
#include "tests/lib/lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int first = 1;
	bool outside = argc > 1 && !strcmp(argv[1], "--outside");

	first += outside;
	if (argc <= first) {
		fputs("usage: lab [--outside] PROGRAM [ARGUMENT...]\n", stderr);
		return 2;
	}
	lab_enter();
	if (outside)
		lab_outside();
	fflush(NULL);
	execvp(argv[first], argv + first);
	fprintf(stderr, "lab: cannot run %s: %s\n", argv[first], strerror(errno));
	return 127;
}
