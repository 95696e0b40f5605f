// SPDX-License-Identifier: Apache-2.0
// Destroys sockets through sock_diag(7). Documented in index.d.ts.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace sallyport {

struct Destroyed {
  uint32_t destroyed = 0;
  uint32_t unable = 0;
};

enum class Which { kConnected, kAll };

// Throws Failure.
bool can_destroy_sockets();
Destroyed destroy_sockets(const std::optional<std::string>& netns, const std::set<uint64_t>& cgroup_ids, Which which);

}  // namespace sallyport
