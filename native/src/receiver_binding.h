// SPDX-License-Identifier: Apache-2.0
// The JS face of the Receiver: converts arguments and answers, and keeps the buffers that it reads into. index.js has
// checked the arguments.
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_map>

#include "poll.h"
#include "receiver.h"

namespace sallyport {

class ReceiverBinding : public Napi::ObjectWrap<ReceiverBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ReceiverBinding(const Napi::CallbackInfo& info);

 private:
  Napi::Value watch(const Napi::CallbackInfo& info);
  void read_into(const Napi::CallbackInfo& info);
  void unwatch(const Napi::CallbackInfo& info);
  Napi::Value begin(const Napi::CallbackInfo& info);
  Napi::Value next(const Napi::CallbackInfo& info);
  void forget(Receiver::Id id);

  static void close_on_exit(void* self);

  Napi::FunctionReference turn_;
  // [id, count, error] of what next() has read.
  Napi::Reference<Napi::Uint32Array> row_;
  uint32_t* row_data_ = nullptr;
  std::unordered_map<Receiver::Id, Napi::Reference<Napi::Uint8Array>> buffers_;
  std::unique_ptr<Receiver> receiver_;
  std::shared_ptr<Poll> poll_;
};

}  // namespace sallyport
