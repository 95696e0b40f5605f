// SPDX-License-Identifier: Apache-2.0
// Puts loaded programs behind pinned links, so that there is no moment without one or the other.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <set>
#include <string>

#include "handles.h"

namespace sallyport {

// The programs that are attached to each tagged cgroup, so that no bystander meets them; all others are at the root.
// Where cgroups are tagged at birth, sockops is at the root too (Interceptor::set_births).
// What drops packets comes last: it goes last when pins are removed.
constexpr const char* kFilters[] = {"sockops", "setsockopt", "egress"};

class Links {
 public:
  Links(std::string pin_dir, int cgroup_root);

  // At the cgroup root, or at its tracepoint. A pinned link gets the new program.
  void attach(bpf_program* program, const std::string& name);
  // The pin of that name goes, and with it the link.
  void drop(const std::string& name);
  // Pins that no program of this version has.
  void drop_all_but(const std::set<std::string>& names);

  // A filter of one cgroup, pinned in a folder of the filter's name. False: the cgroup is gone.
  bool attach_filter(bpf_program* program, int cgroup_fd, uint64_t cgroup_id);
  bool swap_filter(bpf_program* program, uint64_t cgroup_id);
  bool has_filter(const std::string& name, uint64_t cgroup_id) const;
  void drop_filter(const std::string& name, uint64_t cgroup_id);
  // The cgroups that have it.
  std::set<uint64_t> filtered(const std::string& name) const;

 private:
  void attach_at_root(bpf_program* program, const std::string& path);
  void attach_tracepoint(bpf_program* program, const std::string& path);
  std::string link_path(const std::string& name) const { return pin_dir_ + "/links/" + name; }
  std::string filter_path(const std::string& name, uint64_t cgroup_id) const {
    return pin_dir_ + "/" + name + "/" + std::to_string(cgroup_id);
  }

  std::string pin_dir_;
  int cgroup_root_;
};

// The name of a program in options and pins: "sallyport_connect4" is "connect4".
std::string short_name(const bpf_program* program);

// A descriptor of a cgroup by its id; none if it is gone.
Fd open_cgroup(int cgroup_root, uint64_t cgroup_id);

}  // namespace sallyport
