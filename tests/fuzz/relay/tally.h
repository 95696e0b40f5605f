// SPDX-License-Identifier: Apache-2.0
// Counts of a run, and its first fault.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace fuzz {

struct Tally {
  uint64_t from_client = 0, from_server = 0;  // mutated messages that an open flow looked at
  uint64_t regular = 0;
  uint64_t episodes = 0, flows = 0, groups = 0, answers = 0, bytes = 0, vouched = 0, decided = 0, turns = 0;
  std::map<std::string, uint64_t> by_change, by_why;
  std::string first_fault;

  uint64_t mutated() const { return from_client + from_server; }
  void fault(const std::string& what) {
    if (first_fault.empty()) first_fault = what;
  }
};

}  // namespace fuzz
