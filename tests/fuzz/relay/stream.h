// SPDX-License-Identifier: Apache-2.0
// One direction of a flow: what its speaker says, and how far that has come.
#pragma once

#include <string>
#include <vector>

namespace fuzz {

// Where a message begins, and what was done to it; nullptr: nothing.
struct Mark {
  size_t start;
  const char* change;
};

struct Stream {
  int outer = -1, inner = -1;
  std::string said;
  std::vector<Mark> marks;
  size_t written = 0;      // into the socket
  size_t read = 0;         // by the relay
  size_t passed = 0;       // by the relay to the other side
  size_t heard = 0;        // by the other side
  bool is_closed = false;  // by its speaker
  bool is_deaf = false;    // its speaker does not listen
};

}  // namespace fuzz
