# SPDX-License-Identifier: GPL-2.0-or-later
#
# Naru: make            builds everything into build/
#       make check      builds and runs all tests (root)    make check SAN=1: under ASan and UBSan
#       make check-vm   what this kernel lacks, on Debian's stock kernel in a virtual machine (root)
#       make soak       SECONDS of many containers at once (root)
#       make lint       format, layers, headers, warnings, analysers, man pages
#       make bench      measures against the peers, writes doc/BENCHMARKS.md (root)
#       make demo       a container with network, served and cleaned up (root)
#       make install    PREFIX, DESTDIR, CNI_BINDIR         make uninstall, clean
#       make dist       release archives with digests       make deb, make image: a Debian package, a root file system for Kubernetes
# V=1 shows commands. DEPS=0 skips installing packages.

VERSION     := 0.1.0
BUILD       ?= build$(if $(SAN),-san)
PREFIX      ?= /usr/local
CNI_BINDIR  ?= /opt/cni/bin
DESTDIR     ?=
STRIP       ?= -s
CC          ?= gcc
DEPS        ?= 1
Q           := $(if $(V),,@)
say          = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

# ---------------------------------------------------------------- what there is
INTERFACES  := loopback bridge veth macvlan ipvlan vlan host-device dummy tap
CHAINED     := portmap masquerade firewall tuning bandwidth sbr vrf
DELEGATES   := flannel
IPAMS       := host-local static dhcp
ALIASES     := ptp:veth

