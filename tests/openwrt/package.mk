# SPDX-License-Identifier: GPL-2.0-or-later
# As much of OpenWrt's build system as reading a package's Makefile and running its install recipes needs.
INSTALL_DIR := install -d -m0755
INSTALL_BIN := install -m0755
INSTALL_DATA := install -m0644
INSTALL_CONF := install -m0600
CP := cp -fpR
Build/Compile/Default = $(MAKE) $(1)

define BuildPackage
  $(foreach v,TITLE DEPENDS USERID SECTION CATEGORY,$(eval $(v):=))
  $(eval $(Package/$(1)))
  $(if $(and $(TITLE),$(SECTION),$(CATEGORY),$(Package/$(1)/description)),,$(error $(1): no title, section, category or description))
  packages += $(1)
  $(foreach v,TITLE DEPENDS USERID,$(eval $(v)_$(1):=$($(v))))
  install-$(1):
	$(call Package/$(1)/install,$(DESTDIR)/$(1))
endef

.DEFAULT_GOAL := dump
dump:
	@:$(foreach p,$(packages),$(info Package: $(p)|$(PKG_VERSION)|$(strip $(DEPENDS_$(p)))|$(USERID_$(p))|$(PKG_LICENSE)))
