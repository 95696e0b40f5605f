// SPDX-License-Identifier: Apache-2.0
#include "interceptor.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "failure.h"
#include "loading.h"
#include "preflight.h"
#include "sallyport.skel.h"

namespace sallyport {

namespace {

constexpr char kEgress[] = "egress";

std::string short_name(const bpf_program* program) {
  const std::string name = bpf_program__name(program);
  return name.substr(std::strlen("sallyport_"));
}

std::vector<std::string> entries_of(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> open(opendir(folder.c_str()), closedir);
  if (!open) return names;
  while (const dirent* entry = readdir(open.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

// Twice the largest map: a walk starts over when its key is deleted meanwhile, but must end.
constexpr size_t kKeysMax = 131072;

template <typename Key>
std::vector<Key> keys_of(int map) {
  std::vector<Key> keys;
  Key key{};
  const Key* previous = nullptr;
  while (keys.size() < kKeysMax && bpf_map_get_next_key(map, previous, &key) == 0) {
    keys.push_back(key);
    previous = &keys.back();
  }
  return keys;
}

template <typename Key, typename Value>
void update(const bpf_map* map, const Key& key, const Value& value) {
  if (bpf_map_update_elem(bpf_map__fd(map), &key, &value, BPF_ANY) != 0)
    throw system_failure(std::string("write map ") + bpf_map__name(map), errno,
                         std::string("map ") + bpf_map__name(map));
}

// How many levels below the root a cgroup lies. Throws if it is not below it at all.
int level_of(const std::string& cgroup, const std::string& root) {
  char real_root[PATH_MAX];
  char real_cgroup[PATH_MAX];
  if (realpath(root.c_str(), real_root) == nullptr) throw system_failure("resolve " + root, errno);
  if (realpath(cgroup.c_str(), real_cgroup) == nullptr) throw system_failure("resolve " + cgroup, errno);
  const std::string prefix = std::string(real_root) + "/";
  const std::string path = std::string(real_cgroup) + "/";
  if (path.compare(0, prefix.size(), prefix) != 0 || path.size() == prefix.size())
    throw Failure("SYSTEM", "Cannot tag " + cgroup + ": it does not lie below " + root + ", or is the root itself",
                  {"cgroup2", "Give the path of a cgroup below the cgroup2 root.", ""});
  int level = 0;
  for (size_t at = prefix.size(); at < path.size(); at++) level += path[at] == '/';
  return level;
}

std::string bytes_of(const sallyport_destination_key& key) {
  return std::string(reinterpret_cast<const char*>(&key), sizeof key);
}

}  // namespace

void SkeletonDeleter::operator()(sallyport_bpf* object) const noexcept {
  sallyport_bpf__destroy(object);
}

Interceptor::Interceptor(OpenOptions options) : options_(std::move(options)) {
  require_kernel();
  require_btf();
  require_cgroup_root(options_.cgroup_root);
  prepare_pin_dir(options_.pin_dir);
  check_layout();
  try {
    open();
    load();
    attach_all();
    adopt_egress();
  } catch (...) {
    // Half an installation guards nothing; one that was there before goes on as it was.
    if (!adopted_) remove_pinned(options_.pin_dir);
    throw;
  }
}

void Interceptor::check_layout() {
  const Fd map(bpf_obj_get((options_.pin_dir + "/maps/layout").c_str()));
  if (!map) return;
  const uint32_t zero = 0;
  uint64_t version = 0;
  if (bpf_map_lookup_elem(map.get(), &zero, &version) != 0 || (version != 0 && version != SALLYPORT_LAYOUT))
    throw Failure(
        "LAYOUT",
        "Cannot adopt " + options_.pin_dir + ": it was pinned with layout " + std::to_string(version) +
            ", this is layout " + std::to_string(SALLYPORT_LAYOUT),
        {"layout", "Remove the pins of the other version with `sallyport down --remove`, then start again.", ""});
  adopted_ = version != 0;  // 0: a first start that did not come to its end
}

void Interceptor::open() {
  skeleton_.reset(sallyport_bpf__open());
  if (!skeleton_) throw system_failure("open the BPF object", errno);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton_->obj) {
    const std::string path = options_.pin_dir + "/maps/" + bpf_map__name(map);
    bpf_map__set_pin_path(map, path.c_str());
  }
  for (const std::string& name : options_.without) {
    bpf_program* program = bpf_object__find_program_by_name(skeleton_->obj, ("sallyport_" + name).c_str());
    if (program == nullptr)
      throw Failure("SYSTEM", "Cannot leave out program " + name + ": there is none of that name",
                    {"", "See bpf/sallyport.bpf.c.", ""});
    bpf_program__set_autoload(program, false);
  }
  cgroup_root_ = Fd(::open(options_.cgroup_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup_root_) throw system_failure("open " + options_.cgroup_root, errno, "cgroup2");
}

void Interceptor::load() {
  load_skeleton(skeleton_.get());
}

void Interceptor::attach_all() {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    const std::string name = short_name(program);
    if (options_.without.count(name) != 0)
      unlink(link_path(name).c_str());
    else if (name != kEgress)
      attach_at_root(program, name);
  }
  update(skeleton_->maps.layout, uint32_t{0}, uint64_t{SALLYPORT_LAYOUT});
}

void Interceptor::attach_at_root(bpf_program* program, const std::string& name) {
  const std::string path = link_path(name);
  const std::string feature = bpf_program__section_name(program);
  if (const Link pinned{bpf_link__open(path.c_str())}) {
    const int error = -bpf_link__update_program(pinned.get(), program);
    if (error == 0) return;
    throw system_failure("swap the program of " + path, error, feature);
  }
  const Link link(bpf_program__attach_cgroup(program, cgroup_root_.get()));
  if (!link) {
    const int error = errno;
    throw Failure(
        error == EPERM ? "PRIVILEGE" : "KERNEL_FEATURE",
        "Cannot attach " + feature + " to " + options_.cgroup_root + ": " + error_text(error) + " (kernel " +
            kernel_release() + ")",
        {feature,
         "Run as root on Linux 6.1 or newer; a program attached there without BPF_F_ALLOW_MULTI must go first.", ""});
  }
  const int error = -bpf_link__pin(link.get(), path.c_str());
  if (error != 0) throw system_failure("pin " + path, error, feature);
}

std::string Interceptor::egress_path(uint64_t cgroup_id) const {
  return options_.pin_dir + "/egress/" + std::to_string(cgroup_id);
}

void Interceptor::adopt_egress() {
  const std::map<uint64_t, uint32_t> tagged = tags();
  for (const std::string& name : entries_of(options_.pin_dir + "/egress")) {
    const uint64_t cgroup_id = std::strtoull(name.c_str(), nullptr, 10);
    const std::string path = egress_path(cgroup_id);
    const Link link(bpf_link__open(path.c_str()));
    if (!link) throw system_failure("open " + path, errno, "cgroup_skb/egress");
    if (tagged.count(cgroup_id) == 0 || options_.without.count(kEgress) != 0) {
      unlink(path.c_str());  // a tag() that did not come to its end
      continue;
    }
    const int error = -bpf_link__update_program(link.get(), skeleton_->progs.sallyport_egress);
    if (error == ENOLINK)
      untag(cgroup_id);  // the cgroup went while nobody looked
    else if (error != 0)
      throw system_failure("swap the program of " + path, error, "cgroup_skb/egress");
  }
}

void Interceptor::attach_egress(int cgroup_fd, uint64_t cgroup_id) {
  const std::string path = egress_path(cgroup_id);
  if (options_.without.count(kEgress) != 0 || access(path.c_str(), F_OK) == 0) return;
  const Link link(bpf_program__attach_cgroup(skeleton_->progs.sallyport_egress, cgroup_fd));
  if (!link)
    throw system_failure("attach the egress filter to cgroup " + std::to_string(cgroup_id), errno, "cgroup_skb/egress");
  const int error = -bpf_link__pin(link.get(), path.c_str());
  if (error != 0) throw system_failure("pin " + path, error, "cgroup_skb/egress");
}

uint64_t Interceptor::tag(const std::string& cgroup_path, uint32_t agent) {
  const Fd cgroup(::open(cgroup_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup) throw system_failure("open cgroup " + cgroup_path, errno, "cgroup2");
  struct statfs where {};
  struct stat found {};
  if (fstatfs(cgroup.get(), &where) != 0 || fstat(cgroup.get(), &found) != 0)
    throw system_failure("look at " + cgroup_path, errno, "cgroup2");
  if (where.f_type != CGROUP2_SUPER_MAGIC)
    throw Failure("CGROUP2_MISSING", "Cannot tag " + cgroup_path + ": it is not a cgroup2 folder",
                  {"cgroup2", "Give the path of a cgroup below " + options_.cgroup_root + ".", ""});
  const int level = level_of(cgroup_path, options_.cgroup_root);
  if (level >= SALLYPORT_LEVELS)
    throw Failure("CGROUP_DEPTH",
                  "Cannot tag " + cgroup_path + ": it lies " + std::to_string(level) + " levels deep, and only " +
                      std::to_string(SALLYPORT_LEVELS - 1) + " are searched",
                  {"cgroup depth", "Tag one of its ancestors, or move it up.", ""});
  const uint64_t cgroup_id = found.st_ino;
  // The filter first: between the two steps packets are dropped rather than let through.
  const bool was_tagged = tags().count(cgroup_id) != 0;
  attach_egress(cgroup.get(), cgroup_id);
  try {
    update(skeleton_->maps.tags, cgroup_id, agent);
  } catch (const Failure&) {
    if (!was_tagged) unlink(egress_path(cgroup_id).c_str());
    throw;
  }
  return cgroup_id;
}

bool Interceptor::untag(uint64_t cgroup_id) {
  const bool was_tagged = bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.tags), &cgroup_id) == 0;
  unlink(egress_path(cgroup_id).c_str());
  return was_tagged;
}

std::map<uint64_t, uint32_t> Interceptor::tags() const {
  const int map = bpf_map__fd(skeleton_->maps.tags);
  std::map<uint64_t, uint32_t> all;
  for (const uint64_t cgroup_id : keys_of<uint64_t>(map)) {
    uint32_t agent = 0;
    if (bpf_map_lookup_elem(map, &cgroup_id, &agent) == 0) all[cgroup_id] = agent;
  }
  return all;
}

void Interceptor::quarantine(uint32_t agent, bool on) {
  if (on)
    update(skeleton_->maps.quarantined, agent, uint32_t{1});
  else
    bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.quarantined), &agent);
}

