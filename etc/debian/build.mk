# SPDX-License-Identifier: GPL-2.0-or-later
# `make deb`: a copy of what git knows, debian/ put where Debian's tools look for it, and a build in there.
src := $(O)/deb/net-gazer-$(VERSION)

all:
	rm -rf $(O)/deb && mkdir -p $(src)
	git ls-files -z | xargs -0 cp -P --parents -t $(src)
	cp -R etc/debian $(src)/debian && rm $(src)/debian/build.mk
	@# node may be another one than Debian's: .ci/deps has looked after the rest.
	cd $(src) && dpkg-buildpackage -us -uc -b -d -jauto >$(O)/deb/build.log 2>&1 || { tail -50 $(O)/deb/build.log; exit 1; }
	@cd $(O)/deb && ls -l *.deb
