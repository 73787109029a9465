# SPDX-License-Identifier: BSD-3-Clause
# podhop: see what happens to a Kubernetes pod's packets. `make help` lists the targets.
#
# Variables for users and packagers: CC CFLAGS CPPFLAGS LDFLAGS LDLIBS PKG_CONFIG PREFIX DESTDIR
# BINDIR SBINDIR DATADIR MANDIR ZSHDIR, V=1 (show commands), WERROR=1, SAN=address,undefined, LTO=0,
# BUILD=DIR.

PREFIX   ?= /usr/local
SBINDIR  ?= $(PREFIX)/sbin
BINDIR   ?= $(PREFIX)/bin
DATADIR  ?= $(PREFIX)/share
MANDIR   ?= $(DATADIR)/man
ZSHDIR   ?= $(DATADIR)/zsh/site-functions
# Where Wireshark looks for plugins and extcaps: its own folder, whatever our PREFIX is when
# that is /usr; below /usr/local the README says what to link.
WIRESHARK_LIBDIR ?= $(PREFIX)/lib/$(shell $(CC) -print-multiarch 2>/dev/null)/wireshark
PKG_CONFIG ?= pkg-config
CC       ?= cc
AR       ?= ar
INSTALL  ?= install
BUILD    ?= build
V        ?= 0
WERROR   ?= 0
SAN      ?=
FUZZ_SECONDS ?= 60

# `make CC=cc` is make's own default, and cc need not exist where only gcc was installed.
ifeq ($(origin CC),default)
CC := $(shell command -v cc >/dev/null 2>&1 && echo cc || echo gcc)
endif

# A source archive says in .version what it was made of, wherever it is unpacked.
VERSION := $(shell cat .version 2>/dev/null || git describe --tags --always --dirty 2>/dev/null || \
	sed -n 's/^\#\# \([0-9][^ ]*\).*/\1/p' CHANGELOG.md | head -n 1)

# Required flags stay apart from CFLAGS, CPPFLAGS and LDFLAGS, which belong to the user.
PKGS      := libpcap libnl-3.0 libnl-route-3.0 libnl-nf-3.0 jansson libxxhash libseccomp libcap-ng zlib libzstd \
	nettle ncursesw
TEST_PKGS := cmocka
# Targets that install what is missing and then call make again: pkg-config is asked when
# the Makefile is read, so it has to be there before.
SETUP_GOALS := check check-full demo lab lint asan ubsan tsan valgrind malformed mutate \
	check-endian check-reproducible fuzz fuzz-afl bench coverage