void Interceptor::set_destinations(const Destinations& all) {
  const int map = bpf_map__fd(skeleton_->maps.destinations);
  std::set<std::string> wanted;
  for (const auto& [key, value] : all) {
    update(skeleton_->maps.destinations, key, value);
    wanted.insert(bytes_of(key));
  }
  for (const auto& key : keys_of<sallyport_destination_key>(map))
    if (wanted.count(bytes_of(key)) == 0) bpf_map_delete_elem(map, &key);
}

void Interceptor::set_listener(uint16_t port, uint64_t netns_cookie) {
  if (port != 0)
    update(skeleton_->maps.listeners, netns_cookie, uint32_t{port});
  else
    bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.listeners), &netns_cookie);
}

std::optional<sallyport_origin> Interceptor::claim(uint64_t netns_cookie, const Endpoint& source) {
  sallyport_origin_key key{};
  key.netns_cookie = netns_cookie;
  key.address = source.address;
  key.port = source.port;
  sallyport_origin origin{};
  if (bpf_map_lookup_and_delete_elem(bpf_map__fd(skeleton_->maps.origins), &key, &origin) != 0) return std::nullopt;
  return origin;
}

uint32_t Interceptor::sweep_origins(uint64_t age_ms) {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  const uint64_t now_ns = static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
  const uint64_t age_ns = age_ms * 1000000u;
  const int map = bpf_map__fd(skeleton_->maps.origins);
  uint32_t removed = 0;
  for (const auto& key : keys_of<sallyport_origin_key>(map)) {
    sallyport_origin origin{};
    if (bpf_map_lookup_elem(map, &key, &origin) != 0 || origin.boot_ns + age_ns > now_ns) continue;
    // A connection that takes over this very key right now loses its origin and is closed.
    if (bpf_map_delete_elem(map, &key) == 0) removed++;
  }
  return removed;
}

