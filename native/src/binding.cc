// SPDX-License-Identifier: Apache-2.0
#include "binding.h"

#include <netinet/in.h>

#include <algorithm>

#include "convert.h"
#include "events.h"
#include "guarded.h"
#include "sockets.h"

namespace sallyport {

namespace {

constexpr int kAcceptsPerTurn = 64;  // so that a flood of connections cannot hold the loop

// Zeroes what lies beyond the prefix: two spellings of one network must be one key.
void mask(sallyport_address& address, uint32_t prefix) {
  for (uint32_t bit = prefix; bit < 128; bit++) address.bytes[bit / 8] &= static_cast<uint8_t>(~(0x80u >> (bit % 8)));
}

// One row of setDestinations as index.js hands it over: [address, prefix, port, protocol, action, reason, connection].
std::pair<sallyport_destination_key, sallyport_destination> destination_from_js(const Napi::Array& row) {
  sallyport_destination_key key{};
  key.address = address_from_text(text(row.Get(0u)));
  const uint32_t prefix = number(row.Get(1u)) + (is_ipv4(key.address) ? 96 : 0);
  mask(key.address, prefix);
  key.prefix_bits = SALLYPORT_KEY_BITS + prefix;
  key.port = static_cast<__u16>(number(row.Get(2u)));
  key.protocol = static_cast<__u8>(number(row.Get(3u)));
  sallyport_destination value{};
  value.action = static_cast<__u8>(number(row.Get(4u)));
  value.reason = static_cast<__u8>(number(row.Get(5u)));
  value.connection = number(row.Get(6u));
  value.prefix = static_cast<__u8>(prefix);
  return {key, value};
}

// One row of setBirths: [kind, glob, agent, order].
std::pair<sallyport_birth, sallyport_birth_value> birth_from_js(const Napi::Array& row) {
  sallyport_birth birth{};
  birth.kind = number(row.Get(0u));
  const std::string glob = text(row.Get(1u));
  glob.copy(birth.glob, sizeof birth.glob - 1);
  return {birth, {number(row.Get(2u)), number(row.Get(3u))}};
}

// One row of setDoors: [path as the kernel sees it, is it a prefix?].
sallyport_door_key door_from_js(const Napi::Array& row) {
  sallyport_door_key key{};
  const std::string path = text(row.Get(0u));
  const bool is_prefix = row.Get(1u).ToBoolean();
  path.copy(key.path, sizeof key.path);
  key.length = is_prefix ? 0 : static_cast<__u8>(path.size());
  key.prefix_bits = is_prefix ? 8 * (1 + static_cast<__u32>(path.size())) : SALLYPORT_DOOR_BITS;
  return key;
}

OpenOptions options_from_js(const Napi::Object& object) {
  OpenOptions options{text(object.Get("cgroupRoot")), text(object.Get("pinDir")), {}};
  for_each_of(object.Get("without"), [&](const Napi::Value& name) { options.without.insert(text(name)); });
  return options;
}

// One row: [sourceAddress, sourcePort, origin, fd].
Napi::Array accepted_to_js(Napi::Env env, Accepted accepted) {
  Napi::Array row = Napi::Array::New(env, 4);
  row.Set(0u, address_to_text(accepted.source.address));
  row.Set(1u, accepted.source.port);
  row.Set(2u, origin_to_js(env, accepted.origin));
  row.Set(3u, accepted.fd.release());
  return row;
}

}  // namespace

Napi::Function InterceptorBinding::define(Napi::Env env) {
  using Self = InterceptorBinding;
  return DefineClass(env, "InterceptorBinding",
                     {
                         InstanceMethod<&Self::adopted>("adopted"),
                         InstanceMethod<&Self::tag>("tag"),
                         InstanceMethod<&Self::untag>("untag"),
                         InstanceMethod<&Self::tags>("tags"),
                         InstanceMethod<&Self::quarantine>("quarantine"),
                         InstanceMethod<&Self::observe>("observe"),
                         InstanceMethod<&Self::pulse>("pulse"),
                         InstanceMethod<&Self::set_births>("setBirths"),
                         InstanceMethod<&Self::set_doors>("setDoors"),
                         InstanceMethod<&Self::datagram_origin>("datagramOrigin"),
                         InstanceMethod<&Self::set_destinations>("setDestinations"),
                         InstanceMethod<&Self::set_listener>("setListener"),
                         InstanceMethod<&Self::listeners>("listeners"),
                         InstanceMethod<&Self::accept>("accept"),
                         InstanceMethod<&Self::events>("events"),
                         InstanceMethod<&Self::counters>("counters"),
                         InstanceMethod<&Self::sweep_origins>("sweepOrigins"),
                         InstanceMethod<&Self::origin_of>("originOf"),
                         InstanceMethod<&Self::close>("close"),
                     });
}

// Handles must be gone before the environment is; a hook runs for workers and on every exit.
InterceptorBinding::InterceptorBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<InterceptorBinding>(info) {
  guarded(info.Env(),
          [&] { interceptor_ = std::make_unique<Interceptor>(options_from_js(info[0].As<Napi::Object>())); });
  napi_add_env_cleanup_hook(info.Env(), &InterceptorBinding::close_on_exit, this);
}

void InterceptorBinding::Finalize(Napi::BasicEnv env) {
  napi_remove_env_cleanup_hook(env, &InterceptorBinding::close_on_exit, this);
  close_all();
}

void InterceptorBinding::close_on_exit(void* self) {
  static_cast<InterceptorBinding*>(self)->close_all();
}

Interceptor& InterceptorBinding::interceptor() const {
  if (interceptor_) return *interceptor_;
  throw Failure("SYSTEM", "Cannot use this Interceptor: it is closed", {"", "Open a new one.", ""});
}

Napi::Value InterceptorBinding::adopted(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Napi::Boolean::New(info.Env(), interceptor().adopted()); });
}