NO_BUILD_GOALS := clean help deps dist deb format format-check uninstall
ifneq ($(filter-out $(SETUP_GOALS) $(NO_BUILD_GOALS),$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell $(PKG_CONFIG) --exists $(PKGS) && echo yes),yes)
$(error podhop needs the development files of $(PKGS): run `make deps`)
endif
endif
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null) -lm

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wcast-qual -Wformat=2 -Wvla -Wundef
# The same bytes wherever it is built.
REPRODUCIBLE := -ffile-prefix-map=$(CURDIR)=.
# One program, optimized as a whole where the compiler can: a frame crosses six modules, and that is
# a tenth of its time. Objects stay usable without, for the tests' many links. LTO=0: not at all.
LTO ?= $(if $(SAN)$(findstring -O0,$(CFLAGS)),0,$(shell $(CC) --version 2>/dev/null | grep -q 'Free Software' && echo 1 || echo 0))
ifeq ($(LTO),1)
LTO_COMPILE := -flto=auto -ffat-lto-objects
LTO_LINK := -flto=auto -fuse-linker-plugin
PLAIN_LINK := -fno-lto
endif
HARDEN := -fPIE -fstack-protector-strong -fcf-protection
ifneq ($(findstring -O0,$(CFLAGS)),-O0)
ifeq ($(SAN),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
endif
ALL_CPPFLAGS := -D_GNU_SOURCE -Iinclude -DPODHOP_VERSION='"$(VERSION)"' $(CPPFLAGS)
ALL_CFLAGS := -std=c11 $(WARNINGS) $(HARDEN) $(REPRODUCIBLE) $(PKG_CFLAGS) -MMD -MP
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now $(LDFLAGS)
ifeq ($(WERROR),1)
ALL_CFLAGS += -Werror
endif
ifneq ($(SAN),)
ALL_CFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
ALL_LDFLAGS += -fsanitize=$(SAN)
endif
# Fields that were just stored one by one are not loaded as one vector: a processor cannot serve that
# from the stores that are under way, and a frame's description is made and copied at once, six times.
ALL_CFLAGS += -fno-tree-slp-vectorize
ALL_CFLAGS += $(CFLAGS)

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-5s %s\n'
endif

MODULES := base netlink dissect pcapng resolve capture conntrack correlate verify doctor report pipeline sandbox names \
	privacy extcap live cli
SRCS := $(sort $(foreach m,$(MODULES),$(wildcard src/$(m)/*.c)))
OBJS := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(SRCS))
LIB_OBJS := $(filter-out $(BUILD)/obj/cli/main.o,$(OBJS))
UNIT_SRCS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BINS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_SRCS))
TOOL_SRCS := $(sort $(wildcard tests/tools/*.c))
TOOL_BINS := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(TOOL_SRCS))
PRELOAD_SRCS := $(sort $(wildcard tests/preload/*.c))
PRELOADS := $(patsubst tests/preload/%.c,$(BUILD)/preload/%.so,$(PRELOAD_SRCS))
FUZZ_SRCS := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_NAMES := $(FUZZ_SRCS:tests/fuzz/fuzz_%.c=%)
REPLAY_BINS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/replay_%,$(FUZZ_SRCS))
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/engine_%,$(FUZZ_SRCS))
LAB_TESTS := $(sort $(wildcard tests/lab/*.sh))
LAB_TESTS := $(filter-out tests/lab/runtime-node.sh,$(LAB_TESTS))
# Many minutes: make check-full (which sets PODHOP_LONG; truth.sh does all it can then).
ifeq ($(PODHOP_LONG),)
LAB_TESTS := $(filter-out tests/lab/package.sh,$(LAB_TESTS))
endif
CLI_TESTS := $(sort $(wildcard tests/cli/*.sh))

.PHONY: all
all: $(BUILD)/podhop $(BUILD)/completion.stamp ## build build/podhop (default)

# The shells' completions hold the table that the parser is made of. Cross builds name a
# podhop of the same source that runs here (NATIVE_PODHOP).
NATIVE_PODHOP ?= $(BUILD)/podhop
COMPLETIONS := podhop.bash _podhop podhop.fish
$(BUILD)/completion.stamp: $(NATIVE_PODHOP) $(COMPLETIONS:%=src/completion/%.in) src/completion/make-completion
	@mkdir -p $(BUILD)/completion
	$(say) GEN $(BUILD)/completion
	$(Q)$(NATIVE_PODHOP) help --table >$(BUILD)/completion/table
	$(Q)for c in $(COMPLETIONS); do src/completion/make-completion $(BUILD)/completion/table \
		src/completion/$$c.in >$(BUILD)/completion/$$c || exit 1; done
	@touch $@

$(BUILD)/podhop: $(BUILD)/obj/cli/main.o $(BUILD)/libpodhop.a
	$(say) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LTO_LINK) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LDLIBS)

$(BUILD)/libpodhop.a: $(LIB_OBJS)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(LTO_COMPILE) -c -o $@ $<

# The HTML report's page as C strings, one a line: no limit on a string's length is met.
$(BUILD)/gen/report_page.h: src/report/page.html src/report/page.css src/report/page.js
	@mkdir -p $(@D)
	$(say) GEN $@
	$(Q)for f in $^; do \
		printf 'static const char *const page_%s[] = {\n' "$${f##*.}"; \
		sed -e 's/^[ \t]*//' -e '/^$$/d' -e 's/[\\"?]/\\&/g' -e 's/.*/\t"&\\n",/' "$$f"; \
		printf '\tNULL };\n'; \
	done >$@.tmp && mv $@.tmp $@
$(BUILD)/obj/report/result_html.o: ALL_CPPFLAGS += -I$(BUILD)/gen
$(BUILD)/obj/report/result_html.o: $(BUILD)/gen/report_page.h

$(BUILD)/tests/test_%: tests/unit/test_%.c $(BUILD)/libpodhop.a
	@mkdir -p $(@D)
	$(say) TEST $<
	$(Q)$(CC) $(ALL_CPPFLAGS) -Itests/lib $(ALL_CFLAGS) $(PLAIN_LINK) $(ALL_LDFLAGS) -o $@ $< \
		$(BUILD)/libpodhop.a $(shell $(PKG_CONFIG) --libs $(TEST_PKGS) 2>/dev/null || echo -lcmocka) $(PKG_LIBS) $(LDLIBS)

# A fuzz target with a plain main that replays its seeds (no fuzzing engine needed).
$(BUILD)/tests/replay_%: tests/fuzz/%.c tests/fuzz/replay.c $(BUILD)/libpodhop.a
	@mkdir -p $(@D)
	$(say) FUZZ $<
	$(Q)$(CC) $(ALL_CPPFLAGS) -DFUZZ_REPLAY -Itests/lib $(ALL_CFLAGS) $(PLAIN_LINK) $(ALL_LDFLAGS) -o $@ $< \
		tests/fuzz/replay.c \
		$(BUILD)/libpodhop.a $(PKG_LIBS) $(LDLIBS)

# Traffic generators and other helpers of the tests: one file, one program, libc only.
$(BUILD)/tools/%: tests/tools/%.c
	@mkdir -p $(@D)
	$(say) TOOL $<
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(LDLIBS) -lm

# Libraries that tests preload: what goes wrong in them goes wrong in podhop.
$(BUILD)/preload/%.so: tests/preload/%.c
	@mkdir -p $(@D)
	$(say) TOOL $<
	$(Q)$(CC) $(ALL_CPPFLAGS) $(filter-out -fPIE,$(ALL_CFLAGS)) -fPIC -shared $(LDFLAGS) -o $@ $<

# Generator and stages of the benchmarks.
$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/libpodhop.a
	@mkdir -p $(@D)
	$(say) BENCH $<
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(LTO_LINK) $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libpodhop.a \
		$(PKG_LIBS) $(LDLIBS)

# The same with clang's fuzzing engine (make fuzz).
$(BUILD)/tests/engine_%: tests/fuzz/%.c $(BUILD)/libpodhop.a
	@mkdir -p $(@D)
	$(say) FUZZ $<
	$(Q)$(CC) $(ALL_CPPFLAGS) -Itests/lib $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< \
		$(BUILD)/libpodhop.a $(PKG_LIBS) $(LDLIBS)

# A new version string rebuilds what prints it.
$(BUILD)/version: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(VERSION)' | cmp -s - $@ || printf '%s\n' '$(VERSION)' >$@
$(BUILD)/obj/cli/main.o $(BUILD)/obj/cli/options.o $(BUILD)/obj/cli/output.o: $(BUILD)/version
.PHONY: FORCE
FORCE:

# ---- what users install ----

.PHONY: install
install: all ## install podhop and its manual (PREFIX, DESTDIR)
	$(INSTALL) -D -m 755 $(BUILD)/podhop $(DESTDIR)$(SBINDIR)/podhop
	$(INSTALL) -D -m 755 samples/kubernetes/kubectl-podhop $(DESTDIR)$(BINDIR)/kubectl-podhop
	ln -sf kubectl-podhop $(DESTDIR)$(BINDIR)/kubectl_complete-podhop
	for m in src/man/*.[158]; do \
		$(INSTALL) -D -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/} || exit 1; done
	ln -sf kubectl-podhop.1 $(DESTDIR)$(MANDIR)/man1/kubectl_complete-podhop.1
	for s in src/report/schema/*.json; do \
		$(INSTALL) -D -m 644 $$s $(DESTDIR)$(DATADIR)/podhop/schema/$${s##*/} || exit 1; done
	$(INSTALL) -D -m 644 samples/wireshark/podhop.lua $(DESTDIR)$(WIRESHARK_LIBDIR)/plugins/podhop.lua
	for w in samples/wireshark/profile/*; do \
		$(INSTALL) -D -m 644 $$w $(DESTDIR)$(DATADIR)/wireshark/profiles/podhop/$${w##*/} || exit 1; done
	mkdir -p $(DESTDIR)$(WIRESHARK_LIBDIR)/extcap
	ln -sf $(SBINDIR)/podhop $(DESTDIR)$(WIRESHARK_LIBDIR)/extcap/podhop
	$(INSTALL) -D -m 644 $(BUILD)/completion/podhop.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/podhop
	$(INSTALL) -D -m 644 $(BUILD)/completion/_podhop $(DESTDIR)$(ZSHDIR)/_podhop
	$(INSTALL) -D -m 644 $(BUILD)/completion/podhop.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/podhop.fish

.PHONY: uninstall
uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(SBINDIR)/podhop $(DESTDIR)$(BINDIR)/kubectl-podhop \
		$(DESTDIR)$(BINDIR)/kubectl_complete-podhop $(DESTDIR)$(MANDIR)/man1/kubectl_complete-podhop.1
	for m in src/man/*.[158]; do rm -f $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/}; done
	rm -rf $(DESTDIR)$(DATADIR)/podhop
	rm -f $(DESTDIR)$(WIRESHARK_LIBDIR)/plugins/podhop.lua $(DESTDIR)$(WIRESHARK_LIBDIR)/extcap/podhop
	rm -rf $(DESTDIR)$(DATADIR)/wireshark/profiles/podhop
	rm -f $(DESTDIR)$(DATADIR)/bash-completion/completions/podhop \
		$(DESTDIR)$(ZSHDIR)/_podhop \
		$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/podhop.fish

.PHONY: deps
deps: ## install the Debian packages that building, the demo and the tests need (root)
	tests/lib/deps.sh build demo check

.PHONY: demo
demo: ## two flannel nodes on this machine, traffic between their pods, the report (root)
	@tests/lib/deps.sh build demo
	@$(MAKE) --no-print-directory all tools
	@samples/demo.sh

# ---- tests ----

.PHONY: unit tools
unit: $(UNIT_BINS) $(REPLAY_BINS)
tools: $(TOOL_BINS) $(PRELOADS) $(BUILD)/bench/cost

RUN_TESTS := tests/lib/run-tests
REPLAYS = $(foreach f,$(FUZZ_SRCS:tests/fuzz/%.c=%),replay_$(f)="tests/lib/replay $(1)/tests/replay_$(f) tests/fuzz/seeds/$(f:fuzz_%=%)")
STATIC_CHECKS := $(foreach c,layers headers symbols,tests/lib/check-$(c)) \
	check-clang="tests/lib/check-build clang" check-gcc="tests/lib/check-build gcc"

.PHONY: check test
check: ## build with gcc and clang, all tests but the long ones (lab tests need root)
	@tests/lib/deps.sh build demo check
	@$(MAKE) --no-print-directory check-run
test: check

.PHONY: check-run
check-run: all unit tools
	@$(RUN_TESTS) $(STATIC_CHECKS) $(UNIT_BINS) $(call REPLAYS,$(BUILD)) $(CLI_TESTS) $(LAB_TESTS)

.PHONY: check-full
check-full: ## check, then the unit tests under the sanitizers and valgrind, fuzzing, lint
	@tests/lib/deps.sh build demo check lint long
	@$(MAKE) --no-print-directory asan ubsan tsan malformed mutate coverage \
		check-endian check-reproducible valgrind lint
	@PODHOP_LONG=1 $(MAKE) --no-print-directory fuzz check

.PHONY: lab
lab: ## the lab tests alone (root); TESTS="tests/lab/x.sh ..." chooses
	@tests/lib/deps.sh build demo check
	@$(MAKE) --no-print-directory lab-run
.PHONY: lab-run
lab-run: all tools
	@$(RUN_TESTS) $(or $(TESTS),$(LAB_TESTS))

.PHONY: truth
truth: ## every way of a packet against ground truth, as a table (root, a quarter of an hour)
	@tests/lib/deps.sh build demo
	@$(MAKE) --no-print-directory all tools
	@BUILD=$(BUILD) tests/lab/truth.sh -t

.PHONY: replay
replay: ## the same with frames shuffled, and with frames removed, as a table (root, half an hour)
	@tests/lib/deps.sh build demo
	@$(MAKE) --no-print-directory all tools
	@BUILD=$(BUILD) tests/lab/replay.sh -t

.PHONY: faults
faults: ## 29 single faults: where capture, verify and doctor see them, as a table (root, 3 minutes)
	@tests/lib/deps.sh build demo
	@$(MAKE) --no-print-directory all tools
	@BUILD=$(BUILD) tests/lab/fault-table.sh -t

.PHONY: asan ubsan tsan
asan: ## unit tests and seeds under the address and undefined sanitizers
	@tests/lib/deps.sh build check
	@$(MAKE) --no-print-directory SAN=address,undefined BUILD=$(BUILD)/asan CFLAGS="-O1 -g" unit-run
ubsan: ## the same under the undefined sanitizer alone
	@tests/lib/deps.sh build check
	@$(MAKE) --no-print-directory SAN=undefined BUILD=$(BUILD)/ubsan CFLAGS="-O1 -g" unit-run
tsan: ## the same under the thread sanitizer
	@tests/lib/deps.sh build check
	@$(MAKE) --no-print-directory SAN=thread BUILD=$(BUILD)/tsan CFLAGS="-O1 -g" unit-run
.PHONY: unit-run
# A thread sanitizer makes the longest, which never waits, twenty times longer.
unit-run: unit
	@$(RUN_TESTS) -t 900 $(UNIT_BINS) $(call REPLAYS,$(BUILD))

.PHONY: check-endian
check-endian: ## readers and matching as 32-bit and as big-endian programs (qemu-user)
	@tests/lib/deps.sh build port
	@$(RUN_TESTS) -t 900 $(foreach m,i686 s390x,$(m)="tests/lib/check-port $(m) $(BUILD)")

.PHONY: check-reproducible
check-reproducible: ## built twice, elsewhere: the same bytes
	@tests/lib/deps.sh build
	@CC="$(CC)" $(RUN_TESTS) reproducible=tests/lib/check-reproducible

.PHONY: mutate
mutate: ## seed wrong matching rules, one after the other: which test catches each?
	@tests/lib/deps.sh build check
	@$(MAKE) --no-print-directory all
	@CC="$(CC)" $(RUN_TESTS) -v -t 900 mutate="tests/lib/mutate $(BUILD)"

.PHONY: malformed
malformed: ## the malformed captures through every command under the sanitizers
	@tests/lib/deps.sh build check
	@$(MAKE) --no-print-directory SAN=address,undefined BUILD=$(BUILD)/asan CFLAGS="-O1 -g" all
	@PODHOP=$(BUILD)/asan/podhop $(RUN_TESTS) -t 600 malformed_asan=tests/cli/malformed.sh

.PHONY: valgrind
valgrind: ## unit tests under valgrind
	@tests/lib/deps.sh build check long
	@$(MAKE) --no-print-directory valgrind-run
.PHONY: valgrind-run
# The sandbox forbids what valgrind itself needs, and valgrind does not know Landlock's calls.
valgrind-run: unit
	@$(RUN_TESTS) -t 600 $(foreach t,$(filter-out %/test_sandbox,$(UNIT_BINS)),valgrind_$(notdir $(t))="valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite $(t)")

# The macro makes a few tables small (see its uses), so that they are cheap and met full.
FUZZ_CFLAGS := -O2 -g -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
# Targets whose input is a story of many packets: each byte means something, so that comparisons need
# no tracing, and the engine's bookkeeping of thousands of features a run costs more than it finds.
# A run takes a quarter of the time without both.
FUZZ_STORIES := pipeline verify
FUZZ_PARSERS = $(filter-out $(FUZZ_STORIES),$(FUZZ_NAMES))
FUZZ_MAKE = $(MAKE) --no-print-directory CC=clang SAN=address,undefined,fuzzer-no-link
.PHONY: fuzz
fuzz: ## every fuzz target for FUZZ_SECONDS (60) with clang's engine and sanitizers
	@tests/lib/deps.sh build check
	@$(if $(FUZZ_PARSERS),$(FUZZ_MAKE) BUILD=$(BUILD)/fuzz CFLAGS="$(FUZZ_CFLAGS)" \
		FUZZ_NAMES="$(FUZZ_PARSERS)" fuzz-run)
	@$(if $(filter $(FUZZ_STORIES),$(FUZZ_NAMES)),FUZZ_OPTIONS=-entropic=0 $(FUZZ_MAKE) \
		BUILD=$(BUILD)/fuzz-stories CFLAGS="$(FUZZ_CFLAGS) -fno-sanitize-coverage=trace-cmp" \
		FUZZ_NAMES="$(filter $(FUZZ_STORIES),$(FUZZ_NAMES))" fuzz-run)
.PHONY: fuzz-run
fuzz-run: $(FUZZ_NAMES:%=$(BUILD)/tests/engine_fuzz_%)
	@$(RUN_TESTS) -t $$(($(FUZZ_SECONDS) + 120)) $(foreach f,$(FUZZ_NAMES),fuzz_$(f)="tests/lib/fuzz $(BUILD)/tests/engine_fuzz_$(f) tests/fuzz/seeds/$(f) $(BUILD)/corpus/$(f) $(FUZZ_SECONDS) tests/fuzz/dict/$(f).dict")

# AFL++ brings its own sanitizer switch, and its own driver for the same targets.
.PHONY: fuzz-afl
fuzz-afl: ## the same with AFL++
	@tests/lib/deps.sh build check afl
	@AFL_USE_ASAN=1 AFL_QUIET=1 $(MAKE) --no-print-directory CC=afl-clang-fast BUILD=$(BUILD)/afl \
		CFLAGS="-O2 -g" fuzz-afl-run
.PHONY: fuzz-afl-run
fuzz-afl-run: $(FUZZ_BINS)
	@$(RUN_TESTS) -t $$(($(FUZZ_SECONDS) + 120)) $(foreach f,$(FUZZ_NAMES),afl_$(f)="tests/lib/fuzz-afl $(BUILD)/tests/engine_fuzz_$(f) tests/fuzz/seeds/$(f) $(BUILD)/out/$(f) $(FUZZ_SECONDS) tests/fuzz/dict/$(f).dict")

.PHONY: bench
bench: ## podhop beside tcpdump, dumpcap, capinfos, tshark (BENCH="-n 10 targets" chooses; root)
	@tests/lib/deps.sh build demo check
	@$(MAKE) --no-print-directory bench-run
.PHONY: bench-run
bench-run: all tools $(BUILD)/bench/gen $(BUILD)/bench/stages
	@tests/bench/bench.py $(BENCH)

.PHONY: bench-cluster
bench-cluster: all tools $(BUILD)/bench/gen ## what 1,000 nodes send, and what merging their reports costs
	@tests/bench/cluster.py $(BENCH)

# Quick ones that read what strangers send, whole and broken, and compare what was written.
COVERAGE_CLI := filters golden html inputs kubectl lagging malformed names options outputs privacy rotate \
	schema terminal two-nodes
.PHONY: coverage
coverage: ## lines and branches that unit tests, seeds and CLI tests reach; fails below its marks
	@tests/lib/deps.sh build check
	@rm -f $$(find $(BUILD)/coverage -name '*.gcda' 2>/dev/null)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/coverage CFLAGS="-O0 -g --coverage -DCOVERAGE" LTO=0 \
		unit-run coverage-run
	@tests/lib/coverage $(BUILD)/coverage
.PHONY: coverage-run
coverage-run: all tools
	@BUILD=$(abspath $(BUILD)) PODHOP=$(abspath $(BUILD)/podhop) \
		$(RUN_TESTS) $(foreach t,$(COVERAGE_CLI),cli_$(t)="env LD_PRELOAD=$(abspath $(BUILD)/preload/unsealed.so) tests/cli/$(t).sh")

.PHONY: update-golden
update-golden: all ## rewrite expectations of tests/cli, options of the manual; review the diff
	@tests/cli/golden.sh --update
	@src/man/update-options $(BUILD)/podhop

.PHONY: samples
samples: all tools ## make samples/*.pcapng anew in the lab (root)
	@samples/make-samples.sh

# ---- style ----

.PHONY: lint
lint: ## layers, symbols, headers, clang-tidy, gcc's analyzer, cppcheck, shellcheck, manual
	@tests/lib/deps.sh build lint
	@$(MAKE) --no-print-directory lint-run
.PHONY: lint-run
lint-run: all
	@$(RUN_TESTS) -t 1200 $(STATIC_CHECKS) tests/lib/check-files $(foreach c,tidy analyzer cppcheck shell man,check-$(c)="tests/lib/check-tools $(c)")

C_FILES = $(shell git ls-files '*.c' '*.h')
.PHONY: format format-check
format: ## put the C sources into the project's format
	clang-format -i $(C_FILES)
format-check: ## say which C sources clang-format would change
	clang-format --dry-run $(C_FILES)

# A source archive of the last commit. Its bytes depend on that commit alone: order and times are
# git's, owners and modes are set, and gzip writes neither name nor time.
DIST_VERSION = $(shell git describe --tags --always 2>/dev/null | sed 's/^v//')
DIST_DATE = $(shell git log -1 --format=%ct 2>/dev/null)
DIST = $(BUILD)/podhop-$(DIST_VERSION).tar.gz
.PHONY: dist
dist: ## a source archive of the last commit in build/: the same bytes each time
	@mkdir -p $(BUILD)
	@[ -n "$(DIST_VERSION)" ] || { echo "make dist needs git's history" >&2; exit 1; }
	git -c tar.umask=0022 archive --format=tar --prefix=podhop-$(DIST_VERSION)/ \
		--add-virtual-file=podhop-$(DIST_VERSION)/.version:$(DIST_VERSION) HEAD | gzip -9n >$(DIST).tmp
	@mv $(DIST).tmp $(DIST)

.PHONY: deb
deb: ## the Debian package of the last commit in build/
	@tests/lib/deps.sh build deb
	@$(MAKE) --no-print-directory dist
	@rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb
	src/debian/build-deb $(abspath $(DIST)) $(DIST_VERSION) $(DIST_DATE) $(abspath $(BUILD)/deb)
	@cp $(BUILD)/deb/podhop_*$$(dpkg-architecture -qDEB_HOST_ARCH).deb $(BUILD)/podhop.deb
	@echo "$(BUILD)/podhop.deb: apt install ./$(BUILD)/podhop.deb"

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BUILD)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

-include $(OBJS:.o=.d)
-include $(wildcard $(BUILD)/tests/*.d) $(wildcard $(BUILD)/tools/*.d) $(wildcard $(BUILD)/preload/*.d)
