// SPDX-License-Identifier: Apache-2.0
// The two BPF objects: the programs that every supported kernel has, and those of Unix sockets.
// Opens, never loads.
#pragma once

#include <memory>

#include "doors.skel.h"
#include "sallyport.skel.h"

namespace sallyport {

struct SkeletonDeleter {
  void operator()(sallyport_bpf* object) const noexcept { sallyport_bpf__destroy(object); }
  void operator()(doors_bpf* object) const noexcept { doors_bpf__destroy(object); }
};
using Skeleton = std::unique_ptr<sallyport_bpf, SkeletonDeleter>;
using DoorsSkeleton = std::unique_ptr<doors_bpf, SkeletonDeleter>;

// Throw Failure.
Skeleton open_programs();
DoorsSkeleton open_doors();

// May programs read kernel memory, as those of births and doors do? Not under lockdown=confidentiality.
bool kernel_reads_memory();
// Has the kernel the hooks of the second object? They came with Linux 6.7.
bool kernel_has_doors();

}  // namespace sallyport
