// SPDX-License-Identifier: Apache-2.0
#include "interceptor.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "failure.h"
#include "loading.h"
#include "maps.h"
#include "preflight.h"

namespace sallyport {

namespace {

bool is_filter(const std::string& name) {
  return std::find(std::begin(kFilters), std::end(kFilters), name) != std::end(kFilters);
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

template <typename Record>
std::string bytes_of(const Record& record) {
  return std::string(reinterpret_cast<const char*>(&record), sizeof record);
}

template <typename Record>
Record record_of(const std::string& bytes) {
  Record record{};
  std::memcpy(&record, bytes.data(), sizeof record);
  return record;
}

uint64_t boot_ns() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

constexpr uint64_t kNsPerMs = 1000000;

// What is new comes before what is gone goes, so that nothing is missing in between.
template <typename Key, typename Value>
void replace_all(const bpf_map* map, const std::vector<std::pair<Key, Value>>& all) {
  std::set<std::string> wanted;
  for (const auto& [key, value] : all) {
    update(map, key, value);
    wanted.insert(bytes_of(key));
  }
  for (const Key& key : keys_of<Key>(map))
    if (wanted.count(bytes_of(key)) == 0) erase(map, key);
}

}  // namespace

Interceptor::Interceptor(OpenOptions options) : options_(std::move(options)) {
  require_kernel();
  require_btf();
  require_cgroup_root(options_.cgroup_root);
  prepare_pin_dir(options_.pin_dir);
  pinned_ = look_at_pins(options_.pin_dir);
  cgroup_root_ = Fd(::open(options_.cgroup_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup_root_) throw system_failure("open " + options_.cgroup_root, errno, "cgroup2");
  links_ = std::make_unique<Links>(options_.pin_dir, cgroup_root_.get());
  try {
    retry_interrupted([this] { open_and_load(); });
    attach_all();
    adopt_filters();
    settle_pins();
  } catch (...) {
    // Half an installation guards nothing; one that was there before goes on as it was.
    if (!adopted()) remove_pinned(options_.pin_dir);
    throw;
  }
}

void Interceptor::open_and_load() {
  skeleton_ = open_programs();
  doors_ = kernel_has_doors() ? open_doors() : nullptr;
  if (!kernel_reads_memory()) bpf_program__set_autoload(skeleton_->progs.sallyport_cgroup_mkdir, false);
  for (const std::string& name : options_.without) leave_out(name);
  prepare(skeleton_->obj);
  load_object(skeleton_->obj);
  if (!doors_) return;
  prepare(doors_->obj);
  // Maps that lost their pin to a newer shape are shared by descriptor.
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, doors_->obj) {
    const bpf_map* ours = bpf_object__find_map_by_name(skeleton_->obj, bpf_map__name(map));
    if (ours != nullptr && pinned_.stale_maps.count(bpf_map__name(map)) != 0) bpf_map__reuse_fd(map, bpf_map__fd(ours));
  }
  load_object(doors_->obj);
}

void Interceptor::prepare(bpf_object* object) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__is_internal(map)) continue;  // constants of one build
    const std::string path = options_.pin_dir + "/maps/" + bpf_map__name(map);
    if (pinned_.stale_maps.count(bpf_map__name(map)) == 0) bpf_map__set_pin_path(map, path.c_str());
  }
}

void Interceptor::leave_out(const std::string& name) {
  const std::string full = "sallyport_" + name;
  bool found = false;
  for (bpf_object* object : objects())
    if (bpf_program* program = bpf_object__find_program_by_name(object, full.c_str())) {
      bpf_program__set_autoload(program, false);
      found = true;
    }
  if (!found)
    throw Failure("SYSTEM", "Cannot leave out program " + name + ": there is none of that name",
                  {"", "See bpf/sallyport.bpf.c.", ""});
}

std::vector<bpf_object*> Interceptor::objects() const {
  std::vector<bpf_object*> all = {skeleton_->obj};
  if (doors_) all.push_back(doors_->obj);
  return all;
}

void Interceptor::attach_all() {
  std::set<std::string> attached;
  for (bpf_object* object : objects()) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object) {
      const std::string name = short_name(program);
      if (is_filter(name) || !bpf_program__autoload(program)) continue;
      links_->attach(program, name);
      attached.insert(name);
    }
  }
  if (!keys_of<sallyport_birth>(skeleton_->maps.births).empty()) attached.insert(attach_for_births());
  links_->drop_all_but(attached);
}

