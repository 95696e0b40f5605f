/** Every vector by topic, in the order of the table. */
import type { Vector } from "./vector.ts";
import { DESCRIPTORS } from "./vectors/descriptors.ts";
import { GUARD, KERNEL } from "./vectors/kernel.ts";
import { KINDS } from "./vectors/kinds.ts";
import { NAMES } from "./vectors/names.ts";
import { RELAYS } from "./vectors/relays.ts";
import { CGROUPS, NAMESPACES } from "./vectors/spaces.ts";
import { TCP } from "./vectors/tcp.ts";
import { UDP } from "./vectors/udp.ts";
import { UNIX } from "./vectors/unix.ts";

export const TOPICS: readonly { readonly title: string; readonly vectors: readonly Vector[] }[] = [
  { title: "TCP", vectors: TCP },
  { title: "UDP", vectors: UDP },
  { title: "Names", vectors: NAMES },
  { title: "Other sockets", vectors: KINDS },
  { title: "Unix sockets", vectors: UNIX },
  { title: "Namespaces", vectors: NAMESPACES },
  { title: "Cgroups", vectors: CGROUPS },
  { title: "Descriptors and neighbours", vectors: DESCRIPTORS },
  { title: "The guard itself", vectors: GUARD },
  { title: "The kernel under it", vectors: KERNEL },
  { title: "Allowed hosts", vectors: RELAYS },
];
