# SPDX-License-Identifier: GPL-2.0-or-later
# As much of OpenWrt's build system as reading a package's Makefile, unpacking and compiling its source, running its install recipes and
# packing their results needs.
# `make` names the packages; `make install-PACKAGE DESTDIR=...` runs the recipe; `make compile` also packs, into $(TOPDIR)/bin: an
# archive of data/ and control/, which rootfs/bin/opkg can install.
INSTALL_DIR := install -d -m0755
INSTALL_BIN := install -m0755
INSTALL_DATA := install -m0644
INSTALL_CONF := install -m0600
CP := cp -fpR
Build/Compile/Default = $(MAKE) -C $(PKG_BUILD_DIR) $(MAKE_FLAGS) CFLAGS="$(strip $(TARGET_CFLAGS))" $(1)
PKG_BUILD_DIR ?= $(TOPDIR)/build_dir/$(PKG_NAME)-$(PKG_VERSION)
ifneq ($(strip $(PKG_SOURCE_URL)$(PKG_SOURCE_PROTO)),)
$(error the source is where docs/OPENWRT.md puts it, and nothing is downloaded here)
endif
packed := $(TOPDIR)/bin/packages/any/base
VERSION := $(PKG_VERSION)-r$(PKG_RELEASE)
suffix := $(if $(CONFIG_USE_APK),-$(VERSION).apk,_$(VERSION)_any.ipk)

define BuildPackage
  $(foreach v,TITLE DEPENDS EXTRA_DEPENDS USERID SECTION CATEGORY,$(eval $(v):=))
  $(eval $(Package/$(1)))
  $(if $(and $(TITLE),$(SECTION),$(CATEGORY),$(Package/$(1)/description)),,$(error $(1): no title, section, category or description))
  packages += $(1)
  $(foreach v,TITLE DEPENDS EXTRA_DEPENDS USERID,$(eval $(v)_$(1):=$($(v))))
  install-$(1):
	$(call Package/$(1)/install,$(DESTDIR)/$(1))
  pack-$(1): install-$(1)
	$$(file >$(PKG_BUILD_DIR)/control/conffiles,$$(Package/$(1)/conffiles))
	$$(file >$(PKG_BUILD_DIR)/control/prerm,$$(Package/$(1)/prerm))
	$$(file >$(PKG_BUILD_DIR)/control/postinst,$$(Package/$(1)/postinst))
	echo $(1) >$(PKG_BUILD_DIR)/control/name
	echo '$(DEPENDS_$(1))' >$(PKG_BUILD_DIR)/control/depends
	echo '$(EXTRA_DEPENDS_$(1))' >$(PKG_BUILD_DIR)/control/extra
	echo $(VERSION) >$(PKG_BUILD_DIR)/control/version
	echo '$(firstword $(subst :, ,$(USERID_$(1))))' >$(PKG_BUILD_DIR)/control/user
	rm -rf $(PKG_BUILD_DIR)/data && mv $(PKG_BUILD_DIR)/ipkg/$(1) $(PKG_BUILD_DIR)/data
	tar -C $(PKG_BUILD_DIR) --owner=0 --group=0 -czf $(packed)/$(1)$(suffix) data control
endef

.DEFAULT_GOAL := dump
dump:
	@:$(foreach p,$(packages),$(info Package: $(p)|$(PKG_VERSION)|$(strip $(DEPENDS_$(p)))|$(USERID_$(p))|$(PKG_LICENSE)))
.NOTPARALLEL:
# A folder that is there (PKG_BUILD_DIR) has been compiled elsewhere.
$(PKG_BUILD_DIR):
	mkdir -p $(@D) && tar -C $(@D) -xzf $(TOPDIR)/dl/$(PKG_SOURCE)
	$(Build/Compile)
compile: $(PKG_BUILD_DIR)
	@mkdir -p $(packed) $(PKG_BUILD_DIR)/control
	@$(MAKE) --no-print-directory $(addprefix pack-,$(packages)) DESTDIR=$(PKG_BUILD_DIR)/ipkg
