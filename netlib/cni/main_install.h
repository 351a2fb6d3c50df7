/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_MAIN_INSTALL_H
#define NARU_CNI_MAIN_INSTALL_H

#include <stdbool.h>

/* "install", "uninstall" or "wait" */
bool is_install_verb(const char *word);

/* The command behind those words. names: all plugins and aliases, NULL-terminated. Exit status. */
int main_install(int argc, char **argv, const char *const *names);

#endif
