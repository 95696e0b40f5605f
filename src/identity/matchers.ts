/**
 * Whether the settings make a cgroup or a container an agent by itself: matchers against paths and facts. The same
 * rules as the kernel's for cgroups that are born (native/index.d.ts, Birth). Looks nothing up; tags nothing.
 */
import type { Birth } from "ebpf-loader";
import { type ContainerFacts, imageNames } from "../containers/container.ts";
import type { Matcher } from "../model/matcher.ts";

/** The part of an agent's settings that is needed here. The first agent that matches wins. */
export interface Matching {
  readonly name: string;
  readonly match: readonly Matcher[];
}

export interface Matched {
  readonly agent: string;
  /** As a person reads it. */
  readonly matcher: string;
}

/** A user's number by name; undefined where there is no such user. */
export type UidOf = (name: string) => number | undefined;

export function matchCgroup(agents: readonly Matching[], path: string, uidOf: UidOf): Matched | undefined {
  return firstOf(agents, (matcher) => {
    switch (matcher.kind) {
      case "unit":
        return isSystemUnit(path) && globMatches(matcher.glob, path.slice(path.lastIndexOf("/") + 1));
      case "cgroup":
        return globMatches(matcher.glob, path);
      case "user":
        return path === userSlice(matcher.name, uidOf);
      case "container":
        return false;
    }
  });
}

export function matchContainer(agents: readonly Matching[], facts: ContainerFacts): Matched | undefined {
  return firstOf(agents, (matcher) => {
    if (matcher.kind !== "container") return false;
    const { name, image, labels } = matcher;
    return (
      (name === undefined || globMatches(name, facts.name)) &&
      (image === undefined || imageNames(facts.image).some((text) => globMatches(image, text))) &&
      Object.entries(labels).every(([key, glob]) => labelMatches(glob, facts.labels[key]))
    );
  });
}

export function hasContainerMatchers(agents: readonly Matching[]): boolean {
  return agents.some(({ match }) => match.some(({ kind }) => kind === "container"));
}

/** What the kernel is to tag by itself, in the order of the settings. A user that does not exist yet gives no rule. */
export function birthsOf(
  agents: readonly Matching[],
  slotOf: (agent: string) => number,
  uidOf: UidOf,
): readonly Birth[] {
  const births: Birth[] = [];
  for (const { name, match } of agents) {
    for (const matcher of match) {
      if (matcher.kind === "unit") births.push({ kind: "unit", glob: matcher.glob, agent: slotOf(name) });
      if (matcher.kind === "cgroup") births.push({ kind: "path", glob: matcher.glob, agent: slotOf(name) });
      const slice = matcher.kind === "user" ? userSlice(matcher.name, uidOf) : undefined;
      if (slice !== undefined) births.push({ kind: "path", glob: slice, agent: slotOf(name) });
    }
  }
  return births;
}

/** Source: systemd's pam_systemd(8) and user@.service(5). */
function userSlice(name: string, uidOf: UidOf): string | undefined {
  const uid = /^[0-9]+$/.test(name) ? Number(name) : uidOf(name);
  return uid === undefined ? undefined : `/user.slice/user-${uid}.slice`;
}

/** "unit actions.runner.*.service", "container name=web label team=ci" */
export function describeMatcher(matcher: Matcher): string {
  switch (matcher.kind) {
    case "unit":
    case "cgroup":
      return `${matcher.kind} ${matcher.glob}`;
    case "user":
      return `user ${matcher.name}`;
    case "container": {
      const { name, image, labels } = matcher;
      const parts = [
        ...(name === undefined ? [] : [`name=${name}`]),
        ...(image === undefined ? [] : [`image=${image}`]),
        ...Object.entries(labels).map(([key, glob]) => `label ${key}=${glob}`),
      ];
      return `container ${parts.join(" ")}`;
    }
  }
}

/** `*` is any run of characters but "/". Linear in text times stars, whatever the glob. */
export function globMatches(glob: string, text: string): boolean {
  let [at, from] = [0, 0];
  let star = -1;
  let restart = 0;
  while (from < text.length) {
    if (glob[at] === "*") {
      star = at++;
      restart = from;
    } else if (at < glob.length && glob[at] === text[from]) {
      at++;
      from++;
    } else if (star >= 0 && text[restart] !== "/") {
      at = star + 1;
      from = ++restart;
    } else {
      return false;
    }
  }
  while (glob[at] === "*") at++;
  return at === glob.length;
}

/** Only the system's service manager makes such: below user.slice every user's own manager gives names as it likes. */
function isSystemUnit(path: string): boolean {
  const above = path.split("/").slice(1, -1);
  return above[0] !== "user.slice" && path !== "/user.slice" && above.every((part) => part.endsWith(".slice"));
}

/** "*" alone is any value, also one with "/" in it: the label has to be there. */
function labelMatches(glob: string, value: string | undefined): boolean {
  return value !== undefined && (glob === "*" || globMatches(glob, value));
}

function firstOf(agents: readonly Matching[], fits: (matcher: Matcher) => boolean): Matched | undefined {
  for (const { name, match } of agents) {
    const matcher = match.find(fits);
    if (matcher !== undefined) return { agent: name, matcher: describeMatcher(matcher) };
  }
  return undefined;
}