src_of       = $(if $(filter $(1),$(IPAMS)),ipam,plugins)/$(1).c
# the sources of a plugin that is not in libipam: its file, and its folder if it has one
parts_of     = $(if $(filter $(1),$(IPAMS)),,$(call src_of,$(1)) $(wildcard plugins/$(1)/*.c))
PLUGINS     := $(foreach p,$(INTERFACES) $(CHAINED) $(DELEGATES) $(IPAMS),$(if $(wildcard $(call src_of,$(p))),$(p)))
# interface plugins carry the quick IPAM plugins inside and run them in process
CARRIED     := host-local static
$(foreach p,$(filter-out loopback,$(INTERFACES)),$(eval CARRY_$(p) := $(filter $(CARRIED),$(PLUGINS))))

sym_of       = cni_plugin_$(subst -,_,$(1))

NETLIB_SRC  := $(wildcard netlib/*/*.c)
NETLIB_SRC  := $(filter-out netlib/cni/main_%.c,$(NETLIB_SRC))
IPAM_SRC    := $(wildcard ipam/*.c ipam/*/*.c)
IMAGE_SRC   := $(wildcard runner/image/*.c)
IMAGE_LIGHT := $(filter runner/image/ref.c runner/image/store.c runner/image/config.c,$(IMAGE_SRC))
SECCOMP_GEN := runner/engine/seccomp_gen.c
RUNNER_SRC  := $(filter-out $(SECCOMP_GEN),$(wildcard runner/*.c runner/cli/*.c runner/cni/*.c runner/engine/*.c)) $(IMAGE_LIGHT)
TEST_SRC    := $(wildcard tests/unit/test_*.c tests/netns/test_*.c tests/cni/test_*.c tests/runner/test_*.c)
TESTLIB_SRC := $(wildcard tests/lib/*.c)
STEPPER_SRC := $(wildcard tests/tools/stepper_*.c)
TOOL_SRC    := $(filter-out $(STEPPER_SRC),$(wildcard tests/tools/*.c))
FUZZ_SRC    := $(wildcard tests/fuzz/fuzz_*.c)

# ---------------------------------------------------------------- how it is built
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wwrite-strings \
	-Wformat=2 -Wundef -Wno-missing-field-initializers
GCC_ONLY := $(if $(findstring clang,$(CC)),,-Wno-format-truncation)
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
	-ftrivial-auto-var-init=zero -fno-strict-aliasing -fno-delete-null-pointer-checks -fwrapv -fvisibility=hidden
HARDEN := $(if $(findstring clang,$(CC)),$(filter-out -ftrivial-auto-var-init=zero,$(HARDEN)),$(HARDEN))
# size matters more than cycles: the time of a plugin is the kernel's and the loader's; C needs no unwind tables
OPT    := -Os -g -D_FORTIFY_SOURCE=3 -fno-asynchronous-unwind-tables -fno-unwind-tables
ifdef SAN
OPT    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
HARDEN := -fPIE -fno-strict-aliasing -fwrapv -fvisibility=hidden
endif
CPPFLAGS += -D_GNU_SOURCE -DNARU_VERSION='"$(VERSION)"' -I. -I$(BUILD)
CFLAGS   += -std=gnu11 $(OPT) $(HARDEN) $(WARN) $(GCC_ONLY) -ffunction-sections -fdata-sections
# relative relocations in packed form, where linker and loader know it: two thousand entries less to read at each start
RELR     := $(shell f=$$(mktemp) && echo 'int main(void){return 0;}' | \
	$(CC) -x c - -pie -Wl,-z,pack-relative-relocs -o $$f 2>/dev/null && $$f && echo ,-z,pack-relative-relocs; rm -f $$f)
LDFLAGS  += -pie -Wl,-O1,-z,relro,-z,now,-z,noexecstack,-z,separate-code$(RELR) \
	-Wl,--gc-sections,--as-needed

# json-c and libnftnl are linked statically where the distribution ships the archives: each shared library costs some 70 us per
# plugin call. What they and we need of libmnl is netlib/nl/mnl.c, so that libc is the only one left. STATIC= turns that off.
STATIC   ?= 1
archive   = $(shell $(CC) -print-file-name=$(1).a)
lib       = $(if $(and $(STATIC),$(findstring /,$(call archive,lib$(1)))),$(call archive,lib$(1)),-l$(1))
LIBS     := $(call lib,json-c) $(call lib,nftnl)
# libiptc is loaded when a legacy table is opened (netlib/fw/iptlib.c), not linked

COMPILE   = $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c
LINK      = $(CC) $(CFLAGS) $(LDFLAGS)

obj       = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
BIN      := $(BUILD)/bin
NETLIB   := $(BUILD)/libnetlib.a
IPAMLIB  := $(BUILD)/libipam.a
IMAGELIB := $(BUILD)/libimage.a
RUNNER   := $(BUILD)/librunner.a

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all plugins runner tests tools fuzz bench-programs

all: deps-build plugins runner
plugins: $(PLUGINS:%=$(BIN)/%) $(BIN)/naru-cni $(foreach a,$(ALIASES),$(BIN)/$(firstword $(subst :, ,$(a))))
runner: $(if $(wildcard runner/main.c),$(BIN)/naru) $(if $(wildcard runner/image/main.c),$(BIN)/naru-image)

$(BUILD)/obj/%.o: %.c | $(BUILD)/build-id.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -o $@ $<

$(NETLIB): $(call obj,$(NETLIB_SRC))
$(IPAMLIB): $(call obj,$(IPAM_SRC))
$(IMAGELIB): $(call obj,$(filter-out runner/image/main.c $(IMAGE_LIGHT),$(IMAGE_SRC)))
$(RUNNER): $(call obj,$(filter-out runner/main.c,$(RUNNER_SRC)))
$(BUILD)/lib%.a: Makefile
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $(filter %.o,$^)

# One id for all programs of one build: a plugin runs another one in process only when both carry the same (cni/exec.c).
BUILD_INPUTS := $(NETLIB_SRC) $(wildcard netlib/*/*.h plugins/*.c plugins/*/*.[ch] ipam/*.[ch] ipam/*/*.[ch]) Makefile
# Everything compiled waits for this header, and the header for the packages: so `make -j` on a bare machine is safe.
DEPS_FIRST := $(if $(filter check,$(MAKECMDGOALS)),deps-check,$(if $(filter check-vm,$(MAKECMDGOALS)),deps-vm,deps-build))
$(BUILD)/build-id.h: $(BUILD_INPUTS) | $(DEPS_FIRST)
	@mkdir -p $(@D)
	$(Q)printf '#define NARU_BUILD_ID "%s"\n' "$$(cat $(BUILD_INPUTS) | sha256sum | cut -c1-32)" > $@

# A plugin as its own program: main_one.c with the plugin's symbol, and those that it carries inside.
define plugin_rules
$(BUILD)/main/$(1).o: netlib/cni/main_one.c $(BUILD)/build-id.h
	@mkdir -p $$(@D)
	$$(Q)$$(COMPILE) -DPLUGIN=$(call sym_of,$(1)) -DCARRIED='$(foreach p,$(CARRY_$(1)),X($(call sym_of,$(p))))' -o $$@ $$<
$(BIN)/$(1): $(BUILD)/main/$(1).o $(call obj,$(call parts_of,$(1))) $(IPAMLIB) $(NETLIB)
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(LINK) -o $$@ $$(filter %.o %.a,$$^) $$(LIBS)
endef
$(foreach p,$(PLUGINS),$(eval $(call plugin_rules,$(p))))

# All plugins in one program, chosen by name or first argument.
$(BUILD)/main/all.o: netlib/cni/main_all.c $(BUILD)/build-id.h
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -DPLUGIN_LIST='$(foreach p,$(PLUGINS),X($(call sym_of,$(p))))' \
		-DALIAS_LIST='$(foreach a,$(ALIASES),Y("$(firstword $(subst :, ,$(a)))","$(lastword $(subst :, ,$(a)))"))' -o $@ $<
$(BIN)/naru-cni: $(BUILD)/main/all.o $(call obj,netlib/cni/main_install.c) $(call obj,$(foreach p,$(PLUGINS),$(call parts_of,$(p)))) $(IPAMLIB) $(NETLIB)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o %.a,$^) $(LIBS)