std::vector<uint64_t> Interceptor::counters() const {
  std::vector<uint64_t> per_cpu(static_cast<size_t>(libbpf_num_possible_cpus()));
  std::vector<uint64_t> sums(SALLYPORT_COUNTERS);
  for (uint32_t counter = 0; counter < SALLYPORT_COUNTERS; counter++) {
    if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counters), &counter, per_cpu.data()) != 0)
      throw system_failure("read the counters", errno);
    for (const uint64_t value : per_cpu) sums[counter] += value;
  }
  return sums;
}

int Interceptor::events_map() const {
  return bpf_map__fd(skeleton_->maps.events);
}

std::vector<std::string> remove_pinned(const std::string& pin_dir) {
  std::vector<std::string> removed;
  // Egress filters last among the links: while anything is left, less passes and not more.
  for (const char* part : {"/links", "/egress", "/maps"}) {
    const std::string folder = pin_dir + part;
    for (const std::string& name : entries_of(folder)) {
      const std::string path = folder + "/" + name;
      if (unlink(path.c_str()) != 0) throw system_failure("remove " + path, errno, "bpffs");
      removed.push_back(path);
    }
    if (rmdir(folder.c_str()) != 0 && errno != ENOENT) throw system_failure("remove " + folder, errno, "bpffs");
  }
  if (rmdir(pin_dir.c_str()) == 0)
    removed.push_back(pin_dir);
  else if (errno != ENOENT)
    throw system_failure("remove " + pin_dir, errno, "bpffs");
  return removed;
}

}  // namespace sallyport
