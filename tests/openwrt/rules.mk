# SPDX-License-Identifier: GPL-2.0-or-later
# As much of OpenWrt's rules.mk as a package's Makefile needs when it is read and its recipes are run.
comma := ,
LN := ln -sf
