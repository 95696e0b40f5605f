// SPDX-License-Identifier: Apache-2.0
#include "objects.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>

#include "failure.h"
#include "handles.h"

namespace sallyport {

namespace {

// enum bpf_attach_type of Linux 6.7; the headers and libbpf of Debian 12 do not know them yet.
constexpr auto kConnectUnix = static_cast<bpf_attach_type>(49);
constexpr auto kSendmsgUnix = static_cast<bpf_attach_type>(50);

void set_hook(bpf_program* program, bpf_attach_type type) {
  bpf_program__set_type(program, BPF_PROG_TYPE_CGROUP_SOCK_ADDR);
  bpf_program__set_expected_attach_type(program, type);
}

// maps.h declares all maps for both objects.
constexpr const char* kMapsOfDoors[] = {"tags",  "quarantined",      "observed", "counters",
                                        "doors", "mount_namespaces", "events"};

bool is_of_doors(const bpf_map* map) {
  if (bpf_map__is_internal(map)) return true;
  for (const char* name : kMapsOfDoors)
    if (std::strcmp(bpf_map__name(map), name) == 0) return true;
  return false;
}

}  // namespace

Skeleton open_programs() {
  Skeleton skeleton(sallyport_bpf__open());
  if (!skeleton) throw system_failure("open the BPF object", errno);
  return skeleton;
}

DoorsSkeleton open_doors() {
  DoorsSkeleton skeleton(doors_bpf__open());
  if (!skeleton) throw system_failure("open the BPF object of Unix sockets", errno);
  set_hook(skeleton->progs.sallyport_connect_unix, kConnectUnix);
  set_hook(skeleton->progs.sallyport_sendmsg_unix, kSendmsgUnix);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton->obj)
      bpf_map__set_autocreate(map, is_of_doors(map));
  return skeleton;
}

bool kernel_has_doors() {
  const bpf_insn answer_one[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 1},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = kConnectUnix);
  for (;;) {
    const Fd program(
        bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "probe", "GPL", answer_one, std::size(answer_one), &options));
    if (program) return true;
    if (errno == EINVAL) return false;  // an attach type that the kernel does not know
    if (errno != EAGAIN && errno != EINTR) throw system_failure("probe cgroup/connect_unix", errno, "cgroup/connect_unix");
  }
}

}  // namespace sallyport
