// SPDX-License-Identifier: Apache-2.0
// What is pinned already, and what becomes of it: nothing there, the same layout, or an older one
// whose maps are kept but for those that changed since.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace sallyport {

struct Pinned {
  uint64_t layout = 0;               // 0: nothing, or a first start that did not come to its end
  std::set<std::string> stale_maps;  // to be made anew
};

// Throws Failure (LAYOUT) for pins of a newer version.
Pinned look_at_pins(const std::string& pin_dir);

std::vector<std::string> entries_of(const std::string& folder);

// Unpins and detaches everything under `pin_dir`; returns the paths that it removed.
std::vector<std::string> remove_pinned(const std::string& pin_dir);

}  // namespace sallyport
