// SPDX-License-Identifier: Apache-2.0
// What the relay has forwarded and the server has not answered in full, and the clock by which it is recorded.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

constexpr size_t kReadBytes = 64 * 1024;
constexpr size_t kInFlightMax = 64;

using Clock = std::chrono::steady_clock;

// A group that was forwarded and is not answered in full.
struct InFlight {
  size_t permit = 0;
  uint64_t ask_id = 0;
  size_t bytes = 0;
  Clock::time_point since;
  size_t step = 0;  // messages of the permit's answer that have passed
  uint64_t rows = 0;
  uint64_t row_bytes = 0;
  bool is_complete = false;  // CommandComplete has passed
  std::string outcome;
};

// Those of a flow, in the order in which they were forwarded. What they are made of lies one behind the other, in room
// that is used again.
class Groups {
 public:
  size_t size() const { return list_.size() - head_; }
  bool empty() const { return size() == 0; }
  InFlight& front() { return list_[head_]; }
  const InFlight& at(size_t index) const { return list_[head_ + index]; }
  std::string_view bytes_at(size_t index) const;
  // `group.bytes` is that of the bytes.
  void push(InFlight group, std::string_view bytes);
  void pop_front();
  // The last of them were not forwarded.
  void drop_back(size_t count);

 private:
  std::vector<InFlight> list_;
  std::string bytes_;
  size_t head_ = 0;        // of the list: those before are answered
  size_t head_bytes_ = 0;  // of the bytes
};

// The time of day, which moves with the steady clock between two looks at it.
class DayClock {
 public:
  uint64_t ms_at(Clock::time_point now);

 private:
  Clock::time_point look_again_;
  Clock::duration ahead_{};  // of the steady clock
};

}  // namespace sallyport
