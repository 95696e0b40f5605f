/** Opaque TCP asks for one thing only: to connect. */
import type { ActionDeclaration } from "../../model/operation.ts";

export const OPAQUE_ACTIONS: readonly ActionDeclaration[] = [];
