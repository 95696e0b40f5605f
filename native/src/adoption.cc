// SPDX-License-Identifier: Apache-2.0
#include "adoption.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <linux/types.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <memory>

#include "../../bpf/shared.h"
#include "attaching.h"
#include "failure.h"
#include "handles.h"

namespace sallyport {

namespace {

struct Change {
  uint64_t layout;
  const char* map;
};

// Maps that an older version cannot share, by the layout that changed them. All others are kept,
// so that open connections, tags and quarantines live on. tags and quarantined must never be here.
constexpr Change kChanges[] = {
    {2, "events"},   // longer records
    {2, "origins"},  // keys with the sequence number
    {2, "datagrams"},
};

}  // namespace

Pinned look_at_pins(const std::string& pin_dir) {
  Pinned pinned;
  const Fd map(bpf_obj_get((pin_dir + "/maps/layout").c_str()));
  if (!map) {
    if (errno == ENOENT) return pinned;
    throw system_failure("open " + pin_dir + "/maps/layout", errno, "layout");
  }
  const uint32_t zero = 0;
  if (bpf_map_lookup_elem(map.get(), &zero, &pinned.layout) != 0)
    throw system_failure("read " + pin_dir + "/maps/layout", errno, "layout");
  if (pinned.layout > SALLYPORT_LAYOUT)
    throw Failure("LAYOUT",
                  "Cannot adopt " + pin_dir + ": it was pinned by a newer version, with layout " +
                      std::to_string(pinned.layout) + "; this is layout " + std::to_string(SALLYPORT_LAYOUT),
                  {"layout",
                   "Start the newer version again, or remove its pins with `sallyport down --remove` first; agents are "
                   "unguarded until then.",
                   ""});
  for (const Change& change : kChanges)
    if (pinned.layout != 0 && change.layout > pinned.layout) pinned.stale_maps.insert(change.map);
  return pinned;
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

std::vector<std::string> remove_pinned(const std::string& pin_dir) {
  std::vector<std::string> removed;
  // Filters of packets last among the links: while anything is left, less passes and not more.
  std::vector<std::string> parts = {"links"};
  parts.insert(parts.end(), std::begin(kFilters), std::end(kFilters));
  parts.push_back("maps");
  for (const std::string& part : parts) {
    const std::string folder = pin_dir + "/" + part;
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
