// SPDX-License-Identifier: Apache-2.0
// Reads and writes of BPF maps that fail with the map's name.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "failure.h"

namespace sallyport {

// Twice the largest map: a walk starts over when its key is deleted meanwhile, but must end.
constexpr size_t kKeysMax = 131072;

template <typename Key>
std::vector<Key> keys_of(const bpf_map* map) {
  std::vector<Key> keys;
  Key key{};
  const Key* previous = nullptr;
  while (keys.size() < kKeysMax && bpf_map_get_next_key(bpf_map__fd(map), previous, &key) == 0) {
    keys.push_back(key);
    previous = &keys.back();
  }
  return keys;
}

template <typename Key, typename Value>
std::map<Key, Value> entries_in(const bpf_map* map) {
  std::map<Key, Value> all;
  for (const Key& key : keys_of<Key>(map)) {
    Value value{};
    if (bpf_map_lookup_elem(bpf_map__fd(map), &key, &value) == 0) all[key] = value;
  }
  return all;
}

template <typename Key, typename Value>
void update(const bpf_map* map, const Key& key, const Value& value) {
  if (bpf_map_update_elem(bpf_map__fd(map), &key, &value, BPF_ANY) != 0)
    throw system_failure(std::string("write map ") + bpf_map__name(map), errno,
                         std::string("map ") + bpf_map__name(map));
}

template <typename Key>
bool contains(const bpf_map* map, const Key& key) {
  std::vector<char> value(bpf_map__value_size(map));
  return bpf_map_lookup_elem(bpf_map__fd(map), &key, value.data()) == 0;
}

template <typename Key>
bool erase(const bpf_map* map, const Key& key) {
  return bpf_map_delete_elem(bpf_map__fd(map), &key) == 0;
}

}  // namespace sallyport
