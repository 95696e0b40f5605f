// SPDX-License-Identifier: Apache-2.0
// Every failure of the addon, as one clear error. Thrown as C++, turned into a JS Error with
// code, feature, remedy and verifierLog at the boundary (guarded()).
#pragma once

#include <napi.h>

#include <stdexcept>
#include <string>

namespace sallyport {

struct FailureDetails {
  std::string feature;
  std::string remedy;
  std::string verifier_log;
};

class Failure : public std::runtime_error {
 public:
  Failure(std::string code, const std::string& message, FailureDetails details);

  const std::string code;
  const FailureDetails details;

  Napi::Error to_js(Napi::Env env) const;
};

// "Cannot <what>: <strerror>", with the code and remedy that fit the errno.
Failure system_failure(const std::string& what, int error, const std::string& feature = "");

std::string error_text(int error);
std::string kernel_release();

// Runs `body` and turns a Failure, or anything unexpected, into a JS exception.
template <typename Body>
auto guarded(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (const Failure& failure) {
    throw failure.to_js(env);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Failure("SYSTEM", error.what(), {"", "This is a fault of ebpf-loader; please report it.", ""}).to_js(env);
  }
}

}  // namespace sallyport
