// SPDX-License-Identifier: Apache-2.0
#include "groups.h"

#include <utility>

namespace sallyport {

namespace {

constexpr auto kDayFor = std::chrono::milliseconds(100);  // a step of the clock is seen so late

}  // namespace

std::string_view Groups::bytes_at(size_t index) const {
  size_t start = head_bytes_;
  for (size_t before = 0; before < index; before++) start += at(before).bytes;
  return std::string_view(bytes_).substr(start, at(index).bytes);
}

void Groups::push(InFlight group, std::string_view bytes) {
  bytes_ += bytes;
  list_.push_back(std::move(group));
}

void Groups::pop_front() {
  head_bytes_ += front().bytes;
  head_++;
  const bool is_empty = head_ == list_.size();
  if (!is_empty && head_ < kInFlightMax && head_bytes_ < kReadBytes) return;
  list_.erase(list_.begin(), list_.begin() + static_cast<std::ptrdiff_t>(head_));
  bytes_.erase(0, head_bytes_);
  if (is_empty && bytes_.capacity() > kReadBytes) bytes_.shrink_to_fit();
  head_ = head_bytes_ = 0;
}

void Groups::drop_back(size_t count) {
  for (; count > 0; count--) {
    bytes_.resize(bytes_.size() - list_.back().bytes);
    list_.pop_back();
  }
}

uint64_t DayClock::ms_at(Clock::time_point now) {
  using namespace std::chrono;
  if (now >= look_again_) {
    ahead_ = system_clock::now().time_since_epoch() - now.time_since_epoch();
    look_again_ = now + kDayFor;
  }
  return static_cast<uint64_t>(duration_cast<milliseconds>(now.time_since_epoch() + ahead_).count());
}

}  // namespace sallyport
