// SPDX-License-Identifier: Apache-2.0
/* runc with a question asked between `create` and the container's first instruction. */
#ifndef SALLYPORT_HOOK_RUNC_H
#define SALLYPORT_HOOK_RUNC_H

/* Everything but `create` is runc's own. Returns the exit code. */
int stand_for_runc(int argc, char** argv);

#endif
