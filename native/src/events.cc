// SPDX-License-Identifier: Apache-2.0
#include "events.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "failure.h"

namespace sallyport {

namespace {

constexpr int kBatchMax = 256;

// In the order of enum sallyport_kind and enum sallyport_reason.
constexpr const char* kKinds[] = {"redirect", "allow", "deny", "backstop", "socket", "bind"};
constexpr const char* kReasons[] = {"registered",   "own-listener", "nameserver",    "egress-rule",
                                    "unlisted",     "quarantined",  "no-listener",   "no-storage",
                                    "our-listener", "socket-kind",  "listener-port", "not-admitted"};
static_assert(std::size(kKinds) == SALLYPORT_KIND_BIND + 1);
static_assert(std::size(kReasons) == SALLYPORT_REASON_NOT_ADMITTED + 1);

template <size_t N>
const char* name_in(const char* const (&names)[N], uint8_t index) {
  return index < N ? names[index] : "unknown";
}

std::string comm_of(const char (&comm)[SALLYPORT_COMM_BYTES]) {
  return std::string(comm, strnlen(comm, sizeof comm));
}

Napi::BigInt big(Napi::Env env, uint64_t value) {
  return Napi::BigInt::New(env, value);
}

}  // namespace

Napi::Object event_to_js(Napi::Env env, const sallyport_event& event) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("kind", name_in(kKinds, event.kind));
  object.Set("reason", name_in(kReasons, event.reason));
  object.Set("agent", event.agent);
  object.Set("cgroupId", big(env, event.cgroup_id));
  object.Set("pid", event.pid);
  object.Set("uid", event.uid);
  object.Set("comm", comm_of(event.comm));
  object.Set("protocol", event.protocol);
  object.Set("socketFamily", event.socket_family);
  object.Set("socketType", event.socket_type);
  object.Set("address", address_to_text(event.address));
  object.Set("port", event.port);
  object.Set("bootNs", big(env, event.boot_ns));
  return object;
}

Napi::Value origin_to_js(Napi::Env env, const std::optional<sallyport_origin>& origin, const Endpoint& source) {
  if (!origin) return env.Undefined();
  Napi::Object object = Napi::Object::New(env);
  object.Set("family", is_ipv4(origin->dialled) ? 4 : 6);
  object.Set("address", address_to_text(origin->dialled));
  object.Set("port", origin->dialled_port);
  object.Set("sourceAddress", address_to_text(source.address));
  object.Set("sourcePort", source.port);
  object.Set("netnsCookie", big(env, origin->netns_cookie));
  object.Set("cgroupId", big(env, origin->cgroup_id));
  object.Set("tagCgroupId", big(env, origin->tag_cgroup_id));
  object.Set("agent", origin->agent);
  object.Set("connection", origin->connection);
  object.Set("pid", origin->pid);
  object.Set("uid", origin->uid);
  object.Set("comm", comm_of(origin->comm));
  object.Set("bootNs", big(env, origin->boot_ns));
  return object;
}

EventReader::EventReader(int events_map, std::function<void(const sallyport_event&)> on_event)
    : on_event_(std::move(on_event)), ring_(ring_buffer__new(events_map, &EventReader::on_record, this, nullptr)) {
  if (!ring_) throw system_failure("open the ring buffer", errno, "map events");
}

void EventReader::read_batch() {
  left_in_batch_ = kBatchMax;
  ring_buffer__consume(ring_.get());  // what is left keeps the descriptor readable
}

int EventReader::on_record(void* self, void* data, size_t size) {
  auto* reader = static_cast<EventReader*>(self);
  sallyport_event event{};
  if (size >= sizeof event) {
    std::memcpy(&event, data, sizeof event);
    reader->on_event_(event);
  }
  return --reader->left_in_batch_ > 0 ? 0 : -EAGAIN;  // a negative answer ends the batch
}

}  // namespace sallyport
