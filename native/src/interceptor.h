// SPDX-License-Identifier: Apache-2.0
// Opens, loads, pins, attaches or adopts the BPF programs, and owns every handle on them.
// Knows nothing of JS. Letting go of an Interceptor leaves pins and links in place.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "address.h"
#include "adoption.h"
#include "attaching.h"
#include "handles.h"
#include "objects.h"

namespace sallyport {

struct OpenOptions {
  std::string cgroup_root;
  std::string pin_dir;
  std::set<std::string> without;
};

using Destinations = std::vector<std::pair<sallyport_destination_key, sallyport_destination>>;
using Births = std::vector<std::pair<sallyport_birth, sallyport_birth_value>>;
using Doors = std::vector<sallyport_door_key>;

class Interceptor {
 public:
  explicit Interceptor(OpenOptions options);

  bool adopted() const { return pinned_.layout != 0; }

  uint64_t tag(const std::string& cgroup_path, uint32_t agent);
  bool untag(uint64_t cgroup_id);
  std::map<uint64_t, uint32_t> tags() const;
  void quarantine(uint32_t agent, bool on);
  void observe(uint32_t agent, uint64_t until_boot_ns);
  void pulse(uint64_t for_ms);
  void set_births(const Births& all);
  bool set_doors(const Doors& all, const std::set<uint32_t>& mount_namespaces);
  void set_destinations(const Destinations& all);
  void set_listener(uint16_t port, uint64_t netns_cookie);
  std::map<uint64_t, uint16_t> listeners() const;

  // Takes the origin of the connection that this SYN asked for: the second claim finds nothing.
  std::optional<sallyport_origin> claim(const sallyport_origin_key& syn);
  // Leaves it: the same socket may send again before this datagram is read.
  std::optional<sallyport_origin> datagram_origin(uint64_t netns_cookie, const Endpoint& source) const;
  uint32_t sweep_origins(uint64_t age_ms);
  std::vector<uint64_t> counters() const;
  int events_map() const;

 private:
  void open_and_load();
  void prepare(bpf_object* object);
  void leave_out(const std::string& name);
  void attach_all();
  std::string attach_for_births();
  void settle_pins();
  void adopt_filters();
  bool filter(int cgroup_fd, uint64_t cgroup_id, std::vector<std::string>& attached);
  std::vector<bpf_program*> filters() const;
  bool leaves_out(const char* name) const { return options_.without.count(name) != 0; }
  std::vector<bpf_object*> objects() const;

  OpenOptions options_;
  Pinned pinned_;
  Skeleton skeleton_;
  DoorsSkeleton doors_;  // null where the kernel has no such hooks
  Fd cgroup_root_;
  std::unique_ptr<Links> links_;
  // What is in the kernel's table: a change of one row must not write them all. None: not read yet.
  std::optional<std::map<std::string, std::string>> destinations_;
};

}  // namespace sallyport
