// SPDX-License-Identifier: Apache-2.0
// Loads a skeleton and, when the kernel refuses, says which program or map it was and why.
#pragma once

#include <string>

struct sallyport_bpf;

namespace sallyport {

// Throws a Failure with the last lines of the verifier's log.
void load_skeleton(sallyport_bpf* skeleton);

}  // namespace sallyport
