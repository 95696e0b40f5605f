// SPDX-License-Identifier: Apache-2.0
/*
 * sallyport-hook: an OCI hook (createRuntime or prestart). The container's namespaces and cgroup exist, its first
 * program does not run yet; what it exits with decides whether it ever will. Called sallyport-runc, it stands for
 * runc instead (runc.c), for Docker, which has no hooks.
 */
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "runc.h"

int main(int argc, char** argv) {
  static char state[STATE_BYTES_MAX];
  struct Settings settings;
  char why[MESSAGE_BYTES_MAX] = "";
  if (argc > 0 && strcmp(basename(argv[0]), "sallyport-runc") == 0) return stand_for_runc(argc, argv);
  long bytes = read_all(STDIN_FILENO, state, sizeof state);
  if (bytes <= 0) snprintf(why, sizeof why, "Cannot read the container's state");
  if (bytes > 0 && read_settings(&settings, why, sizeof why) &&
      may_start(&settings, state, (size_t)bytes, why, sizeof why))
    return 0;
  fprintf(stderr, "sallyport: %s\n", why);
  return 1;
}