Napi::Value InterceptorBinding::tag(const Napi::CallbackInfo& info) {
  return guarded(info.Env(),
                 [&] { return Napi::BigInt::New(info.Env(), interceptor().tag(text(info[0]), number(info[1]))); });
}

Napi::Value InterceptorBinding::untag(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Napi::Boolean::New(info.Env(), interceptor().untag(big(info[0]))); });
}

Napi::Value InterceptorBinding::tags(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    Napi::Array all = Napi::Array::New(info.Env());
    for (const auto& [cgroup_id, agent] : interceptor().tags()) {
      Napi::Object one = Napi::Object::New(info.Env());
      one.Set("cgroupId", Napi::BigInt::New(info.Env(), cgroup_id));
      one.Set("agent", agent);
      all.Set(all.Length(), one);
    }
    return all;
  });
}

Napi::Value InterceptorBinding::quarantine(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { interceptor().quarantine(number(info[0]), info[1].ToBoolean()); });
  return info.Env().Undefined();
}

Napi::Value InterceptorBinding::observe(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { interceptor().observe(number(info[0]), big(info[1])); });
  return info.Env().Undefined();
}

Napi::Value InterceptorBinding::pulse(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { interceptor().pulse(number(info[0])); });
  return info.Env().Undefined();
}

Napi::Value InterceptorBinding::set_births(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    Births all;
    for_each_of(info[0], [&](const Napi::Value& row) { all.push_back(birth_from_js(row.As<Napi::Array>())); });
    interceptor().set_births(all);
  });
  return info.Env().Undefined();
}

Napi::Value InterceptorBinding::set_doors(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    Doors all;
    for_each_of(info[0], [&](const Napi::Value& row) { all.push_back(door_from_js(row.As<Napi::Array>())); });
    std::set<uint32_t> mount_namespaces;
    for_each_of(info[1], [&](const Napi::Value& inode) { mount_namespaces.insert(static_cast<uint32_t>(big(inode))); });
    return Napi::Boolean::New(info.Env(), interceptor().set_doors(all, mount_namespaces));
  });
}

Napi::Value InterceptorBinding::datagram_origin(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Endpoint source{address_from_text(text(info[1])), static_cast<uint16_t>(number(info[2]))};
    return origin_to_js(info.Env(), interceptor().datagram_origin(big(info[0]), source));
  });
}

Napi::Value InterceptorBinding::set_destinations(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    Destinations all;
    all.reserve(info[0].As<Napi::Array>().Length());
    for_each_of(info[0], [&](const Napi::Value& row) { all.push_back(destination_from_js(row.As<Napi::Array>())); });
    interceptor().set_destinations(all);
  });
  return info.Env().Undefined();
}

Napi::Value InterceptorBinding::set_listener(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const uint64_t cookie = info[1].IsBigInt() ? big(info[1]) : own_netns_cookie();
    interceptor().set_listener(static_cast<uint16_t>(number(info[0])), cookie);
  });
  return info.Env().Undefined();
}

Napi::Value InterceptorBinding::listeners(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    Napi::Array all = Napi::Array::New(info.Env());
    for (const auto& [netns_cookie, port] : interceptor().listeners()) {
      Napi::Object one = Napi::Object::New(info.Env());
      one.Set("netnsCookie", Napi::BigInt::New(info.Env(), netns_cookie));
      one.Set("port", port);
      all.Set(all.Length(), one);
    }
    return all;
  });
}

