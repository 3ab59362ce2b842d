# make               all lessons, and the wire where it can run
# make 02-tcp-echo   one lesson
# make demo          one TCP connection between two private hosts, seen from both ends
# make test          all tests (needs bats)
# make windows       the portable programs for Windows, by mingw-w64; make test-windows tests them under Wine
# make figures       plays every scene, and draws its figure and recording into LESSON/figures/ again
# make sanitize      the tests again, under AddressSanitizer and UndefinedBehaviorSanitizer
# make fuzz          hostile captures, scenes and frames, for a minute (needs clang)
# make bench         speed, as ratios against other programs measured in turn
# make format        clang-format over all sources; make check-format only looks
# make clean

CC       ?= cc
CFLAGS   ?= -O2 -g
WARNINGS := -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(WERROR)
B        := build
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += --jobs=$(shell nproc 2>/dev/null || echo 2)
endif

LESSONS  := 01-socket-basics 02-tcp-echo 03-udp-echo 04-handshake-trace 05-close-states 06-retransmit
SOURCES  := $(wildcard $(addsuffix /*.c,$(LESSONS)))
PROGRAMS := $(SOURCES:%.c=$(B)/%)
WINDOWS  := $(SOURCES:%.c=$(B)/windows/%.exe)

# The wire stands on Linux: namespaces, TAP devices, ptrace. The ladder draws its recordings on every system.
TOOLS := $(B)/ladder
ifeq ($(shell uname -s),Linux)
TOOLS += $(B)/wire
endif
WIRE_SOURCES   := $(wildcard common/wire/*.c)
LINUX_ONLY     := $(patsubst %,common/wire/%.c,calls carry doctor hold host main play show stage stamp states tasks watch)
LADDER_SOURCES := $(filter-out $(LINUX_ONLY),$(WIRE_SOURCES))
WIRE_OBJECTS   := $(patsubst %.c,$(B)/%.o,$(filter-out %/ladder.c,$(WIRE_SOURCES)))
LADDER_OBJECTS := $(LADDER_SOURCES:%.c=$(B)/%.o)

.PHONY: all $(LESSONS) demo figures test test-windows windows sanitize bench fuzz format check-format clean
all: $(PROGRAMS) $(TOOLS)
.SECONDEXPANSION:
$(LESSONS): $$(filter $(B)/$$@/%,$(PROGRAMS))

# Every lesson program is one .c file and common/net.h: this line, typed by hand, builds it as well.
$(PROGRAMS): $(B)/%: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(WARNINGS) $(CFLAGS) -MMD -MP -o $@ $< $(LDFLAGS)

$(B)/wire: $(WIRE_OBJECTS)
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS)
$(B)/ladder: $(LADDER_OBJECTS)
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS)
$(B)/common/%.o: common/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(WARNINGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# What only tests and the bench need; those make it when they do.
$(B)/tests/tools/%: tests/tools/%.c common/net.h Makefile
	@mkdir -p $(@D)
	$(CC) $(WARNINGS) $(CFLAGS) -o $@ $< $(LDFLAGS)

MINGW := x86_64-w64-mingw32-gcc
MINGW_FLAGS := -O2 -D_WIN32_WINNT=0x0A00 -DNTDDI_VERSION=0x0A000006 -D__USE_MINGW_ANSI_STDIO=1
windows: $(WINDOWS) $(B)/windows/ladder.exe
$(WINDOWS): $(B)/windows/%.exe: %.c Makefile
	@mkdir -p $(@D)
	$(MINGW) $(WARNINGS) $(MINGW_FLAGS) -MMD -MP -o $@ $< -lws2_32 -liphlpapi
$(B)/windows/ladder.exe: $(LADDER_OBJECTS:$(B)/%=$(B)/windows/%)
	$(MINGW) -o $@ $^ -lws2_32
$(B)/windows/common/%.o: common/%.c Makefile
	@mkdir -p $(@D)
	$(MINGW) $(WARNINGS) $(MINGW_FLAGS) -MMD -MP -c -o $@ $<

# Where no private network can be made: why, and what it looked like where one could.
DEMO := 04-handshake-trace
demo: $(TOOLS) $(B)/02-tcp-echo/server $(B)/02-tcp-echo/client
ifeq ($(shell uname -s),Linux)
	@if why=$$($(B)/wire --doctor --brief); then $(B)/wire $(DEMO)/three-way-handshake.scene; else \
	    echo "$$why; a recording:"; $(B)/ladder $(DEMO)/figures/three-way-handshake.pcapng; fi
else
	@echo "no private network: the wire runs on Linux only; a recording:"
	@$(B)/ladder $(DEMO)/figures/three-way-handshake.pcapng
endif

test: all
	@tests/run
test-windows: all $(if $(shell command -v $(MINGW)),windows)
	@SUITE=windows tests/run
sanitize:
	@$(MAKE) -s --no-print-directory B=$(B)/sanitize \
	    CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" all
	@SUITE=sanitize tests/run
bench: all
	@tests/bench

figures: all
	@common/figures

# Hostile captures, scenes and frames, by libFuzzer: SECONDS for each.
SECONDS := 20
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/*.c))
fuzz: $(FUZZ)
	@tests/fuzz/run $(SECONDS) $(B)
$(FUZZ): $(B)/fuzz/%: tests/fuzz/%.c $(wildcard common/wire/*.[ch]) Makefile
	@mkdir -p $(@D)
	clang $(WARNINGS) -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	    -o $@ $< $(filter-out %/ladder.c,$(LADDER_SOURCES))

FORMATTED := $(SOURCES) common/net.h $(wildcard common/wire/*.[ch] tests/fuzz/*.c tests/tools/*.c)
format:
	clang-format -i $(FORMATTED)
check-format:
	clang-format --dry-run -Werror $(FORMATTED)

clean:
	rm -rf $(B)

-include $(PROGRAMS:%=%.d) $(WIRE_OBJECTS:.o=.d) $(LADDER_OBJECTS:.o=.d) $(WINDOWS:.exe=.d) \
    $(LADDER_OBJECTS:$(B)/%.o=$(B)/windows/%.d)
