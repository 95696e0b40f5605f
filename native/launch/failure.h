// SPDX-License-Identifier: Apache-2.0
// Why the command is not started, in the two lines that every part of sallyport uses, or as JSON. Never returns.
#pragma once

/** Says it on stderr and ends with 125. `message` and `remedy` are ours or a person's own words, without secrets. */
_Noreturn void fail(const char* code, const char* remedy, const char* format, ...)
    __attribute__((format(printf, 3, 4)));

/** From now on as one JSON object. */
void fail_in_json(void);