define alias_rule
$(BIN)/$(1): $(BIN)/$(2)
	$$(Q)ln -sf $(2) $$@
endef
$(foreach a,$(ALIASES),$(eval $(call alias_rule,$(firstword $(subst :, ,$(a))),$(lastword $(subst :, ,$(a))))))

# The default seccomp profile is compiled by a program of the build.
GEN_SRC := $(SECCOMP_GEN) runner/engine/caps.c $(foreach x,nr profile bpf compose,runner/engine/seccomp_$(x).c) \
	netlib/base/err.c netlib/base/str.c
$(BUILD)/seccomp_gen: $(call obj,$(GEN_SRC))
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^
$(BUILD)/gen/seccomp_default.h: $(BUILD)/seccomp_gen
	@mkdir -p $(@D)
	$(Q)$< > $@
$(call obj,runner/engine/seccomp.c): $(BUILD)/gen/seccomp_default.h

# naru carries the plugins of its built-in network, and runs them so when what it finds in CNI_PATH is of this build.
CARRY_naru := $(filter bridge portmap host-local,$(PLUGINS))
$(BIN)/naru: $(call obj,runner/main.c) $(BUILD)/main/naru.o $(call obj,$(foreach p,$(CARRY_naru),$(call parts_of,$(p)))) \
	$(RUNNER) $(IPAMLIB) $(NETLIB)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o %.a,$^) $(LIBS)
$(BUILD)/main/naru.o: netlib/cni/main_carry.c $(BUILD)/build-id.h
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -DCARRIED='$(foreach p,$(CARRY_naru),X($(call sym_of,$(p))))' -o $@ $<
$(BUILD)/main/none.o: netlib/cni/main_none.c $(BUILD)/build-id.h
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -o $@ $<

# Archives and digests live in a program of their own, so that `naru run` does not load their libraries.
$(BIN)/naru-image: $(call obj,runner/image/main.c) $(IMAGELIB) $(RUNNER) $(NETLIB) | $(BUILD)/main/none.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(BUILD)/main/none.o $(filter %.a,$^) $(LIBS) -larchive -lcrypto

