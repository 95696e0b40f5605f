// SPDX-License-Identifier: Apache-2.0
#include "poll.h"

#include <cstdlib>

#include "guarded.h"

// The part of libuv's stable C interface that is used here. Node exports it, but its headers
// come with neither node-api-headers nor node-addon-api, and nothing is downloaded for a build.
extern "C" {
size_t uv_handle_size(int type);
int uv_poll_init(uv_loop_s* loop, void* handle, int fd);
int uv_poll_start(void* handle, int events, void (*callback)(void* handle, int status, int events));
void uv_ref(void* handle);
void uv_unref(void* handle);
void uv_close(void* handle, void (*callback)(void* handle));
void* uv_handle_get_data(const void* handle);
void uv_handle_set_data(void* handle, void* data);
}

namespace sallyport {

namespace {
constexpr int kUvPoll = 8;      // UV_POLL of uv_handle_type
constexpr int kUvReadable = 1;  // UV_READABLE of uv_poll_event
using Holder = std::shared_ptr<Poll>;
}  // namespace

Poll::Poll(Napi::Env env, std::function<void()> onReadable)
    : env_(env),
      context_(std::make_shared<Napi::AsyncContext>(env, "sallyport")),
      on_readable_(std::move(onReadable)) {}

std::shared_ptr<Poll> Poll::start(Napi::Env env, int fd, std::function<void()> onReadable) {
  uv_loop_s* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) throw system_failure("find the event loop", ENOSYS);
  Holder poll(new Poll(env, std::move(onReadable)));
  void* handle = std::calloc(1, uv_handle_size(kUvPoll));
  if (handle == nullptr) throw std::bad_alloc();
  const int error = uv_poll_init(loop, handle, fd);
  if (error != 0) {
    std::free(handle);
    throw system_failure("watch descriptor " + std::to_string(fd), -error);
  }
  poll->handle_ = handle;
  uv_handle_set_data(handle, new Holder(poll));  // the loop holds it until uv_close calls back
  uv_poll_start(handle, kUvReadable, &Poll::on_event);
  return poll;
}

void Poll::close() {
  if (handle_ == nullptr) return;
  uv_close(handle_, [](void* handle) {
    delete static_cast<Holder*>(uv_handle_get_data(handle));
    std::free(handle);
  });
  handle_ = nullptr;
  on_readable_ = nullptr;
  context_.reset();
}

void Poll::ref() {
  if (handle_ != nullptr) uv_ref(handle_);
}

void Poll::unref() {
  if (handle_ != nullptr) uv_unref(handle_);
}

void Poll::call(const Napi::FunctionReference& callback, napi_value argument) {
  const auto context = context_;
  try {
    callback.MakeCallback(env_.Global(), {argument}, *context);
  } catch (const Napi::Error& error) {
    napi_fatal_exception(env_, error.Value());
  }
}

void Poll::on_event(void* handle, int, int) {
  const Holder poll = *static_cast<Holder*>(uv_handle_get_data(handle));
  const auto on_readable = poll->on_readable_;
  if (!on_readable) return;
  Napi::HandleScope scope(poll->env_);
  try {
    on_readable();
  } catch (const Napi::Error& error) {
    napi_fatal_exception(poll->env_, error.Value());
  } catch (const Failure& failure) {
    napi_fatal_exception(poll->env_, to_js(poll->env_, failure).Value());
  }
}

}  // namespace sallyport
