# net-gazer: plain make.  `make help` lists the targets, `make V=1` shows commands.
#
# A new plugin (plugins/*.c), unit test (tests/unit/*.c) or fuzz target (tests/fuzz/*.c) is a new
# file: it is found.  Packagers set PREFIX, DESTDIR, CC, CFLAGS, LDFLAGS as usual.
PREFIX      ?= /usr/local
SBINDIR     ?= $(PREFIX)/sbin
LIBEXECDIR  ?= $(PREFIX)/libexec/net-gazer
PLUGINDIR   ?= $(PREFIX)/lib/net-gazer/plugins
DATADIR     ?= $(PREFIX)/share/net-gazer
MANDIR      ?= $(PREFIX)/share/man
INCLUDEDIR  ?= $(PREFIX)/include
UNITDIR     ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
SYSCONFDIR  ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)

VERSION     := 0.1.0
CC          ?= cc
CLANG       ?= clang
PKG_CONFIG  ?= pkg-config
PYTHON      ?= /usr/bin/python3
# yes, when libzstd is there: reports may be packed with it.
ifndef WITH_ZSTD
WITH_ZSTD   := $(shell $(PKG_CONFIG) --exists libzstd 2>/dev/null && echo yes || echo no)
endif
# When this was made: no clock is right that shows less.  The same sources give the same programs.
build_epoch := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),\
	       $(shell date -u -r docs/CHANGES.md +%s))
# yes: as small as it gets, with the same hardening, for a router's flash.
SMALL       ?= no
small        = $(if $(filter yes,$(SMALL)),$(1),$(2))
CFLAGS      ?= $(call small,-Os,-O2 -g)
O           ?= build
# Words are what make knows: a path with a space in it would be two, and `make clean` remove another folder.
$(foreach v,CURDIR O DESTDIR PREFIX SBINDIR LIBEXECDIR PLUGINDIR DATADIR MANDIR INCLUDEDIR UNITDIR SYSUSERSDIR TMPFILESDIR SYSCONFDIR,\
	$(if $(word 2,x$($v)x),$(error $v = "$($v)": a path without spaces is needed)))

CPPFLAGS    += -Isrc -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DVERSION='"$(VERSION)"' $(if $(filter yes,$(WITH_ZSTD)),-DWITH_ZSTD)
paths        = -DSBINDIR='"$(SBINDIR)"' -DLIBEXECDIR='"$(LIBEXECDIR)"' -DPLUGINDIR='"$(PLUGINDIR)"' -DDATADIR='"$(DATADIR)"' -DSYSCONFDIR='"$(SYSCONFDIR)"'
warnings    := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wconversion \
	       -Wno-sign-conversion -Wformat=2 -Wformat-security -Wundef -Wpointer-arith -Wwrite-strings
ifneq ($(CI)$(WERROR),)
warnings    += -Werror
endif
# What this compiler does not know is left out.
machine     := $(shell $(CC) -dumpmachine 2>/dev/null)
hardening   := -fstack-protector-strong -fno-strict-aliasing -fno-delete-null-pointer-checks \
	       $(if $(findstring -mips16,$(CC) $(CFLAGS)),,-fstack-clash-protection) \
	       $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),,-ftrivial-auto-var-init=zero \
	       -fzero-call-used-regs=used-gpr) \
	       $(if $(filter x86_64% i%86%,$(machine)),-fcf-protection=full) \
	       $(if $(filter aarch64%,$(machine)),-mbranch-protection=standard)
# yes: the programs too have ASan and UBSan.  no: not even the unit tests (another machine's, run by qemu).
sanitized   := $(filter-out no,$(SAN))
ifeq ($(sanitized),)
hardening   += $(if $(filter -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
else
hardening   += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
sections    := -ffunction-sections -fdata-sections
# Nothing unwinds; every call is resolved at start, so that no stub need be there to do it later.
unwinding    = $(call small,-fno-asynchronous-unwind-tables -fno-unwind-tables -fno-plt)
# Code and what is only read as one segment: else each file is up to two pages longer, most of them empty.  On mips and arm the
# linker leaves holes for pages of 64 KiB, which hardly a router's kernel has (where it has, it does not start such a program).
MAX_PAGE    ?= 4096
pages        = $(call small,noseparate-code$(if $(filter mips% arm% aarch64%,$(machine)),$(comma)-z$(comma)max-page-size=$(MAX_PAGE)),separate-code)
# A packet crosses ten small files: inlining across them is worth an eighth of the analyzer's time.
ifeq ($(sanitized)$(findstring clang,$(shell $(CC) --version 2>/dev/null)),)
LTO         ?= -flto=auto -ffat-lto-objects
endif
# gcc clears a struct of a hundred bytes with `rep stos`, which costs more than the function around it.
comma       := ,
clearing    := $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),,$(if $(filter x86_64%,$(machine)),\
	       -mmemset-strategy=unrolled_loop:256:noalign$(comma)libcall:-1:noalign))