# ---------------------------------------------------------------- tests
TESTS   := $(TEST_SRC:%.c=$(BUILD)/%)
TOOLS   := $(TOOL_SRC:%.c=$(BUILD)/%)
TEST_SH := $(wildcard tests/tools/test_*.sh tests/cni/test_*.sh tests/runner/test_*.sh tests/lint/test_*.sh)
FUZZ_REPLAY := $(FUZZ_SRC:%.c=$(BUILD)/%_replay)

$(BUILD)/libtest.a: $(call obj,$(TESTLIB_SRC))
$(TESTS): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/libtest.a $(IPAMLIB) $(IMAGELIB) $(RUNNER) $(NETLIB) $(BUILD)/main/none.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o %.a,$^) $(LIBS) -larchive -lcrypto -lcmocka $(if $(findstring seccomp,$@),-lseccomp)
$(TOOLS): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/libtest.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o %.a,$^) -lcmocka
$(BUILD)/tests/tools/stepper: $(call obj,$(STEPPER_SRC))
SOAK := $(BUILD)/tests/soak/soak
$(SOAK): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/libtest.a $(NETLIB) $(BUILD)/main/none.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o %.a,$^) $(LIBS) -lcmocka
tests: $(TESTS) tools fuzz $(SOAK)
tools: $(TOOLS)

# Fuzz targets: LLVMFuzzerTestOneInput; every run replays the corpora, `make fuzz-run TARGET=json SECONDS=60` searches with clang.
$(FUZZ_REPLAY): $(BUILD)/tests/fuzz/%_replay: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/replay.o $(IPAMLIB) $(NETLIB) $(BUILD)/main/none.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o %.a,$^) $(LIBS)
fuzz: $(FUZZ_REPLAY)

.PHONY: check
check: deps-check all tests
	$(Q)NARU_BIN=$(abspath $(BIN)) BUILD=$(abspath $(BUILD)) tests/run -j 3 -t $(or $(TEST_TIMEOUT),900) $(TESTS) $(FUZZ_REPLAY) $(TEST_SH)

