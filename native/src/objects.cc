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
  bpf_object__for_each_map(map, skeleton->obj) bpf_map__set_autocreate(map, is_of_doors(map));
  return skeleton;
}

namespace {

// EINVAL and EPERM are the kernel's way to say that it has no such hook or helper.
template <size_t N>
bool loads(bpf_prog_type type, const bpf_insn (&code)[N], bpf_attach_type hook, const std::string& feature) {
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = hook);
  for (;;) {
    const Fd program(bpf_prog_load(type, "probe", "GPL", code, N, &options));
    if (program) return true;
    if (errno == EINVAL || errno == EPERM) return false;
    if (errno != EAGAIN && errno != EINTR) throw system_failure("probe " + feature, errno, feature);
  }
}

constexpr bpf_insn kReturnOne[] = {
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 1},
    {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
};

// bpf_probe_read_kernel(stack, 8, 0)
constexpr bpf_insn kReadMemory[] = {
    {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_10, .off = 0, .imm = 0},
    {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_1, .src_reg = 0, .off = 0, .imm = -8},
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .src_reg = 0, .off = 0, .imm = 8},
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .src_reg = 0, .off = 0, .imm = 0},
    {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = BPF_FUNC_probe_read_kernel},
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
    {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
};

constexpr auto kNoHook = static_cast<bpf_attach_type>(0);

}  // namespace

bool kernel_reads_memory() {
  // Without privileges nothing loads; that is said elsewhere, and is no answer to this question.
  if (!loads(BPF_PROG_TYPE_RAW_TRACEPOINT, kReturnOne, kNoHook, "raw_tp/cgroup_mkdir")) return true;
  return loads(BPF_PROG_TYPE_RAW_TRACEPOINT, kReadMemory, kNoHook, "raw_tp/cgroup_mkdir");
}

bool kernel_has_doors() {
  return kernel_reads_memory() &&
         loads(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, kReturnOne, kConnectUnix, "cgroup/connect_unix");
}

}  // namespace sallyport
