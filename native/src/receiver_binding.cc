// SPDX-License-Identifier: Apache-2.0
#include "receiver_binding.h"

#include "convert.h"
#include "guarded.h"

namespace sallyport {

Napi::Function ReceiverBinding::define(Napi::Env env) {
  return DefineClass(env, "ReceiverBinding",
                     {
                         InstanceMethod<&ReceiverBinding::watch>("watch"),
                         InstanceMethod<&ReceiverBinding::read_into>("readInto"),
                         InstanceMethod<&ReceiverBinding::unwatch>("unwatch"),
                         InstanceMethod<&ReceiverBinding::begin>("begin"),
                         InstanceMethod<&ReceiverBinding::next>("next"),
                     });
}

// [turn, row]
ReceiverBinding::ReceiverBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ReceiverBinding>(info) {
  guarded(info.Env(), [&] {
    const Napi::Env env = info.Env();
    turn_ = Napi::Persistent(info[0].As<Napi::Function>());
    row_ = Napi::Persistent(info[1].As<Napi::Uint32Array>());
    row_data_ = info[1].As<Napi::Uint32Array>().Data();
    receiver_ = std::make_unique<Receiver>();
    poll_ = Poll::start(env, receiver_->fd(), [this, env] {
      const auto poll = poll_;
      if (poll) poll->call(turn_, env.Undefined());
    });
    poll_->unref();  // nothing is watched
    Ref();           // while the loop may call
    napi_add_env_cleanup_hook(env, &ReceiverBinding::close_on_exit, this);
  });
}

// [fd, buffer] -> id
Napi::Value ReceiverBinding::watch(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto buffer = info[1].As<Napi::Uint8Array>();
    const Receiver::Id id = receiver_->watch(static_cast<int>(number(info[0])), buffer.Data(), buffer.ByteLength());
    if (buffers_.empty() && poll_) poll_->ref();
    buffers_.emplace(id, Napi::Persistent(buffer));
    return Napi::Number::New(info.Env(), id);
  });
}

// [id, buffer]
void ReceiverBinding::read_into(const Napi::CallbackInfo& info) {
  const auto found = buffers_.find(number(info[0]));
  if (found == buffers_.end()) return;
  auto buffer = info[1].As<Napi::Uint8Array>();
  receiver_->read_into(found->first, buffer.Data(), buffer.ByteLength());
  found->second = Napi::Persistent(buffer);
}

void ReceiverBinding::unwatch(const Napi::CallbackInfo& info) {
  const Receiver::Id id = number(info[0]);
  receiver_->unwatch(id);
  forget(id);
}

Napi::Value ReceiverBinding::begin(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), receiver_->begin());
}

// True: the row says what was read.
Napi::Value ReceiverBinding::next(const Napi::CallbackInfo& info) {
  Receiver::Received received{};
  const bool is_read = receiver_->next(received);
  if (is_read) {
    row_data_[0] = received.id;
    row_data_[1] = received.count;
    row_data_[2] = received.error;
    if (received.count == 0) forget(received.id);
  }
  return Napi::Boolean::New(info.Env(), is_read);
}

void ReceiverBinding::forget(Receiver::Id id) {
  if (buffers_.erase(id) > 0 && buffers_.empty() && poll_) poll_->unref();
}

void ReceiverBinding::close_on_exit(void* self) {
  auto* binding = static_cast<ReceiverBinding*>(self);
  if (binding->poll_) binding->poll_->close();
  binding->poll_.reset();
}

}  // namespace sallyport
