/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NARU_CNI_VERSION_H
#define NARU_CNI_VERSION_H

struct err;

/* CNI versions in order of age; comparable with < and >. */
enum cni_version {
	CNI_V_0_1_0,
	CNI_V_0_2_0,
	CNI_V_0_3_0,
	CNI_V_0_3_1,
	CNI_V_0_4_0,
	CNI_V_1_0_0,
	CNI_V_1_1_0,
	CNI_VERSIONS
};
#define CNI_V_LATEST CNI_V_1_1_0

extern const char *const cni_version_names[CNI_VERSIONS];

/*
 * text NULL or "" = 0.1.0. Errors: code 6 when it is no version, code 1 "incompatible CNI versions"
 * when it is not in min..latest.
 */
int cni_version_parse(const char *text, enum cni_version min, enum cni_version *out, struct err *e);

/* Same result family: {0.1,0.2}, {0.3.0,0.3.1,0.4.0}, {1.0.0,1.1.0}. */
int cni_version_same_family(enum cni_version a, enum cni_version b);

#endif
