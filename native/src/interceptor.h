// SPDX-License-Identifier: Apache-2.0
// Opens, loads, pins, attaches or adopts the BPF programs, and owns every handle on them.
// Knows nothing of JS. Letting go of an Interceptor leaves pins and links in place.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "address.h"
#include "handles.h"

struct sallyport_bpf;

namespace sallyport {

struct SkeletonDeleter {
  void operator()(sallyport_bpf* object) const noexcept;
};
using Skeleton = std::unique_ptr<sallyport_bpf, SkeletonDeleter>;

struct OpenOptions {
  std::string cgroup_root;
  std::string pin_dir;
  std::set<std::string> without;
};

using Destinations = std::vector<std::pair<sallyport_destination_key, sallyport_destination>>;

class Interceptor {
 public:
  explicit Interceptor(OpenOptions options);

  bool adopted() const { return adopted_; }

  uint64_t tag(const std::string& cgroup_path, uint32_t agent);
  bool untag(uint64_t cgroup_id);
  std::map<uint64_t, uint32_t> tags() const;
  void quarantine(uint32_t agent, bool on);
  void set_destinations(const Destinations& all);
  void set_listener(uint16_t port, uint64_t netns_cookie);

  // Takes the origin out of the map: the second claim of a connection finds nothing.
  std::optional<sallyport_origin> claim(uint64_t netns_cookie, const Endpoint& source);
  uint32_t sweep_origins(uint64_t age_ms);
  std::vector<uint64_t> counters() const;
  int events_map() const;

 private:
  void open();
  void load();
  void check_layout();
  void attach_all();
  void attach_at_root(bpf_program* program, const std::string& name);
  void adopt_egress();
  void attach_egress(int cgroup_fd, uint64_t cgroup_id);
  std::string link_path(const std::string& name) const { return options_.pin_dir + "/links/" + name; }
  std::string egress_path(uint64_t cgroup_id) const;

  OpenOptions options_;
  Skeleton skeleton_;
  Fd cgroup_root_;
  bool adopted_ = false;
};

// Unpins and detaches everything under `pin_dir`; returns the paths that it removed.
std::vector<std::string> remove_pinned(const std::string& pin_dir);

}  // namespace sallyport