# Programs that say what they need of the kernel (tests/lib/lab_needs.h), and those about control groups, run on Debian's kernel.
# VM_KERNEL is its package, VM_APPEND goes to its command line (module_blacklist=ip_tables,ip6_tables: a kernel without legacy
# tables), VM_GROUPS=v1 mounts control groups of version 1, VM_TESTS names other programs.
VM_KERNEL ?= linux-image-amd64
VM_APPEND ?=
VM_GROUPS ?= v2
# macvlan alone is in every kernel
VM_TESTS  ?= $(filter-out %/test_macvlan.c,$(shell grep -l lab_needs.h tests/*/test_*.c)) tests/runner/test_limits.c
.PHONY: check-vm
check-vm: deps-vm all tests
	$(Q)tests/vm/kernel $(abspath $(BUILD))/vm/$(VM_KERNEL) $(VM_KERNEL)
	$(Q)tests/vm/boot -t 1800 -a '$(VM_APPEND)' -g $(VM_GROUPS) -d $(abspath $(BUILD)) $(abspath $(BUILD))/vm/$(VM_KERNEL) \
		env LAB_VM=1 NARU_BIN=$(abspath $(BIN)) BUILD=$(abspath $(BUILD)) \
		tests/run -j $$(nproc) -t 1200 $(VM_TESTS:%.c=$(abspath $(BUILD))/%)

# Many containers at once, killed and collected, for ten minutes: `make soak SECONDS=600 WORKERS=256`.
.PHONY: soak
soak: deps-check all $(SOAK)
	$(Q)NARU_BIN=$(abspath $(BIN)) $(SOAK) --seconds $(or $(SECONDS),600) --workers $(or $(WORKERS),256)

.PHONY: check-deb
check-deb: deb
	$(Q)tests/deb $(BUILD)/deb

.PHONY: fuzz-run
fuzz-run: generated
	$(Q)mkdir -p $(BUILD)/fuzz/found-$(TARGET)
	clang -O1 -g -fsanitize=fuzzer,address,undefined $(CPPFLAGS) -std=gnu11 -o $(BUILD)/fuzz/$(TARGET) \
		tests/fuzz/fuzz_$(TARGET).c $(NETLIB_SRC) netlib/cni/main_none.c $(IPAM_SRC) $(LIBS)
	$(BUILD)/fuzz/$(TARGET) -max_total_time=$(or $(SECONDS),60) -rss_limit_mb=512 -timeout=2 \
		-artifact_prefix=$(BUILD)/fuzz/ $(BUILD)/fuzz/found-$(TARGET) tests/fuzz/corpus/$(TARGET)

# ---------------------------------------------------------------- lint, bench, demo
.PHONY: lint bench demo flags generated
lint: deps-lint
	$(Q)BUILD=$(BUILD) tests/lint/run
# what the analysers of tests/lint/run need to know
flags: ; @printf '%s\n' '$(subst ','\'',$(CPPFLAGS) $(CFLAGS))'
generated: $(BUILD)/build-id.h $(BUILD)/gen/seccomp_default.h

bench: deps-bench all
	$(Q)BUILD=$(BUILD) tests/bench/run $(BENCH_ARGS)

demo: deps-demo all
	$(Q)BIN=$(abspath $(BIN)) doc/demo/run

# ---------------------------------------------------------------- packages (Debian's names)
PKG_BUILD := gcc make libc6-dev libmnl-dev libnftnl-dev libiptc-dev libjson-c-dev libarchive-dev libssl-dev
PKG_CHECK := $(PKG_BUILD) libcmocka-dev libseccomp-dev iproute2 nftables busybox-static containernetworking-plugins conntrack podman crun \
	socat zstd iptables strace dnsmasq-base
PKG_VM    := $(PKG_CHECK) qemu-system-x86 cpio kmod xz-utils
PKG_LINT  := $(PKG_BUILD) libcmocka-dev libseccomp-dev clang clang-format-19 clang-tidy cppcheck shellcheck \
	mandoc git
PKG_BENCH := $(PKG_BUILD) containernetworking-plugins crun podman netavark iptables nftables iproute2 busybox-static
PKG_DEB   := $(PKG_BUILD) debhelper dpkg-dev git
PKG_DEMO  := $(PKG_BUILD) busybox-static iproute2 nftables
.PHONY: deps-build deps-check deps-vm deps-lint deps-bench deps-demo deps-deb
deps-build: ; $(Q)DEPS=$(DEPS) tests/deps $(PKG_BUILD)
deps-check: ; $(Q)DEPS=$(DEPS) tests/deps $(PKG_CHECK)
deps-vm:    ; $(Q)DEPS=$(DEPS) tests/deps $(PKG_VM)
deps-lint:  ; $(Q)DEPS=$(DEPS) tests/deps $(PKG_LINT)
deps-bench: ; $(Q)DEPS=$(DEPS) tests/deps $(PKG_BENCH)
deps-deb:   ; $(Q)DEPS=$(DEPS) tests/deps $(PKG_DEB)
deps-demo:  ; $(Q)DEPS=$(DEPS) tests/deps $(PKG_DEMO)

# ---------------------------------------------------------------- install
MAN8 := $(wildcard doc/man/*.8)
MAN1 := $(wildcard doc/man/*.1)
.PHONY: install uninstall dist image deb clean
install: all
	install -d $(DESTDIR)$(CNI_BINDIR) $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/naru \
		$(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man8
	install $(STRIP) -m 755 $(PLUGINS:%=$(BIN)/%) $(DESTDIR)$(CNI_BINDIR)
	$(foreach a,$(ALIASES),ln -sf $(lastword $(subst :, ,$(a))) $(DESTDIR)$(CNI_BINDIR)/$(firstword $(subst :, ,$(a)));)
	install $(STRIP) -m 755 $(BIN)/naru $(DESTDIR)$(PREFIX)/bin
	install $(STRIP) -m 755 $(BIN)/naru-image $(BIN)/naru-cni $(DESTDIR)$(PREFIX)/libexec/naru
	$(if $(MAN1),install -m 644 $(MAN1) $(DESTDIR)$(PREFIX)/share/man/man1)
	$(if $(MAN8),install -m 644 $(MAN8) $(DESTDIR)$(PREFIX)/share/man/man8)

uninstall:
	rm -f $(PLUGINS:%=$(DESTDIR)$(CNI_BINDIR)/%) \
		$(foreach a,$(ALIASES),$(DESTDIR)$(CNI_BINDIR)/$(firstword $(subst :, ,$(a)))) $(DESTDIR)$(PREFIX)/bin/naru
	rm -rf $(DESTDIR)$(PREFIX)/libexec/naru
	rm -f $(patsubst doc/man/%,$(DESTDIR)$(PREFIX)/share/man/man1/%,$(MAN1)) \
		$(patsubst doc/man/%,$(DESTDIR)$(PREFIX)/share/man/man8/%,$(MAN8))

# The release: sources, and the plugins as the ecosystem's scripts unpack them (flat, root's), with digests. The same sources give
# the same bytes.
ARCH_x86_64 := amd64
ARCH_aarch64 := arm64
MACHINE  := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
ARCH     := $(or $(ARCH_$(MACHINE)),$(MACHINE))
DIST     := $(BUILD)/dist
PACK      = tar --sort=name --mtime=@$(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct)) --owner=0 --group=0 --numeric-owner \
	--format=ustar -C $(1) -cf - . | gzip -9n > $(2)
dist: all
	rm -rf $(DIST) && mkdir -p $(DIST)/flat
	git archive --format=tar --prefix=naru-$(VERSION)/ HEAD | gzip -9n > $(DIST)/naru-$(VERSION).tar.gz
	install -s -m 755 $(PLUGINS:%=$(BIN)/%) $(BIN)/naru-cni $(DIST)/flat
	$(foreach a,$(ALIASES),ln -s $(lastword $(subst :, ,$(a))) $(DIST)/flat/$(firstword $(subst :, ,$(a))) &&) true
	install -m 644 README.md CNI_SPEC.md $(DIST)/flat && install -m 644 COPYING $(DIST)/flat/LICENSE
	$(call PACK,$(DIST)/flat,$(DIST)/naru-cni-plugins-linux-$(ARCH)-v$(VERSION).tgz)
	rm -rf $(DIST)/flat
	cd $(DIST) && for f in *gz; do sha256sum $$f > $$f.sha256 && sha512sum $$f > $$f.sha512 || exit 1; done && \
		sha256sum *gz > SHA256SUMS
	@ls -l $(DIST)

# A root file system for doc/kubernetes/naru.yaml: naru-cni and the libraries it needs, those that it only loads on demand too.
IMAGE    := $(BUILD)/naru-cni-image.tar
IMAGE_LIBS = $(shell ldd $(BIN)/naru-cni | grep -o '/[^ ]*') $(wildcard $(addprefix $(dir $(realpath $(shell $(CC) -print-file-name=libc.so.6))),libip4tc.so.2 libip6tc.so.2))
image: $(BIN)/naru-cni
	rm -rf $(BUILD)/image && mkdir -p $(BUILD)/image/tmp
	install -s -m 755 $(BIN)/naru-cni $(BUILD)/image
	cp -L --parents $(IMAGE_LIBS) $(BUILD)/image
	tar --sort=name --owner=0 --group=0 --numeric-owner -C $(BUILD)/image -cf $(IMAGE) . && rm -rf $(BUILD)/image
	@ls -l $(IMAGE)

# A Debian package, from what is committed.
deb: deps-deb
	rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb/src
	git archive HEAD | tar -x -C $(BUILD)/deb/src
	cd $(BUILD)/deb/src && dpkg-buildpackage -us -uc -b
	rm -rf $(BUILD)/deb/src
	@ls -l $(BUILD)/deb

clean:
	rm -rf build build-san naru-*.tar.gz

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
