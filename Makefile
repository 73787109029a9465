# SPDX-License-Identifier: BSD-3-Clause
# podhop: see what happens to a Kubernetes pod's packets. `make help` lists the targets.

PREFIX   ?= /usr/local
SBINDIR  ?= $(PREFIX)/sbin
DATADIR  ?= $(PREFIX)/share
MANDIR   ?= $(DATADIR)/man
PKG_CONFIG ?= pkg-config
CC       ?= cc
AR       ?= ar
BUILD    ?= build
V        ?= 0
WERROR   ?= 0
SAN      ?=

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || sed -n 's/^\#\# \([0-9][^ ]*\).*/\1/p' CHANGELOG.md | head -n 1)

# Required flags stay apart from CFLAGS, CPPFLAGS and LDFLAGS, which belong to the user.
PKGS      := libpcap libnl-3.0 libnl-route-3.0 jansson libxxhash
TEST_PKGS := cmocka
ifneq ($(filter-out clean help deps distclean format demo check check-full lab,$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell $(PKG_CONFIG) --exists $(PKGS) && echo yes),yes)
$(error podhop needs the development files of $(PKGS): run `make deps`)
endif
endif
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null)

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wcast-qual -Wformat=2 -Wvla -Wundef
HARDEN := -fPIE -fstack-protector-strong -fcf-protection
ifneq ($(findstring -O0,$(CFLAGS)),-O0)
ifeq ($(SAN),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
endif
ALL_CPPFLAGS := -D_GNU_SOURCE -Iinclude -DPODHOP_VERSION='"$(VERSION)"' $(CPPFLAGS)
ALL_CFLAGS := -std=c11 $(WARNINGS) $(HARDEN) $(PKG_CFLAGS) -MMD -MP
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now $(LDFLAGS)
ifeq ($(WERROR),1)
ALL_CFLAGS += -Werror
endif
ifneq ($(SAN),)
ALL_CFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
ALL_LDFLAGS += -fsanitize=$(SAN)
endif
ALL_CFLAGS += $(CFLAGS)

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-5s %s\n'
endif

MODULES := base dissect pcapng resolve capture correlate report pipeline cli
SRCS := $(sort $(foreach m,$(MODULES),$(wildcard src/$(m)/*.c)))
OBJS := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(SRCS))
LIB_OBJS := $(filter-out $(BUILD)/obj/cli/main.o,$(OBJS))
UNIT_SRCS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BINS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_SRCS))
TOOL_SRCS := $(sort $(wildcard tests/tools/*.c))
TOOL_BINS := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(TOOL_SRCS))
FUZZ_SRCS := $(sort $(wildcard tests/fuzz/fuzz_*.c))
REPLAY_BINS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/replay_%,$(FUZZ_SRCS))

.PHONY: all
all: $(BUILD)/podhop ## build build/podhop (default)

$(BUILD)/podhop: $(BUILD)/obj/cli/main.o $(BUILD)/libpodhop.a
	$(say) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(LDLIBS)

$(BUILD)/libpodhop.a: $(LIB_OBJS)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/tests/test_%: tests/unit/test_%.c $(BUILD)/libpodhop.a
	@mkdir -p $(@D)
	$(say) TEST $<
	$(Q)$(CC) $(ALL_CPPFLAGS) -Itests/lib $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libpodhop.a \
		$(shell $(PKG_CONFIG) --libs $(TEST_PKGS) 2>/dev/null || echo -lcmocka) $(PKG_LIBS) $(LDLIBS)

# A fuzz target with a plain main that replays its seeds (no fuzzing engine needed).
$(BUILD)/tests/replay_%: tests/fuzz/%.c tests/fuzz/replay.c $(BUILD)/libpodhop.a
	@mkdir -p $(@D)
	$(say) FUZZ $<
	$(Q)$(CC) $(ALL_CPPFLAGS) -Itests/lib $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< tests/fuzz/replay.c \
		$(BUILD)/libpodhop.a $(PKG_LIBS) $(LDLIBS)

# Traffic generators and other helpers of the tests: one file, one program, libc only.
$(BUILD)/tools/%: tests/tools/%.c
	@mkdir -p $(@D)
	$(say) TOOL $<
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(LDLIBS)

.PHONY: unit tools
unit: $(UNIT_BINS) $(REPLAY_BINS)
tools: $(TOOL_BINS)

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BUILD)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

-include $(OBJS:.o=.d)
-include $(wildcard $(BUILD)/tests/*.d) $(wildcard $(BUILD)/tools/*.d)
