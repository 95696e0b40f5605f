// SPDX-License-Identifier: Apache-2.0
#include "events.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "failure.h"

namespace sallyport {

namespace {

constexpr int kBatchMax = 256;

// In the order of enum sallyport_kind and enum sallyport_reason.
constexpr const char* kKinds[] = {"redirect", "allow", "deny", "backstop", "socket", "bind", "born", "unix"};
constexpr const char* kReasons[] = {"registered",    "own-listener",  "nameserver", "egress-rule",  "unlisted",
                                    "quarantined",   "no-listener",   "no-storage", "our-listener", "socket-kind",
                                    "listener-port", "not-admitted",  "no-door",    "sealed-names", "daemon-silent",
                                    "door",          "socket-option", "turned"};
static_assert(std::size(kKinds) == SALLYPORT_KINDS);
static_assert(std::size(kReasons) == SALLYPORT_REASONS);

template <size_t N>
const char* name_in(const char* const (&names)[N], uint8_t index) {
  return index < N ? names[index] : "unknown";
}

std::string comm_of(const char (&comm)[SALLYPORT_COMM_BYTES]) {
  return std::string(comm, strnlen(comm, sizeof comm));
}

// An abstract name is told with "@" for its first NUL.
std::string path_of(const sallyport_unix_event& event) {
  std::string path(event.path, std::min<size_t>(event.event.path_bytes, sizeof event.path));
  if (!path.empty() && path[0] == '\0') path[0] = '@';
  return path;
}

Napi::BigInt big(Napi::Env env, uint64_t value) {
  return Napi::BigInt::New(env, value);
}

}  // namespace

Napi::Object event_to_js(Napi::Env env, const sallyport_unix_event& record) {
  const sallyport_event& event = record.event;
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
  object.Set("observed", event.observed != 0);
  object.Set("netnsCookie", big(env, event.netns_cookie));
  object.Set("path", path_of(record));
  return object;
}

Napi::Value origin_to_js(Napi::Env env, const std::optional<sallyport_origin>& origin) {
  if (!origin) return env.Undefined();
  Napi::Array row = Napi::Array::New(env, 12);
  row.Set(0u, is_ipv4(origin->dialled) ? 4 : 6);
  row.Set(1u, address_to_text(origin->dialled));
  row.Set(2u, origin->dialled_port);
  row.Set(3u, big(env, origin->netns_cookie));
  row.Set(4u, big(env, origin->cgroup_id));
  row.Set(5u, big(env, origin->tag_cgroup_id));
  row.Set(6u, origin->agent);
  row.Set(7u, origin->connection);
  row.Set(8u, origin->pid);
  row.Set(9u, origin->uid);
  row.Set(10u, comm_of(origin->comm));
  row.Set(11u, big(env, origin->boot_ns));
  return row;
}

EventReader::EventReader(int events_map, std::function<void(const sallyport_unix_event&)> on_event)
    : on_event_(std::move(on_event)), ring_(ring_buffer__new(events_map, &EventReader::on_record, this, nullptr)) {
  if (!ring_) throw system_failure("open the ring buffer", errno, "map events");
}

void EventReader::read_batch() {
  left_in_batch_ = kBatchMax;
  ring_buffer__consume(ring_.get());  // what is left keeps the descriptor readable
}

int EventReader::on_record(void* self, void* data, size_t size) {
  auto* reader = static_cast<EventReader*>(self);
  sallyport_unix_event event{};
  if (size >= sizeof event.event) {
    std::memcpy(&event, data, std::min(size, sizeof event));  // only those of Unix sockets are that long
    reader->on_event_(event);
  }
  return --reader->left_in_batch_ > 0 ? 0 : -EAGAIN;  // a negative answer ends the batch
}

}  // namespace sallyport