cflags       = -std=gnu11 $(warnings) $(hardening) $(clearing) $(sections) $(unwinding) $(LTO) -fvisibility=hidden $(CFLAGS)
ldflags      = -Wl,-z,relro,-z,now,-z,noexecstack,-z,$(pages),--as-needed,--gc-sections $(LDFLAGS) \
	       $(if $(sanitized),-fsanitize=address -fsanitize=undefined)
Q            = $(if $(V),,@printf '  %-7s %s\n' $(1) $(@:$(O)/%=%);)

pc           = $(shell $(PKG_CONFIG) --$(1) $(2) 2>/dev/null)
pc_cflags   := $(call pc,cflags,libmnl libnftnl libconfuse $(if $(filter yes,$(WITH_REPLAY)),libpcap) libcurl libmicrohttpd gnutls libargon2 hiredis sqlite3 yajl libseccomp zlib)
zstd        := $(if $(filter yes,$(WITH_ZSTD)),$(call pc,libs,libzstd))

objs         = $(patsubst src/%.c,$O/obj/%.o,$(wildcard src/$(1)/*.c))
lib         := $(O)/obj/lib.a
plugins     := $(patsubst plugins/%.c,$O/plugins/%.so,$(wildcard plugins/*.c))
units       := $(patsubst tests/unit/%.c,$O/unit/%,$(wildcard tests/unit/*.c))
fuzzers     := $(patsubst tests/fuzz/%.c,$O/fuzz/%,$(wildcard tests/fuzz/*.c))
# no: without -r, and without libpcap.
WITH_REPLAY ?= yes
sensor      := $(O)/net-gazer $(O)/analyzer $(if $(filter yes,$(WITH_REPLAY)),$(O)/replay) $(O)/forwarder $(O)/prober $(O)/trace $(O)/net-gazerctl
collector   := $(O)/net-gazer-collector $(O)/geo
mans        := $(wildcard docs/man/*.[1-9])

all: sensor $(collector)                ## build everything
sensor: $(sensor) $(plugins)            ## build the sensor's programs and the plugins

$(lib): $(call objs,lib)
	$(call Q,AR)rm -f $@ && $(AR) rcs $@ $^

analyzer_stages := $(filter-out $O/obj/analyzer/main.o,$(call objs,analyzer))
$O/net-gazer: $(call objs,sensor) $(call objs,ctl)
$O/net-gazer: libs = $(call pc,libs,libmnl libnftnl libconfuse yajl libseccomp) -lnetfilter_log
# Another name of it: src/ctl.h.
$O/net-gazerctl: $O/net-gazer
	$(call Q,LINK)ln -sf net-gazer $@
$O/analyzer: $(analyzer_stages) $O/obj/analyzer/main.o
$O/analyzer: libs = $(call pc,libs,libmnl libseccomp) -ldl
$O/replay: $(analyzer_stages) $(call objs,replay)
$O/replay: libs = $(call pc,libs,libpcap libmnl libseccomp) -ldl
$O/prober: $(call objs,prober) $O/obj/analyzer/batch.o
$O/prober: libs = $(call pc,libs,libmnl libseccomp)
$O/trace: $(call objs,trace) $O/obj/sensor/child.o $O/obj/sensor/settings.o
$O/forwarder: $(call objs,forwarder)
$O/forwarder: libs = $(call pc,libs,libcurl yajl libseccomp zlib) $(zstd)
$O/obj/forwarder/deliver.o $O/unit/forwarder_deliver: private CPPFLAGS += -DBUILD_EPOCH=$(build_epoch)
$O/net-gazer-collector: $(call objs,collector) $O/obj/collector/ui.o
$O/net-gazer-collector: libs = $(call pc,libs,libmicrohttpd gnutls libargon2 hiredis sqlite3 yajl libconfuse libseccomp zlib) $(zstd) -lpthread -lm
$O/geo: $(call objs,geo)
$O/geo: libs = $(call pc,libs,libmaxminddb libseccomp) -lm
$(filter-out %/net-gazerctl,$(sensor)) $(collector): $(lib)
	$(call Q,LD)$(CC) $(cflags) -pie $(ldflags) -o $@ $(filter %.o,$^) $(lib) $(libs)

# What is compiled in: with another PREFIX the programs are made anew.
compiled     = $(SBINDIR) $(LIBEXECDIR) $(PLUGINDIR) $(DATADIR) $(SYSCONFDIR)
paths_stamp := $O/obj/paths.stamp
ifneq ($(shell cat $(paths_stamp) 2>/dev/null),$(compiled))
.PHONY: $(paths_stamp)
endif
$(paths_stamp):
	@mkdir -p $(@D) && echo $(compiled) >$@
# The year 2038 on 32-bit machines with glibc.  Not where a library gets or gives a time: libpcap in replay, hiredis in the collector.
$(foreach d,sensor analyzer forwarder prober ctl trace lib,$(call objs,$d)): private CPPFLAGS += -D_TIME_BITS=64
$O/obj/%.o: src/%.c $(paths_stamp)
	@mkdir -p $(@D)
	$(call Q,CC)$(CC) $(CPPFLAGS) $(paths) $(pc_cflags) $(cflags) -fPIE -MMD -MP -c -o $@ $<
# Small: ours have no constructors or destructors, nor exit handlers.
$O/plugins/%.so: plugins/%.c
	@mkdir -p $(@D)
	$(call Q,PLUGIN)$(CC) $(CPPFLAGS) $(cflags) -fPIC -shared $(ldflags) -Wl,-z,noseparate-code \
		$(call small,-nostartfiles) -MMD -MP -o $@ $<

# The page: bundled by esbuild from the lock file, then put into the program.
ui_src      := $(wildcard src/collector/ui/*.js src/collector/ui/*.css src/collector/ui/*.html src/collector/ui/*.svg \
		 src/collector/ui/*.mjs)
$O/ui/node_modules/.stamp: src/collector/ui/package.json src/collector/ui/package-lock.json
	@mkdir -p $O/ui
	$(call Q,NPM)cp $^ $O/ui/ && (cd $O/ui && npm ci --no-audit --no-fund --loglevel=error >npm.log 2>&1 || { cat npm.log; exit 1; }) && touch $@
$O/ui/dist/.stamp: $(ui_src) $O/ui/node_modules/.stamp
	$(call Q,UI)NODE_PATH=$O/ui/node_modules node src/collector/ui/build.mjs $O/ui && touch $@
$O/obj/collector/ui.o: src/collector/ui.S $O/ui/dist/.stamp docs/schema/net-gazer-report-1.schema.json
	@mkdir -p $(@D)
	$(call Q,EMBED)$(CC) -I$O/ui/dist -Idocs/schema -c -o $@ $<

# What sudo is about to run, if somebody else made it: a plugin that he could change would be refused, and with his umask user net-gazer,
# or nobody, might not start or load it.
define built
@+umask 022; $(MAKE) --no-print-directory $(1)
@[ "$$(id -u)" != 0 ] || { chown -R 0:0 $O/plugins && chmod -R a+rX $O/plugins $(filter-out %/net-gazerctl,$(sensor)) $(collector); }
endef
root:
	@[ "$$(id -u)" = 0 ] || { echo "rules, NFLOG and namespaces need root: sudo make $(MAKECMDGOALS)" >&2; exit 1; }
run: root deps                          ## sensor and collector on this machine; prints the URL; Ctrl-C ends
	$(call built,all)
	@tests/run-local --build $O
demo: root deps                         ## the same over a LAN, a router and an internet made of namespaces
	$(call built,all)
	@tests/run-demo --build $O
deps:                                   ## install what building and testing needs (Debian, as root)
	@.ci/deps $(if $(PORTABILITY),portability,$(FOR))
check-portability: PORTABILITY = yes
run demo: FOR = run
deb: FOR = deb

# Tests of other machines and of packages: `make check-portability`, or, at the same time as the others, `make check PORTABILITY=yes`.
portable    = $(if $(PORTABILITY),$(wildcard tests/portability/portable_*.py))

# Unit tests include the .c that they test and run under ASan and UBSan.
san         := $(if $(filter no,$(SAN)),,-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
$O/unit/%: tests/unit/%.c $(lib)
	@mkdir -p $(@D)
	$(call Q,UNIT)$(CC) $(CPPFLAGS) $(paths) $(pc_cflags) -Itests/unit -std=gnu11 $(warnings) -Wno-missing-prototypes \
		-Wno-conversion -O1 -g $(san) -MMD -MP -o $@ $< $(filter-out $(omit_$*),$(wildcard $(extra_$*))) \
		$(filter-out $(patsubst src/lib/%.c,$O/obj/lib/%.o,$(omit_$*)),$(call objs,lib)) -lcmocka $(libs_$*) \
		$(call pc,libs,libconfuse libseccomp libmnl) -ldl
fuzz_flags   = $(CPPFLAGS) $(paths) $(pc_cflags) -std=gnu11 -O1 -g -fsanitize=fuzzer$(1),address,undefined \
	       -fno-sanitize-recover=all -MMD -MP
fuzz_lib    := $O/fuzz/lib.a
$O/fuzz/lib/%.o: src/lib/%.c
	@mkdir -p $(@D)
	$(call Q,FUZZ)$(CLANG) $(call fuzz_flags,-no-link) -c -o $@ $<
$(fuzz_lib): $(patsubst src/lib/%.c,$O/fuzz/lib/%.o,$(wildcard src/lib/*.c))
	$(call Q,AR)rm -f $@ && $(AR) rcs $@ $^
$O/fuzz/%: tests/fuzz/%.c $(fuzz_lib)
	@mkdir -p $(@D)
	$(call Q,FUZZ)$(CLANG) $(fuzz_flags) -o $@ $< $(wildcard $(extra_$*)) $(fuzz_lib) \
		$(libs_$*) $(call pc,libs,libconfuse libseccomp libmnl) -ldl
-include tests/unit/units.mk tests/fuzz/fuzz.mk

units: $(units)
fuzzers: $(fuzzers)
check: root deps                        ## every test (root: namespaces, nft, NFLOG); ends with "N passed, N failed, N skipped"
	$(call built,CI=1 all units fuzzers)
	@O=$(abspath $O) $(PYTHON) $(if $(PYTEST),-m pytest -q -p no:cacheprovider tests $(PYTEST),tests/run-check tests $(portable))
check-unit: $(units)                    ## the unit tests alone: seconds, no rights
	@for t in $(units); do $$t >$O/unit.log 2>&1 && echo "ok    $${t##*/}" || { cat $O/unit.log; echo "FAIL  $${t##*/}"; exit 1; }; done
T           ?= 30
fuzz: $(fuzzers)                        ## each fuzz target for T seconds (T=30)
	@for f in $(fuzzers); do n=$${f##*/}; mkdir -p $O/corpus/$$n; echo "== $$n"; \
	  $$f -max_total_time=$(T) -timeout=5 -rss_limit_mb=512 -print_final_stats=1 -artifact_prefix=$O/corpus/$$n- \
	    $O/corpus/$$n tests/fuzz/corpus/$$n 2>$O/corpus/$$n.log || { tail -40 $O/corpus/$$n.log; exit 1; }; \
	  grep -E 'number_of_executed|exec_per_sec' $O/corpus/$$n.log; done
soak: root deps                         ## the long forms of some tests, with their figures: a quarter of an hour
	$(call built,CI=1 all)
	@O=$(abspath $O) $(PYTHON) -m pytest -q -rP -p no:cacheprovider tests/soak/soak_*.py $(PYTEST)
bench: root deps                        ## speed and memory beside other programs, as ratios
	$(call built,all)
	@tests/bench/run --build $O
bench-trace: root deps                  ## traceroutes beside scamper and traceroute on a namespace internet
	$(call built,all)
	@tests/bench/trace --build $O
bench-collector: deps                   ## intake, and each page's questions on 10 million stored connections (minutes)
	$(call built,all)
	@tests/bench/collector --build $O
images: deps                            ## the pictures of the README, made by the browser's tests
	$(call built,all)
	@O=$(abspath $O) IMAGES=docs/images $(PYTHON) -m pytest -q -p no:cacheprovider tests/browser $(PYTEST)
lint: deps                              ## compilers' analysers, cppcheck, shellcheck, man pages, headers alone
	$(call built,all)
	@O=$O VERSION=$(VERSION) .ci/lint

units_of    := net-gazer net-gazer-nft net-gazer-collector
users_of    := net-gazer net-gazer-collector
helpers_of  := analyzer replay forwarder prober trace geo
data_of     := nft/net-gazer.nft docs/schema/net-gazer-report-1.schema.json
# Manuals and samples name the paths of the default PREFIX; the order in which configurations are looked for (.Pa) is the same everywhere.
placed       = sed -e 's,/usr/local/libexec/net-gazer,$(LIBEXECDIR),g' -e 's,/usr/local/lib/net-gazer/plugins,$(PLUGINDIR),g' \
	       -e 's,/usr/local/share/net-gazer,$(DATADIR),g' -e 's,/usr/local/include,$(INCLUDEDIR),g' \
	       -e '/^\.Pa /!s,/usr/local/etc,$(SYSCONFDIR),g'
install: all                            ## into DESTDIR and PREFIX
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(PLUGINDIR) $(DESTDIR)$(DATADIR) \
		$(DESTDIR)$(INCLUDEDIR)/net-gazer $(DESTDIR)$(SYSCONFDIR)/net-gazer
	install -m 755 $O/net-gazer $O/net-gazer-collector $(DESTDIR)$(SBINDIR)/
	ln -sf net-gazer $(DESTDIR)$(SBINDIR)/net-gazerctl
	install -m 755 $O/analyzer $(filter %/replay,$(sensor)) $O/forwarder $O/prober $O/trace $O/geo $(DESTDIR)$(LIBEXECDIR)/
	install -m 644 $(plugins) $(DESTDIR)$(PLUGINDIR)/
	install -m 644 src/plugin.h $(DESTDIR)$(INCLUDEDIR)/net-gazer/
	install -m 644 $(data_of) $(DESTDIR)$(DATADIR)/
	for m in $(mans); do $(placed) $$m | install -D -m 644 /dev/stdin $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/} || exit 1; done
	for c in $(DESTDIR)$(SYSCONFDIR)/net-gazer/net-gazer.conf $(DESTDIR)$(SYSCONFDIR)/net-gazer/net-gazer-collector.conf; do \
	  [ -e $$c ] || $(placed) etc/$${c##*/} | install -m 644 /dev/stdin $$c || exit 1; done
	install -d $(DESTDIR)$(UNITDIR)
	for u in $(units_of); do \
	  sed 's,@SBINDIR@,$(SBINDIR),; s,@SYSCONFDIR@,$(SYSCONFDIR),; s,@DATADIR@,$(DATADIR),' etc/$$u.service \
	    >$(DESTDIR)$(UNITDIR)/$$u.service && chmod 644 $(DESTDIR)$(UNITDIR)/$$u.service || exit 1; done
	for p in $(users_of); do \
	  install -D -m 644 etc/$$p.sysusers $(DESTDIR)$(SYSUSERSDIR)/$$p.conf && \
	  install -D -m 644 etc/$$p.tmpfiles $(DESTDIR)$(TMPFILESDIR)/$$p.conf || exit 1; done
uninstall:                              ## the reverse; configuration stays
	rm -f $(addprefix $(DESTDIR)$(SBINDIR)/,net-gazer net-gazerctl net-gazer-collector)
	rm -f $(patsubst %,$(DESTDIR)$(UNITDIR)/%.service,$(units_of))
	rm -f $(foreach d,$(SYSUSERSDIR) $(TMPFILESDIR),$(patsubst %,$(DESTDIR)$d/%.conf,$(users_of)))
	rm -f $(addprefix $(DESTDIR)$(LIBEXECDIR)/,$(helpers_of)) $(addprefix $(DESTDIR)$(DATADIR)/,$(notdir $(data_of))) \
		$(DESTDIR)$(INCLUDEDIR)/net-gazer/plugin.h $(addprefix $(DESTDIR)$(PLUGINDIR)/,$(notdir $(plugins)))
	@# What others have put there stays.
	-rmdir $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(DATADIR) $(DESTDIR)$(INCLUDEDIR)/net-gazer $(DESTDIR)$(PLUGINDIR) \
		$(DESTDIR)$(dir $(PLUGINDIR)) 2>/dev/null
	for m in $(mans); do rm -f $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/}; done
check-portability: root deps            ## packages, other libraries and machines: minutes, in qemu
	$(call built,CI=1 all)
	@O=$(abspath $O) $(PYTHON) $(if $(PYTEST),-m pytest -q -rP -p no:cacheprovider $(portable) $(PYTEST),tests/run-check $(portable))
deb: deps                               ## Debian packages, into $O/deb
	@+$(MAKE) --no-print-directory -f etc/debian/build.mk O=$(abspath $O) VERSION=$(VERSION)
dist:                                   ## the last commit as $O/net-gazer-VERSION.tar.gz, the same bytes each time
	@mkdir -p $O
	git -c tar.umask=0022 archive --prefix=net-gazer-$(VERSION)/ -o $O/net-gazer-$(VERSION).tar.gz HEAD
clean:                                  ## remove what was built
	rm -rf $O
help:                                   ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /  \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20
.PHONY: all sensor root run demo deps units fuzzers check check-unit check-portability fuzz soak bench bench-trace bench-collector images lint \
	install uninstall deb dist clean help
.SECONDARY:
-include $(shell find $O -type f -name '*.d' 2>/dev/null)
