// SPDX-License-Identifier: Apache-2.0
// Numbers that look random and follow from a seed alone (SplitMix64). Never for secrets.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fuzz {

inline uint64_t mixed(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(mixed(seed)) {}
  uint64_t next() { return mixed(state_ += 0x9e3779b97f4a7c15u); }
  size_t below(size_t bound) { return bound == 0 ? 0 : static_cast<size_t>(next() % bound); }
  size_t between(size_t from, size_t to) { return from + below(to - from + 1); }
  // Of a thousand.
  bool chance(size_t share) { return below(1000) < share; }
  template <typename List>
  auto& pick(List& list) {
    return list[below(list.size())];
  }

 private:
  uint64_t state_;
};

}  // namespace fuzz
