// SPDX-License-Identifier: Apache-2.0
// The functions of index.d.ts that need no Interceptor. Converts arguments and answers, nothing else.
#pragma once

#include <napi.h>

namespace sallyport {

void define_functions(Napi::Env env, Napi::Object exports);

}  // namespace sallyport
