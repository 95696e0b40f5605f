// SPDX-License-Identifier: Apache-2.0
#include "functions.h"

#include <sys/socket.h>

#include <algorithm>
#include <set>
#include <vector>

#include "adoption.h"
#include "convert.h"
#include "guarded.h"
#include "preflight.h"
#include "sock_diag.h"
#include "sockets.h"

namespace sallyport {

namespace {

// Rows of [address, prefix, port, protocol].
std::vector<Reach> reaches_from_js(const Napi::Value& rows) {
  std::vector<Reach> all;
  for_each_of(rows, [&](const Napi::Value& value) {
    const auto row = value.As<Napi::Array>();
    const sallyport_address address = address_from_text(text(row.Get(0u)));
    all.push_back({address, number(row.Get(1u)) + (is_ipv4(address) ? 96 : 0),
                   static_cast<uint16_t>(number(row.Get(2u))), static_cast<uint8_t>(number(row.Get(3u)))});
  });
  return all;
}

}  // namespace

void define_functions(Napi::Env env, Napi::Object exports) {
  const auto define = [&](const char* name, auto body) {
    exports.Set(name, Napi::Function::New(
                          env,
                          [body](const Napi::CallbackInfo& info) -> Napi::Value {
                            return guarded(info.Env(), [&] { return Napi::Value(body(info.Env(), info)); });
                          },
                          name));
  };
  define("removePinned", [](Napi::Env scope, const Napi::CallbackInfo& info) {
    Napi::Array paths = Napi::Array::New(scope);
    for (const std::string& path : remove_pinned(text(info[0]))) paths.Set(paths.Length(), path);
    return paths;
  });
  define("peerOf", [](Napi::Env scope, const Napi::CallbackInfo& info) {
    const Peer peer = peer_of(static_cast<int>(number(info[0])));
    Napi::Object object = Napi::Object::New(scope);
    object.Set("pid", peer.pid);
    object.Set("uid", peer.uid);
    object.Set("gid", peer.gid);
    object.Set("cgroup", peer.cgroup ? Napi::Value(Napi::String::New(scope, *peer.cgroup)) : scope.Null());
    return object;
  });
  define("listenIn", [](Napi::Env scope, const Napi::CallbackInfo& info) {
    return Napi::Number::New(scope,
                             listen_in(text_or_none(info[0]), text(info[1]), static_cast<uint16_t>(number(info[2])),
                                       static_cast<int>(number(info[3]))));
  });
  define("bindIn", [](Napi::Env scope, const Napi::CallbackInfo& info) {
    return Napi::Number::New(scope,
                             bind_in(text_or_none(info[0]), text(info[1]), static_cast<uint16_t>(number(info[2]))));
  });
  define("destroySockets", [](Napi::Env scope, const Napi::CallbackInfo& info) {
    std::set<uint64_t> cgroup_ids;
    for_each_of(info[1], [&](const Napi::Value& cgroup_id) { cgroup_ids.insert(big(cgroup_id)); });
    const Which which = info[2].ToBoolean() ? Which::kAll : Which::kConnected;
    std::optional<Closed> only;
    if (info[3].IsArray()) {
      const auto both = info[3].As<Napi::Array>();
      only = Closed{reaches_from_js(both.Get(0u)), reaches_from_js(both.Get(1u))};
    }
    const Destroyed sum = destroy_sockets(text_or_none(info[0]), cgroup_ids, which, only);
    Napi::Object object = Napi::Object::New(scope);
    object.Set("destroyed", sum.destroyed);
    object.Set("unable", sum.unable);
    return object;
  });
  define("netnsCookie", [](Napi::Env scope, const Napi::CallbackInfo& info) {
    return Napi::BigInt::New(scope,
                             info[0].IsNumber() ? netns_cookie(static_cast<int>(number(info[0]))) : own_netns_cookie());
  });
  define("notify", [](Napi::Env scope, const Napi::CallbackInfo& info) {
    std::vector<int> fds;
    for_each_of(info[1], [&](const Napi::Value& fd) { fds.push_back(static_cast<int>(number(fd))); });
    return Napi::Boolean::New(scope, notify(text(info[0]), fds));
  });
  // Without waiting. 0 also where it cannot be told yet what is wrong: whoever waits for room finds out.
  define("send", [](Napi::Env scope, const Napi::CallbackInfo& info) {
    const auto bytes = info[1].As<Napi::Uint8Array>();
    const ssize_t sent =
        ::send(static_cast<int>(number(info[0])), bytes.Data(), bytes.ByteLength(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return Napi::Number::New(scope, static_cast<double>(sent < 0 ? 0 : sent));
  });
  // [bytes, rows, count]; a row: a descriptor, how many of the bytes, one after the other, are for it, and afterwards
  // how many left, as send says it. Once some did not, none of the same descriptor: its peer makes room at any moment,
  // and they would overtake.
  define("sendAll", [](Napi::Env scope, const Napi::CallbackInfo& info) {
    const uint8_t* bytes = info[0].As<Napi::Uint8Array>().Data();
    uint32_t* row = info[1].As<Napi::Uint32Array>().Data();
    std::vector<uint32_t> full;
    for (uint32_t left = number(info[2]); left > 0; bytes += row[1], left--, row += 3) {
      row[2] = 0;
      if (std::find(full.begin(), full.end(), row[0]) != full.end()) continue;
      const ssize_t sent = ::send(static_cast<int>(row[0]), bytes, row[1], MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) row[2] = static_cast<uint32_t>(sent);
      if (row[2] < row[1]) full.push_back(row[0]);
    }
    return scope.Undefined();
  });
  define("probe", [](Napi::Env scope, const Napi::CallbackInfo& info) {
    Napi::Array all = Napi::Array::New(scope);
    for (const Probed& probed : probe(text(info[0]))) {
      Napi::Object one = Napi::Object::New(scope);
      one.Set("feature", probed.feature);
      one.Set("ok", probed.ok);
      one.Set("needs", probed.needs);
      one.Set("found", probed.found);
      one.Set("remedy", probed.remedy);
      all.Set(all.Length(), one);
    }
    return all;
  });
}

}  // namespace sallyport
