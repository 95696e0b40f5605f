// SPDX-License-Identifier: Apache-2.0
// What must be true of the host before anything is loaded, and the probe that `doctor` shows.
#pragma once

#include <string>
#include <vector>

namespace sallyport {

// Each throws a Failure that names the feature, what was found and the remedy.
void require_kernel();
void require_btf();
void require_cgroup_root(const std::string& path);
// Makes `pin_dir` with its folders; mounts bpffs on /sys/fs/bpf if the folder lies there and nothing is mounted.
void prepare_pin_dir(const std::string& pin_dir);

struct Probed {
  std::string feature;
  bool ok;
  std::string needs;
  std::string found;
  std::string remedy;
};

std::vector<Probed> probe(const std::string& cgroup_root);

}  // namespace sallyport
