# SPDX-License-Identifier: GPL-2.0-or-later
# The top Makefile of an OpenWrt tree, as far as docs/OPENWRT.md calls it.  STAND_IN: the folder of this file.
defconfig:
	@echo CONFIG_NET_GAZER_UBUS=y >.config
package/%/compile:
	@$(MAKE) -s --no-print-directory -C package/$* TOPDIR=$(CURDIR) INCLUDE_DIR=$(STAND_IN) $(shell cat .config) compile
