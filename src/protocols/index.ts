/** Every protocol that Sallyport speaks. Nothing else in the tree names one. */
import type { Protocol } from "../model/protocol.ts";
import { opaque } from "./opaque/index.ts";
import { postgres } from "./postgres/index.ts";

export const protocols: readonly Protocol[] = [postgres, opaque];
