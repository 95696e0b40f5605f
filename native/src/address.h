// SPDX-License-Identifier: Apache-2.0
// Addresses between text, sockaddr and the 16 bytes of shared.h (IPv4 as ::ffff:a.b.c.d).
#pragma once

#include <linux/types.h>
#include <sys/socket.h>

#include <string>

#include "../../bpf/shared.h"

namespace sallyport {

struct Endpoint {
  sallyport_address address;
  uint16_t port;
};

bool is_ipv4(const sallyport_address& address);
// Throws Failure for what is not an address. ::ffff:a.b.c.d is IPv4.
sallyport_address address_from_text(const std::string& text);
std::string address_to_text(const sallyport_address& address);
Endpoint endpoint_of(const sockaddr_storage& address);
// `ipv4_be`: as in the header of a packet.
sallyport_address address_from_ipv4(uint32_t ipv4_be);

}  // namespace sallyport
