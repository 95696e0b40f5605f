// SPDX-License-Identifier: Apache-2.0
// Records of the kernel as JS objects: the ring buffer's events, and origins.
#pragma once

#include <napi.h>

#include <functional>

#include "handles.h"
#include "interceptor.h"

namespace sallyport {

Napi::Object event_to_js(Napi::Env env, const sallyport_unix_event& record);
// The row that index.js makes an Origin of: naming properties from here costs more than all else of an accept.
Napi::Value origin_to_js(Napi::Env env, const std::optional<sallyport_origin>& origin);

// Reads the ring buffer. One reader at a time, since reading moves the shared position.
class EventReader {
 public:
  EventReader(int events_map, std::function<void(const sallyport_unix_event&)> on_event);
  int fd() const { return ring_buffer__epoll_fd(ring_.get()); }
  // Hands over at most one batch, so that a flood of events cannot hold the loop.
  void read_batch();

 private:
  static int on_record(void* self, void* data, size_t size);

  std::function<void(const sallyport_unix_event&)> on_event_;
  int left_in_batch_ = 0;
  RingBuffer ring_;
};

}  // namespace sallyport
