// SPDX-License-Identifier: Apache-2.0
// Registers the addon with Node. Nothing else.
#include <napi.h>

#include "binding.h"
#include "functions.h"
#include "receiver_binding.h"
#include "relay_binding.h"

static Napi::Object register_addon(Napi::Env env, Napi::Object exports) {
  exports.Set("InterceptorBinding", sallyport::InterceptorBinding::define(env));
  exports.Set("ReceiverBinding", sallyport::ReceiverBinding::define(env));
  exports.Set("RelayBinding", sallyport::RelayBinding::define(env));
  sallyport::define_functions(env, exports);
  return exports;
}

NODE_API_MODULE(ebpf_loader, register_addon)
