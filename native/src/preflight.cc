// SPDX-License-Identifier: Apache-2.0
#include "preflight.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <functional>

#include "attaching.h"
#include "failure.h"
#include "handles.h"
#include "loading.h"
#include "objects.h"
#include "sock_diag.h"

namespace sallyport {

namespace {

constexpr char kBpffs[] = "/sys/fs/bpf";
constexpr char kBtf[] = "/sys/kernel/btf/vmlinux";
constexpr int kKernelMajor = 6;
constexpr int kKernelMinor = 1;

bool lies_on(const std::string& path, long magic) {
  struct statfs found {};
  return statfs(path.c_str(), &found) == 0 && static_cast<long>(found.f_type) == magic;
}

bool is_below(const std::string& path, const std::string& folder) {
  return path == folder || path.compare(0, folder.size() + 1, folder + "/") == 0;
}

void make_folder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throw system_failure("make " + path, errno, "bpffs");
}

}  // namespace

void require_kernel() {
  int major = 0;
  int minor = 0;
  const std::string release = kernel_release();
  std::sscanf(release.c_str(), "%d.%d", &major, &minor);
  if (major > kKernelMajor || (major == kKernelMajor && minor >= kKernelMinor)) return;
  throw Failure("KERNEL_OLD", "Cannot start: Sallyport needs Linux 6.1 or newer, found " + release,
                {"kernel 6.1", "Boot a kernel of 6.1 or newer.", ""});
}

void require_btf() {
  if (access(kBtf, R_OK) == 0) return;
  throw Failure("BTF_MISSING", std::string("Cannot read ") + kBtf + ": " + error_text(errno),
                {"BTF", "Boot a kernel built with CONFIG_DEBUG_INFO_BTF=y.", ""});
}

void require_cgroup_root(const std::string& path) {
  if (!lies_on(path, CGROUP2_SUPER_MAGIC))
    throw Failure("CGROUP2_MISSING", "Cannot use " + path + ": it is not a cgroup2 mount",
                  {"cgroup2", "Give the root of the cgroup2 mount: /sys/fs/cgroup or /sys/fs/cgroup/unified.", ""});
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) throw system_failure("look at " + path, errno, "cgroup2");
  if (found.st_ino == 1) return;
  throw Failure("CGROUP_NAMESPACE",
                "Cannot use " + path + ": it is not the host's cgroup root (its id is " + std::to_string(found.st_ino) +
                    ", not 1)",
                {"cgroup2 root", "Run outside of containers and cgroup namespaces, and give the root itself.", ""});
}

void prepare_pin_dir(const std::string& pin_dir) {
  if (is_below(pin_dir, kBpffs) && !lies_on(kBpffs, BPF_FS_MAGIC) && mount("bpf", kBpffs, "bpf", 0, "mode=0700") != 0)
    throw Failure("BPFFS_MISSING", std::string("Cannot mount bpffs on ") + kBpffs + ": " + error_text(errno),
                  {"bpffs", "Run: mount -t bpf bpf /sys/fs/bpf", ""});
  make_folder(pin_dir);
  if (!lies_on(pin_dir, BPF_FS_MAGIC)) {
    rmdir(pin_dir.c_str());
    throw Failure("BPFFS_MISSING", "Cannot pin under " + pin_dir + ": it does not lie on a bpffs",
                  {"bpffs", "Choose a folder below /sys/fs/bpf.", ""});
  }
  for (const char* part : {"maps", "links"}) make_folder(pin_dir + "/" + part);
  for (const char* filter : kFilters) make_folder(pin_dir + "/" + filter);
}

namespace {

Probed tried(const std::string& feature, const std::string& needs, const std::function<void()>& attempt) {
  try {
    attempt();
    return {feature, true, needs, "available", ""};
  } catch (const Failure& failure) {
    return {feature, false, needs, failure.what(), failure.details.remedy};
  }
}

// Only one program, with maps as small as can be.
void load_only(bpf_object* object, const bpf_program* wanted) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) bpf_program__set_autoload(program, program == wanted);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__type(map) == BPF_MAP_TYPE_HASH || bpf_map__type(map) == BPF_MAP_TYPE_LPM_TRIE)
      bpf_map__set_max_entries(map, 1);
  }
  load_object(object);
}

