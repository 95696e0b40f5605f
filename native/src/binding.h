// SPDX-License-Identifier: Apache-2.0
// The JS face of the Interceptor: converts arguments and answers, nothing else. index.js has
// checked the arguments. Every call comes from the JS thread.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "interceptor.h"
#include "poll.h"

namespace sallyport {

class InterceptorBinding : public Napi::ObjectWrap<InterceptorBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit InterceptorBinding(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

 private:
  Interceptor& interceptor() const;

  Napi::Value adopted(const Napi::CallbackInfo& info);
  Napi::Value tag(const Napi::CallbackInfo& info);
  Napi::Value untag(const Napi::CallbackInfo& info);
  Napi::Value tags(const Napi::CallbackInfo& info);
  Napi::Value quarantine(const Napi::CallbackInfo& info);
  Napi::Value observe(const Napi::CallbackInfo& info);
  Napi::Value pulse(const Napi::CallbackInfo& info);
  Napi::Value set_births(const Napi::CallbackInfo& info);
  Napi::Value set_doors(const Napi::CallbackInfo& info);
  Napi::Value datagram_origin(const Napi::CallbackInfo& info);
  Napi::Value set_destinations(const Napi::CallbackInfo& info);
  Napi::Value set_listener(const Napi::CallbackInfo& info);
  Napi::Value listeners(const Napi::CallbackInfo& info);
  Napi::Value accept(const Napi::CallbackInfo& info);
  Napi::Value events(const Napi::CallbackInfo& info);
  Napi::Value counters(const Napi::CallbackInfo& info);
  Napi::Value sweep_origins(const Napi::CallbackInfo& info);
  Napi::Value origin_of(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<Napi::ObjectReference> hold();
  Napi::Value closer(Napi::Env env, const std::shared_ptr<Poll>& poll);
  static void close_on_exit(void* self);
  void close_all();

  std::unique_ptr<Interceptor> interceptor_;  // null after close()
  std::vector<std::weak_ptr<Poll>> polls_;
  std::weak_ptr<Poll> events_poll_;
};

}  // namespace sallyport
