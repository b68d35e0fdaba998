/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rules.h - `net-gazerctl rules`: the ruleset for the configuration and the plugins, for nft(8).
 */
#ifndef RULES_H
#define RULES_H

int rules_main(int argc, char **argv);

#endif
