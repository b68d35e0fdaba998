# SPDX-License-Identifier: GPL-2.0-or-later
"""Helpers of the tests: namespaces, packets, the programs under test, their reports."""
