// SPDX-License-Identifier: Apache-2.0
#include "attaching.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "adoption.h"
#include "failure.h"

namespace sallyport {

namespace {

// File handles of cgroups: FILEID_KERNFS of linux/exportfs.h, then the id.
constexpr int kKernfsHandle = 0xfe;

Failure cannot_attach(const std::string& feature, const std::string& where, int error) {
  return Failure(
      error == EPERM ? "PRIVILEGE" : "KERNEL_FEATURE",
      "Cannot attach " + feature + " to " + where + ": " + error_text(error) + " (kernel " + kernel_release() + ")",
      {feature, "Run as root on Linux 6.1 or newer; a program attached there without BPF_F_ALLOW_MULTI must go first.",
       ""});
}

void pin(bpf_link* link, const std::string& path, const std::string& feature) {
  const int error = -bpf_link__pin(link, path.c_str());
  if (error != 0) throw system_failure("pin " + path, error, feature);
}

}  // namespace

std::string short_name(const bpf_program* program) {
  const std::string name = bpf_program__name(program);
  return name.substr(std::strlen("sallyport_"));
}

Fd open_cgroup(int cgroup_root, uint64_t cgroup_id) {
  alignas(file_handle) char bytes[sizeof(file_handle) + sizeof cgroup_id] = {};
  auto* handle = reinterpret_cast<file_handle*>(bytes);
  handle->handle_bytes = sizeof cgroup_id;
  handle->handle_type = kKernfsHandle;
  std::memcpy(handle->f_handle, &cgroup_id, sizeof cgroup_id);
  Fd cgroup(open_by_handle_at(cgroup_root, handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup && errno != ESTALE && errno != ENOENT)
    throw system_failure("open cgroup " + std::to_string(cgroup_id), errno, "cgroup2");
  return cgroup;
}

Links::Links(std::string pin_dir, int cgroup_root) : pin_dir_(std::move(pin_dir)), cgroup_root_(cgroup_root) {}

void Links::attach(bpf_program* program, const std::string& name) {
  if (bpf_program__type(program) == BPF_PROG_TYPE_RAW_TRACEPOINT)
    attach_tracepoint(program, link_path(name));
  else
    attach_at_root(program, link_path(name));
}

void Links::attach_at_root(bpf_program* program, const std::string& path) {
  const std::string feature = bpf_program__section_name(program);
  if (const Link pinned{bpf_link__open(path.c_str())}) {
    const int error = -bpf_link__update_program(pinned.get(), program);
    if (error == 0) return;
    throw system_failure("swap the program of " + path, error, feature);
  }
  const Link link(bpf_program__attach_cgroup(program, cgroup_root_));
  if (!link) throw cannot_attach(feature, "the cgroup root", errno);
  pin(link.get(), path, feature);
}

// Such links cannot be given another program: the new one comes before the old one goes.
void Links::attach_tracepoint(bpf_program* program, const std::string& path) {
  const std::string feature = bpf_program__section_name(program);
  const std::string next = path + "-next";
  unlink(next.c_str());  // of a start that did not come to its end
  const Link link(bpf_program__attach(program));
  if (!link) throw cannot_attach(feature, "its tracepoint", errno);
  pin(link.get(), next, feature);
  if (access(path.c_str(), F_OK) == 0 && unlink(path.c_str()) != 0)
    throw system_failure("unpin " + path, errno, feature);
  if (rename(next.c_str(), path.c_str()) != 0) throw system_failure("rename " + next, errno, feature);
}

void Links::drop(const std::string& name) {
  unlink(link_path(name).c_str());
}

void Links::drop_all_but(const std::set<std::string>& names) {
  for (const std::string& name : entries_of(pin_dir_ + "/links"))
    if (names.count(name) == 0) drop(name);
}

bool Links::attach_filter(bpf_program* program, int cgroup_fd, uint64_t cgroup_id) {
  const std::string name = short_name(program);
  if (has_filter(name, cgroup_id)) return true;
  const std::string feature = bpf_program__section_name(program);
  const Link link(bpf_program__attach_cgroup(program, cgroup_fd));
  if (!link) {
    if (errno == ENODEV || errno == ENOENT) return false;
    throw system_failure("attach the filter " + name + " to cgroup " + std::to_string(cgroup_id), errno, feature);
  }
  pin(link.get(), filter_path(name, cgroup_id), feature);
  return true;
}

bool Links::swap_filter(bpf_program* program, uint64_t cgroup_id) {
  const std::string path = filter_path(short_name(program), cgroup_id);
  const std::string feature = bpf_program__section_name(program);
  const Link link(bpf_link__open(path.c_str()));
  if (!link) throw system_failure("open " + path, errno, feature);
  const int error = -bpf_link__update_program(link.get(), program);
  if (error != 0 && error != ENOLINK) throw system_failure("swap the program of " + path, error, feature);
  return error == 0;
}

bool Links::has_filter(const std::string& name, uint64_t cgroup_id) const {
  return access(filter_path(name, cgroup_id).c_str(), F_OK) == 0;
}

void Links::drop_filter(const std::string& name, uint64_t cgroup_id) {
  unlink(filter_path(name, cgroup_id).c_str());
}

std::set<uint64_t> Links::filtered(const std::string& name) const {
  std::set<uint64_t> all;
  for (const std::string& id : entries_of(pin_dir_ + "/" + name)) all.insert(std::strtoull(id.c_str(), nullptr, 10));
  return all;
}

}  // namespace sallyport
