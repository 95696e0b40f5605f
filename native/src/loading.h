// SPDX-License-Identifier: Apache-2.0
// Loads a BPF object and, when the kernel refuses, says which program or map it was and why.
#pragma once

#include <bpf/libbpf.h>

#include <string>

#include "failure.h"

namespace sallyport {

// The kernel asks to try again. libbpf cannot load one object twice: open it anew.
class Interrupted : public Failure {
 public:
  Interrupted(const std::string& feature, int error)
      : Failure("SYSTEM",
                "Cannot load " + feature + ": signals interrupted the kernel again and again (errno " +
                    std::to_string(error) + ")",
                {feature, "Start again.", ""}) {}
};

// Throws a Failure with the last lines of the verifier's log.
void load_object(bpf_object* object);

// Runs `attempt`, which opens and loads, until no signal gets in its way.
template <typename Attempt>
void retry_interrupted(Attempt attempt) {
  constexpr int kTriesMax = 8;
  for (int tries = 1;; tries++) {
    try {
      return attempt();
    } catch (const Interrupted&) {
      if (tries == kTriesMax) throw;
    }
  }
}

}  // namespace sallyport
