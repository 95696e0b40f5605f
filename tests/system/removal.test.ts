/** `down` keeps agents guarded; `down --remove` leaves nothing: no program, map, link, pin, cgroup, file or port. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeCgroup } from "../kit/cgroup.ts";
import { capture } from "../kit/daemon.ts";
import { OPEN, SteeredAgent, startWorld, type World } from "./world.ts";