Napi::Value InterceptorBinding::accept(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Env env = info.Env();
    const int listen_fd = static_cast<int>(number(info[0]));
    const auto acceptor = std::make_shared<Acceptor>(interceptor(), listen_fd);
    const auto callback = std::make_shared<Napi::FunctionReference>(Napi::Persistent(info[1].As<Napi::Function>()));
    const auto self = std::make_shared<std::weak_ptr<Poll>>();
    const auto poll = Poll::start(env, listen_fd, [env, acceptor, callback, self, owner = hold()] {
      const auto poll = self->lock();
      for (int turn = 0; turn < kAcceptsPerTurn && !poll->closed(); turn++) {
        const Napi::HandleScope scope(env);
        std::optional<Accepted> accepted = acceptor->next();
        if (!accepted) return;
        poll->call(*callback, accepted_to_js(env, std::move(*accepted)));
      }
    });
    *self = poll;
    return closer(env, poll);
  });
}

Napi::Value InterceptorBinding::events(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Env env = info.Env();
    if (!events_poll_.expired() && !events_poll_.lock()->closed())
      throw Failure("SYSTEM", "Cannot read events: somebody reads them already",
                    {"map events", "Close the first reader.", ""});
    const auto callback = std::make_shared<Napi::FunctionReference>(Napi::Persistent(info[0].As<Napi::Function>()));
    const auto self = std::make_shared<std::weak_ptr<Poll>>();
    const auto reader = std::make_shared<EventReader>(interceptor().events_map(),
                                                      [env, callback, self](const sallyport_unix_event& event) {
                                                        const auto poll = self->lock();
                                                        if (poll->closed()) return;
                                                        const Napi::HandleScope scope(env);
                                                        poll->call(*callback, event_to_js(env, event));
                                                      });
    const auto poll = Poll::start(env, reader->fd(), [reader, owner = hold()] { reader->read_batch(); });
    *self = poll;
    events_poll_ = poll;
    return closer(env, poll);
  });
}

// As long as something is watched, the Interceptor is not garbage.
std::shared_ptr<Napi::ObjectReference> InterceptorBinding::hold() {
  return std::make_shared<Napi::ObjectReference>(Napi::Persistent(Value()));
}

// { close() }, which works once and is harmless afterwards.
Napi::Value InterceptorBinding::closer(Napi::Env env, const std::shared_ptr<Poll>& poll) {
  polls_.erase(std::remove_if(polls_.begin(), polls_.end(), [](const auto& one) { return one.expired(); }),
               polls_.end());
  polls_.push_back(poll);
  Napi::Object object = Napi::Object::New(env);
  const std::weak_ptr<Poll> weak = poll;
  object.Set("close", Napi::Function::New(env, [weak](const Napi::CallbackInfo&) {
               if (const auto open = weak.lock()) open->close();
             }));
  return object;
}

Napi::Value InterceptorBinding::counters(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    constexpr const char* kNames[] = {"redirected", "allowed", "denied", "backstop", "eventsLost", "originsFull"};
    static_assert(std::size(kNames) == SALLYPORT_COUNTERS);
    Napi::Object object = Napi::Object::New(info.Env());
    const std::vector<uint64_t> sums = interceptor().counters();
    for (size_t i = 0; i < sums.size(); i++) object.Set(kNames[i], Napi::BigInt::New(info.Env(), sums[i]));
    return object;
  });
}

Napi::Value InterceptorBinding::sweep_origins(const Napi::CallbackInfo& info) {
  return guarded(info.Env(),
                 [&] { return Napi::Number::New(info.Env(), interceptor().sweep_origins(number(info[0]))); });
}

Napi::Value InterceptorBinding::origin_of(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const int fd = static_cast<int>(number(info[0]));
    const Endpoint source = remote_endpoint(fd);
    Napi::Array row = Napi::Array::New(info.Env(), 3);
    row.Set(0u, address_to_text(source.address));
    row.Set(1u, source.port);
    const std::optional<sallyport_origin_key> syn = syn_of(fd, netns_cookie(fd));
    row.Set(2u, origin_to_js(info.Env(), syn ? interceptor().claim(*syn) : std::nullopt));
    return row;
  });
}

Napi::Value InterceptorBinding::close(const Napi::CallbackInfo& info) {
  close_all();
  return info.Env().Undefined();
}

void InterceptorBinding::close_all() {
  for (const auto& weak : polls_)
    if (const auto poll = weak.lock()) poll->close();
  polls_.clear();
  interceptor_.reset();
}

}  // namespace sallyport
