# SPDX-License-Identifier: GPL-2.0-or-later
# OpenWrt's rules.mk: nothing that a package's Makefile needs when it is only read.
