// SPDX-License-Identifier: Apache-2.0
// The JS face of the Relay: converts arguments and answers, nothing else. index.js has checked the arguments.
#pragma once

#include <napi.h>

#include <memory>

#include "poll.h"
#include "relay.h"

namespace sallyport {

class RelayBinding : public Napi::ObjectWrap<RelayBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit RelayBinding(const Napi::CallbackInfo& info);

 private:
  Napi::Value permit(const Napi::CallbackInfo& info);
  Napi::Value lend(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info);
  Napi::Value settle(const Napi::CallbackInfo& info);
  Napi::Value tail(const Napi::CallbackInfo& info);
  Napi::Value totals(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  static void close_on_exit(void* self);
  void stop();

  Napi::FunctionReference give_back_;
  Napi::FunctionReference vouch_;
  Napi::FunctionReference decide_;
  std::unique_ptr<Relay> relay_;
  std::shared_ptr<Poll> poll_;
};

}  // namespace sallyport
