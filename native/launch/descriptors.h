// SPDX-License-Identifier: Apache-2.0
// What the command inherits: stdin, stdout and stderr, none of them a way out, and nothing else.
#pragma once

/** Ends with 125 when one of the three is a folder, or a socket that leads anywhere but to who made it in a pair. */
void check_stdio(void);

/** Everything from `first` on. */
void close_from(unsigned first);
