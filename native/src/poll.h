// SPDX-License-Identifier: Apache-2.0
// Watches one descriptor for reading on Node's own event loop, and calls back into JS from
// there. Never owns the descriptor.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>

namespace sallyport {

class Poll : public std::enable_shared_from_this<Poll> {
 public:
  // `onReadable` runs on the JS thread inside a handle scope, until close().
  static std::shared_ptr<Poll> start(Napi::Env env, int fd, std::function<void()> onReadable);
  void close();
  // Whether the loop waits for it; it does until told otherwise.
  void ref();
  void unref();
  bool closed() const { return handle_ == nullptr; }

  // Calls `callback` as the loop would: microtasks run after it, and what it throws becomes an
  // uncaught exception instead of unwinding into libuv.
  void call(const Napi::FunctionReference& callback, napi_value argument);

 private:
  Poll(Napi::Env env, std::function<void()> onReadable);
  static void on_event(void* handle, int status, int events);

  Napi::Env env_;
  // Both go with close(), on the JS thread, while JS still lives; a callback that runs keeps its own hold.
  std::shared_ptr<Napi::AsyncContext> context_;
  std::function<void()> on_readable_;
  void* handle_ = nullptr;
};

}  // namespace sallyport