// A cgroup that was tagged at birth has no filters until the daemon hears of it: its first connections would have no
// origin.
std::string Interceptor::attach_for_births() {
  const std::string name = short_name(skeleton_->progs.sallyport_sockops);
  if (!leaves_out(name.c_str())) links_->attach(skeleton_->progs.sallyport_sockops, name);
  return name;
}

// Last: until the layout is written, an upgrade that broke off starts over.
void Interceptor::settle_pins() {
  for (const std::string& name : pinned_.stale_maps) {
    const std::string path = options_.pin_dir + "/maps/" + name;
    unlink(path.c_str());
    const int error = -bpf_map__pin(bpf_object__find_map_by_name(skeleton_->obj, name.c_str()), path.c_str());
    if (error != 0) throw system_failure("pin " + path, error, "map " + name);
  }
  update(skeleton_->maps.layout, uint32_t{0}, uint64_t{SALLYPORT_LAYOUT});
}

// Those that are attached to each tagged cgroup, but for what was left out.
std::vector<bpf_program*> Interceptor::filters() const {
  std::vector<bpf_program*> all;
  const auto& programs = skeleton_->progs;
  for (bpf_program* program : {programs.sallyport_sockops, programs.sallyport_setsockopt, programs.sallyport_egress})
    if (!leaves_out(short_name(program).c_str())) all.push_back(program);
  return all;
}

// Attaches what the cgroup lacks; `attached` names what is new. False: the cgroup is gone.
bool Interceptor::filter(int cgroup_fd, uint64_t cgroup_id, std::vector<std::string>& attached) {
  for (bpf_program* program : filters()) {
    if (links_->has_filter(short_name(program), cgroup_id)) continue;
    if (!links_->attach_filter(program, cgroup_fd, cgroup_id)) return false;
    attached.push_back(short_name(program));
  }
  return true;
}

void Interceptor::adopt_filters() {
  const std::map<uint64_t, uint32_t> tagged = tags();
  std::set<uint64_t> gone;
  for (const char* name : kFilters)
    for (const uint64_t cgroup_id : links_->filtered(name))
      if (tagged.count(cgroup_id) == 0 || leaves_out(name))
        links_->drop_filter(name, cgroup_id);  // a tag() that broke off
  for (bpf_program* program : filters())
    for (const uint64_t cgroup_id : links_->filtered(short_name(program)))
      if (!links_->swap_filter(program, cgroup_id)) gone.insert(cgroup_id);
  // Tagged at birth while no daemon ran, or by a version that had fewer: the kernel cannot attach by itself.
  for (const auto& [cgroup_id, agent] : tagged) {
    std::vector<std::string> attached;
    const Fd cgroup = open_cgroup(cgroup_root_.get(), cgroup_id);
    if (!cgroup || !filter(cgroup.get(), cgroup_id, attached)) gone.insert(cgroup_id);
  }
  for (const uint64_t cgroup_id : gone) untag(cgroup_id);
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
  // The filters first: between the two steps packets are dropped rather than let through.
  std::vector<std::string> attached;
  try {
    if (!filter(cgroup.get(), cgroup_id, attached))
      throw system_failure("tag " + cgroup_path, ENOENT, "cgroup2");  // removed meanwhile
    update(skeleton_->maps.tags, cgroup_id, agent);
  } catch (const Failure&) {
    for (const std::string& name : attached) links_->drop_filter(name, cgroup_id);
    throw;
  }
  return cgroup_id;
}

bool Interceptor::untag(uint64_t cgroup_id) {
  const bool was_tagged = erase(skeleton_->maps.tags, cgroup_id);
  for (const char* name : kFilters) links_->drop_filter(name, cgroup_id);
  return was_tagged;
}

std::map<uint64_t, uint32_t> Interceptor::tags() const {
  return entries_in<uint64_t, uint32_t>(skeleton_->maps.tags);
}

void Interceptor::quarantine(uint32_t agent, bool on) {
  if (on)
    update(skeleton_->maps.quarantined, agent, uint32_t{1});
  else
    erase(skeleton_->maps.quarantined, agent);
}

void Interceptor::observe(uint32_t agent, uint64_t until_boot_ns) {
  if (until_boot_ns > boot_ns())
    update(skeleton_->maps.observed, agent, until_boot_ns);
  else
    erase(skeleton_->maps.observed, agent);
}

