// SPDX-License-Identifier: Apache-2.0
// relay-fuzz [--messages N] [--seed N] [--from N] [--episode N] [--planted N]: mutated messages through the relay of
// native/src, built with sanitizers by build.ts. Ends after so many, or at the first fault (exit code 1), whose line
// tells how to see it again. --from: the episode to go on with. --episode: that one alone, step by step. --planted:
// with a fault of planted.ts. Last line on stdout: counts as JSON.
#include <sanitizer/common_interface_defs.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "episode.h"

namespace sallyport {
int planted = 0;
}

namespace {

uint64_t seed = 20'261'129;
uint64_t episode = 0;
constexpr unsigned kHangS = 30;

void tell_where() {
  char line[128];
  const int length = snprintf(line, sizeof line, "FAULT again by: --seed %llu --episode %llu\n",
                              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(episode));
  (void)!__real_write(STDERR_FILENO, line, static_cast<size_t>(length));
}

void hangs(int) {
  tell_where();
  constexpr char line[] = "FAULT an episode does not end\n";
  (void)!__real_write(STDERR_FILENO, line, sizeof line - 1);
  _exit(1);
}

long resident_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

void print(const std::map<std::string, uint64_t>& counts) {
  const char* comma = "";
  for (const auto& [name, count] : counts) {
    printf("%s\"%s\":%llu", comma, name.c_str(), static_cast<unsigned long long>(count));
    comma = ",";
  }
}

uint64_t number_after(int argc, char** argv, const char* name, uint64_t otherwise) {
  for (int at = 1; at + 1 < argc; at++)
    if (strcmp(argv[at], name) == 0) return strtoull(argv[at + 1], nullptr, 10);
  return otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t messages = number_after(argc, argv, "--messages", 10'000'000);
  const uint64_t only = number_after(argc, argv, "--episode", ~0ull);
  seed = number_after(argc, argv, "--seed", seed);
  sallyport::planted = static_cast<int>(number_after(argc, argv, "--planted", 0));
  __sanitizer_set_death_callback(tell_where);
  signal(SIGALRM, hangs);
  fuzz::Tally tally;
  long first_kib = 0;
  for (episode = only == ~0ull ? number_after(argc, argv, "--from", 0) : only;
       tally.mutated() < messages && tally.first_fault.empty(); episode++) {
    if (episode % 128 == 0 || only != ~0ull) alarm(kHangS);
    fuzz::Episode(tally, fuzz::mixed(seed) + episode, only != ~0ull).run();
    if (first_kib == 0 && tally.mutated() >= messages / 10) first_kib = resident_kib();
    if (only != ~0ull) break;
  }
  if (!tally.first_fault.empty()) {
    if (only == ~0ull) episode--;
    tell_where();
    fprintf(stderr, "FAULT %s\n", tally.first_fault.c_str());
  }
  const uint64_t counts[] = {tally.mutated(),
                             tally.from_client,
                             tally.from_server,
                             tally.regular,
                             tally.episodes,
                             tally.flows,
                             tally.groups,
                             tally.answers,
                             tally.bytes,
                             tally.vouched,
                             tally.decided,
                             tally.turns,
                             static_cast<uint64_t>(first_kib),
                             static_cast<uint64_t>(resident_kib())};
  const char* names[] = {"mutated", "fromClient", "fromServer", "regular", "episodes", "flows",    "groups",
                         "answers", "bytes",      "vouched",    "decided", "turns",    "firstKib", "lastKib"};
  printf("{");
  for (size_t at = 0; at < std::size(names); at++)
    printf("\"%s\":%llu,", names[at], static_cast<unsigned long long>(counts[at]));
  printf("\"byChange\":{");
  print(tally.by_change);
  printf("},\"byWhy\":{");
  print(tally.by_why);
  printf("}}\n");
  return tally.first_fault.empty() ? 0 : 1;
}
