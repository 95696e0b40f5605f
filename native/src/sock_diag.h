// SPDX-License-Identifier: Apache-2.0
// Destroys sockets through sock_diag(7). Documented in index.d.ts.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "address.h"

namespace sallyport {

struct Destroyed {
  uint32_t destroyed = 0;
  uint32_t unable = 0;
};

enum class Which { kConnected, kAll };

// Where a flow may go: one row of the destination table.
struct Reach {
  sallyport_address address;
  uint32_t prefix;  // bits of the 16 bytes
  uint16_t port;    // 0: every port
  uint8_t protocol;
};

// Only sockets to something in `gone` that is not in `kept`, too.
struct Closed {
  std::vector<Reach> gone;
  std::vector<Reach> kept;
};

// Throws Failure.
bool can_destroy_sockets();
Destroyed destroy_sockets(const std::optional<std::string>& netns, const std::set<uint64_t>& cgroup_ids, Which which,
                          const std::optional<Closed>& only);

}  // namespace sallyport