void Interceptor::pulse(uint64_t for_ms) {
  update(skeleton_->maps.pulse, uint32_t{0}, for_ms == 0 ? uint64_t{0} : boot_ns() + for_ms * kNsPerMs);
}

void Interceptor::set_births(const Births& all) {
  if (!all.empty() && !bpf_program__autoload(skeleton_->progs.sallyport_cgroup_mkdir))
    throw Failure("KERNEL_FEATURE", "Cannot tag cgroups at their birth: programs may not read kernel memory here",
                  {"tracepoint cgroup_mkdir",
                   "Boot without lockdown=confidentiality, or tag by `sallyport tag` and `sallyport run` alone.", ""});
  if (!all.empty()) attach_for_births();
  replace_all(skeleton_->maps.births, all);
  if (all.empty()) links_->drop(short_name(skeleton_->progs.sallyport_sockops));
}

bool Interceptor::set_doors(const Doors& all, const std::set<uint32_t>& mount_namespaces) {
  if (!doors_) return false;
  std::vector<std::pair<sallyport_door_key, uint32_t>> rows;
  for (const sallyport_door_key& key : all) rows.emplace_back(key, 1);
  std::vector<std::pair<uint32_t, uint32_t>> places;
  for (const uint32_t number : mount_namespaces) places.emplace_back(number, 1);
  replace_all(skeleton_->maps.doors, rows);
  replace_all(skeleton_->maps.mount_namespaces, places);
  return true;
}

void Interceptor::set_destinations(const Destinations& all) {
  const bpf_map* map = skeleton_->maps.destinations;
  if (!destinations_) {
    destinations_.emplace();
    for (const auto& key : keys_of<sallyport_destination_key>(map)) {
      sallyport_destination value{};
      if (bpf_map_lookup_elem(bpf_map__fd(map), &key, &value) == 0) (*destinations_)[bytes_of(key)] = bytes_of(value);
    }
  }
  std::map<std::string, std::string> wanted;
  for (const auto& [key, value] : all) wanted[bytes_of(key)] = bytes_of(value);
  std::map<std::string, std::string> before;
  std::swap(before, *destinations_);
  destinations_.reset();  // should a write fail, the kernel is asked again
  for (const auto& [key, value] : wanted) {
    const auto found = before.find(key);
    if (found == before.end() || found->second != value)
      update(map, record_of<sallyport_destination_key>(key), record_of<sallyport_destination>(value));
  }
  for (const auto& [key, value] : before)
    if (wanted.count(key) == 0) erase(map, record_of<sallyport_destination_key>(key));
  destinations_ = std::move(wanted);
}

void Interceptor::set_listener(uint16_t port, uint64_t netns_cookie) {
  if (port != 0)
    update(skeleton_->maps.listeners, netns_cookie, uint32_t{port});
  else
    erase(skeleton_->maps.listeners, netns_cookie);
}

std::map<uint64_t, uint16_t> Interceptor::listeners() const {
  std::map<uint64_t, uint16_t> all;
  for (const auto& [netns_cookie, port] : entries_in<uint64_t, uint32_t>(skeleton_->maps.listeners))
    all[netns_cookie] = static_cast<uint16_t>(port);
  return all;
}

std::optional<sallyport_origin> Interceptor::claim(const sallyport_origin_key& syn) {
  sallyport_origin origin{};
  if (bpf_map_lookup_and_delete_elem(bpf_map__fd(skeleton_->maps.origins), &syn, &origin) != 0) return std::nullopt;
  return origin;
}

std::optional<sallyport_origin> Interceptor::datagram_origin(uint64_t netns_cookie, const Endpoint& source) const {
  sallyport_origin_key key{};
  key.netns_cookie = netns_cookie;
  key.address = source.address;
  key.port = source.port;
  sallyport_origin origin{};
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.datagrams), &key, &origin) != 0) return std::nullopt;
  return origin;
}

uint32_t Interceptor::sweep_origins(uint64_t age_ms) {
  const uint64_t now_ns = boot_ns();
  const bpf_map* map = skeleton_->maps.origins;
  uint32_t removed = 0;
  for (const auto& key : keys_of<sallyport_origin_key>(map)) {
    sallyport_origin origin{};
    if (bpf_map_lookup_elem(bpf_map__fd(map), &key, &origin) != 0 || origin.boot_ns + age_ms * kNsPerMs > now_ns)
      continue;
    if (erase(map, key)) removed++;
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

}  // namespace sallyport