void try_program(const std::string& name) {
  retry_interrupted([&] {
    const Skeleton skeleton = open_programs();
    load_only(skeleton->obj, bpf_object__find_program_by_name(skeleton->obj, name.c_str()));
  });
}

void try_door(const std::string& name) {
  retry_interrupted([&] {
    const DoorsSkeleton skeleton = open_doors();
    load_only(skeleton->obj, bpf_object__find_program_by_name(skeleton->obj, name.c_str()));
  });
}

void try_sock_diag() {
  if (!can_destroy_sockets())
    throw Failure("KERNEL_FEATURE", "Cannot destroy sockets: the kernel was built without it",
                  {"sock_diag destroy",
                   "Boot a kernel built with CONFIG_INET_DIAG_DESTROY=y; without it a quarantine drops packets but "
                   "leaves sockets open.",
                   ""});
}

void try_socket_option(int option, int type) {
  const Fd socket_fd(socket(type, SOCK_STREAM | SOCK_CLOEXEC, 0));
  uint64_t value = 0;
  socklen_t length = sizeof value;
  if (!socket_fd || getsockopt(socket_fd.get(), SOL_SOCKET, option, &value, &length) != 0)
    throw system_failure("read socket option " + std::to_string(option), errno);
}

void try_link(const std::string& cgroup_root) {
  retry_interrupted([&] {
    const Skeleton skeleton = open_programs();
    load_only(skeleton->obj, skeleton->progs.sallyport_recvmsg4);
    const Fd root(open(cgroup_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const Link link(bpf_program__attach_cgroup(skeleton->progs.sallyport_recvmsg4, root.get()));
    if (!link) throw system_failure("attach a bpf_link to " + cgroup_root, errno);
  });
}

void try_tracepoint() {
  retry_interrupted([] {
    const Skeleton skeleton = open_programs();
    load_only(skeleton->obj, skeleton->progs.sallyport_cgroup_mkdir);
    const Link link(bpf_program__attach(skeleton->progs.sallyport_cgroup_mkdir));
    if (!link) throw system_failure("attach to tracepoint cgroup_mkdir", errno, "tracepoint cgroup_mkdir");
  });
}

// Optional: the rest of Sallyport works without.
Probed without_memory(const std::string& feature) {
  return {feature, true, "optional", "not under lockdown=confidentiality: cgroups cannot be tagged at their birth", ""};
}

// From Linux 6.7 on; below, the verdict is "ok" all the same, and `found` says what is missing.
std::vector<Probed> probe_doors() {
  const DoorsSkeleton skeleton = open_doors();
  const bool present = kernel_has_doors();
  std::vector<Probed> all;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) {
    const std::string section = bpf_program__section_name(program);
    const std::string name = bpf_program__name(program);
    if (present)
      all.push_back(tried(section, "Linux 6.7, optional", [&] { try_door(name); }));
    else
      all.push_back({section, true, "Linux 6.7, optional",
                     "not in this kernel: Unix sockets are refused by `sallyport run` alone", ""});
  }
  return all;
}

}  // namespace

std::vector<Probed> probe(const std::string& cgroup_root) {
  std::vector<Probed> all = {
      tried("kernel", "Linux 6.1", require_kernel),
      tried("BTF", "CONFIG_DEBUG_INFO_BTF", require_btf),
      tried("cgroup2 root", "the host's own cgroup2 root", [&] { require_cgroup_root(cgroup_root); }),
      tried("bpf_link on cgroup", "Linux 5.7, CONFIG_CGROUP_BPF", [&] { try_link(cgroup_root); }),
      tried("SO_NETNS_COOKIE", "Linux 5.14", [] { try_socket_option(SO_NETNS_COOKIE, AF_INET); }),
      kernel_reads_memory() ? tried("tracepoint cgroup_mkdir", "Linux 6.1, CONFIG_TRACEPOINTS", try_tracepoint)
                            : without_memory("tracepoint cgroup_mkdir"),
      tried("sock_diag destroy", "Linux 4.5, CONFIG_INET_DIAG_DESTROY", try_sock_diag),
  };
  const Skeleton skeleton = open_programs();
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) {
    const std::string name = bpf_program__name(program);
    if (program != skeleton->progs.sallyport_cgroup_mkdir)
      all.push_back(tried(bpf_program__section_name(program), "Linux 6.1", [&] { try_program(name); }));
  }
  for (Probed& door : probe_doors()) all.push_back(std::move(door));
  return all;
}

}  // namespace sallyport
