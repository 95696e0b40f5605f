// SPDX-License-Identifier: Apache-2.0
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include "failure.h"

namespace sallyport {

namespace {

constexpr uint8_t kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

sallyport_address mapped(const void* ipv4) {
  sallyport_address address{};
  std::memcpy(address.bytes, kMappedPrefix, sizeof kMappedPrefix);
  std::memcpy(address.bytes + sizeof kMappedPrefix, ipv4, 4);
  return address;
}

}  // namespace

bool is_ipv4(const sallyport_address& address) {
  return std::memcmp(address.bytes, kMappedPrefix, sizeof kMappedPrefix) == 0;
}

sallyport_address address_from_text(const std::string& text) {
  in_addr four{};
  if (inet_pton(AF_INET, text.c_str(), &four) == 1) return mapped(&four);
  sallyport_address six{};
  if (inet_pton(AF_INET6, text.c_str(), six.bytes) == 1) return six;
  throw Failure("SYSTEM", "Cannot read address: " + text + " is neither IPv4 nor IPv6",
                {"", "Give an address, not a name.", ""});
}

std::string address_to_text(const sallyport_address& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (is_ipv4(address))
    inet_ntop(AF_INET, address.bytes + sizeof kMappedPrefix, text, sizeof text);
  else
    inet_ntop(AF_INET6, address.bytes, text, sizeof text);
  return text;
}

sallyport_address address_from_ipv4(uint32_t ipv4_be) {
  return mapped(&ipv4_be);
}

Endpoint endpoint_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& four = reinterpret_cast<const sockaddr_in&>(address);
    return {mapped(&four.sin_addr), ntohs(four.sin_port)};
  }
  const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
  Endpoint endpoint{{}, ntohs(six.sin6_port)};
  std::memcpy(endpoint.address.bytes, &six.sin6_addr, sizeof six.sin6_addr);
  return endpoint;
}

}  // namespace sallyport
