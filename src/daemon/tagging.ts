/**
 * Joins what makes agents without a command: the settings' matchers, births told by the kernel, calls of container
 * runtimes' hooks, and the watch for runtimes without a hook.
 */
import { existsSync } from "node:fs";
import { type Log, Warnings } from "../base/log.ts";
import type { ContainerPlace } from "../containers/container.ts";
import type { Containers } from "../containers/containers.ts";
import { hooksStatus, LIBRARY } from "../containers/installation.ts";
import type { OciState } from "../containers/oci.ts";
import { ContainerWatch } from "../containers/watch.ts";
import type { Agents } from "../identity/agents.ts";
import { AutomaticTags } from "../identity/automatic.ts";
import { hasContainerMatchers, type Matching } from "../identity/matchers.ts";
import type { Interception } from "../kernel/interception.ts";
import { foundOf, leaveUndecided } from "./hooks.ts";

/**
 * When the namespace of a new container is looked for: its first process moves into it some milliseconds after the
 * cgroup was made, and some runtimes give it a network only then.
 */
const LOOK_AFTER_MS = [0, 5, 15, 40, 100, 250, 600] as const;

/** For events that the kernel dropped, and for containers whose state could not be read. */
const LOOK_EVERY_MS = 1_000;

export class Tagging {
  readonly #automatic: AutomaticTags;
  readonly #interception: Interception;
  readonly #stateDir: string;
  readonly #log: Log;
  readonly #warnings: Warnings;
  readonly #timers = new Set<NodeJS.Timeout>();
  #settings: readonly Matching[] = [];
  #watch: ContainerWatch | undefined;
  #looking: NodeJS.Timeout | undefined;

  constructor(parts: {
    readonly agents: Agents;
    readonly interception: Interception;
    readonly containers: Containers;
    readonly stateDir: string;
    readonly log: Log;
  }) {
    this.#automatic = new AutomaticTags(parts);
    this.#interception = parts.interception;
    this.#stateDir = parts.stateDir;
    this.#log = parts.log;
    this.#warnings = new Warnings(parts.log);
  }

  /** Puts the settings' matchers into force, for what is there and for what comes, daemon or not. */
  async apply(settings: readonly Matching[]): Promise<void> {
    this.#settings = settings;
    this.#warnWithoutSystemd();
    leaveUndecided(this.#stateDir, this.#interception.cgroupRoot, settings);
    await this.#automatic.apply(settings);
    if (!hasContainerMatchers(settings)) {
      this.close();
      return;
    }
    this.#watch ??= new ContainerWatch(this.#interception.cgroupRoot, (place) => this.#noticed(place));
    this.#looking ??= setInterval(() => this.#watch?.look(), LOOK_EVERY_MS).unref();
    this.#warnWithoutHook();
  }

  /** The kernel tagged something that was born. */
  born(): void {
    this.#automatic
      .reconcile()
      .catch((error: unknown) => this.#warnings.tell("Cannot complete what was born tagged", error));
  }

  /**
   * A runtime's hook asks about a container whose program does not run yet. Throws CONTAINER_GONE, CONTAINER_CGROUP (of an agent),
   * CONTAINER_STATE and what tagging throws: then it must not start.
   */
  async takeHookCall(state: OciState): Promise<{ readonly agent?: string }> {
    if (!hasContainerMatchers(this.#settings)) return {};
    const found = foundOf(state, this.#interception.cgroupRoot);
    const tag = await this.#automatic.takeContainer(found, state.pid);
    if (tag === undefined) return {};
    this.#lookForNamespace(tag.cgroup);
    return { agent: tag.agent };
  }

  close(): void {
    this.#watch?.close();
    this.#watch = undefined;
    clearInterval(this.#looking);
    this.#looking = undefined;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #noticed(place: ContainerPlace): void {
    this.#automatic.takeContainer({ place }).then(
      (tag) => tag !== undefined && this.#lookForNamespace(tag.cgroup),
      (error: unknown) => {
        this.#watch?.forget(place); // the next look tries again
        this.#warnings.tell(`Cannot tell whether container ${place.id.slice(0, 12)} is an agent`, error);
      },
    );
  }

  #lookForNamespace(cgroup: string): void {
    for (const ms of LOOK_AFTER_MS) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#interception.prepareCgroup(cgroup);
      }, ms);
      this.#timers.add(timer);
    }
  }

  #warnWithoutHook(): void {
    for (const { runtime, present, installed, problem } of hooksStatus({ library: LIBRARY })) {
      if (!present || (installed && problem === "")) continue;
      const why = installed ? problem : "its containers run unguarded for some milliseconds before they are noticed";
      this.#log.warn(`The hook in ${runtime} is missing: ${why}`, { remedy: "sudo sallyport hooks install" });
    }
  }

  #warnWithoutSystemd(): void {
    const kinds = new Set(this.#settings.flatMap(({ match }) => match.map(({ kind }) => kind)));
    if ((!kinds.has("unit") && !kinds.has("user")) || existsSync("/run/systemd/system")) return;
    const remedy = "Match by cgroup, or start agents with `sallyport run`";
    this.#log.warn("Matchers of units and users find what systemd makes, and this host runs without it", { remedy });
  }
}
