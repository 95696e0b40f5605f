// SPDX-License-Identifier: Apache-2.0
// Arguments from JS as plain values. index.js has checked them.
#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <string>

namespace sallyport {

inline uint32_t number(const Napi::Value& value) {
  return value.As<Napi::Number>().Uint32Value();
}

inline std::string text(const Napi::Value& value) {
  return value.As<Napi::String>().Utf8Value();
}

inline uint64_t big(const Napi::Value& value) {
  bool lossless = false;
  return value.As<Napi::BigInt>().Uint64Value(&lossless);
}

inline std::optional<std::string> text_or_none(const Napi::Value& value) {
  return value.IsString() ? std::optional<std::string>(text(value)) : std::nullopt;
}

// Calls `each` with every element of an array, in a handle scope of its own.
template <typename Each>
void for_each_of(const Napi::Value& value, Each each) {
  const auto list = value.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::HandleScope scope(value.Env());
    each(list.Get(i));
  }
}

}  // namespace sallyport
