// SPDX-License-Identifier: Apache-2.0
// A Failure as a JS Error with code, feature, remedy and verifierLog.
#pragma once

#include <napi.h>

#include "failure.h"

namespace sallyport {

inline Napi::Error to_js(Napi::Env env, const Failure& failure) {
  const auto& [feature, remedy, verifier_log] = failure.details;
  Napi::Error error = Napi::Error::New(env, failure.what());
  error.Set("name", "LoaderError");
  error.Set("code", failure.code);
  error.Set("remedy", remedy);
  if (!feature.empty()) error.Set("feature", feature);
  if (!verifier_log.empty()) error.Set("verifierLog", verifier_log);
  return error;
}

// Runs `body` and turns a Failure, or anything unexpected, into a JS exception.
template <typename Body>
auto guarded(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (const Failure& failure) {
    throw to_js(env, failure);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw to_js(env, Failure("SYSTEM", error.what(), {"", "This is a fault of ebpf-loader; please report it.", ""}));
  }
}

}  // namespace sallyport
