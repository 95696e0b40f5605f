import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ContainerFacts } from "../../src/containers/container.ts";
import { birthsOf, globMatches, matchCgroup, matchContainer } from "../../src/identity/matchers.ts";
import type { Matcher } from "../../src/model/matcher.ts";

const uidOf = (name: string) => ({ alice: 1000 })[name];
const only = (...match: readonly Matcher[]) => [{ name: "ci", match }];
const container = (parts: Partial<Extract<Matcher, { kind: "container" }>>): Matcher => ({
  ...{ kind: "container", name: undefined, image: undefined, labels: {} },
  ...parts,
});
const FACTS: ContainerFacts = {
  ...{ id: "a".repeat(64), runtime: "podman", name: "web-1", image: "docker.io/library/postgres:16" },
  labels: { team: "ci", "io.x/y": "", path: "a/b" },
};

const cgroups: readonly { readonly matcher: Matcher; readonly path: string; readonly fits: boolean }[] = [
  { matcher: { kind: "unit", glob: "runner.*.service" }, path: "/system.slice/runner.1.service", fits: true },
  { matcher: { kind: "unit", glob: "runner.service" }, path: "/a.slice/a-b.slice/runner.service", fits: true },
  { matcher: { kind: "unit", glob: "runner.service" }, path: "/runner.service", fits: true },
  { matcher: { kind: "unit", glob: "runner.service" }, path: "/system.slice/runner.service/inner", fits: false },
  { matcher: { kind: "unit", glob: "runner.service" }, path: "/system.slice/a.service/runner.service", fits: false },
  { matcher: { kind: "unit", glob: "runner.service" }, path: "/folder/runner.service", fits: false },
  {
    matcher: { kind: "unit", glob: "runner.service" },
    path: "/user.slice/user-1000.slice/user@1000.service/app.slice/runner.service",
    fits: false,
  },
  { matcher: { kind: "unit", glob: "runner.service" }, path: "/user.slice/runner.service", fits: false },
  { matcher: { kind: "unit", glob: "user.slice" }, path: "/user.slice", fits: false },
  { matcher: { kind: "cgroup", glob: "/jobs/*" }, path: "/jobs/1", fits: true },
  { matcher: { kind: "cgroup", glob: "/jobs/*" }, path: "/jobs/1/2", fits: false },
  { matcher: { kind: "cgroup", glob: "/jobs" }, path: "/jobs2", fits: false },
  { matcher: { kind: "user", name: "alice" }, path: "/user.slice/user-1000.slice", fits: true },
  { matcher: { kind: "user", name: "1001" }, path: "/user.slice/user-1001.slice", fits: true },
  { matcher: { kind: "user", name: "alice" }, path: "/user.slice/user-1001.slice", fits: false },
  { matcher: { kind: "user", name: "nobody-here" }, path: "/user.slice/user-undefined.slice", fits: false },
  { matcher: container({ name: "*" }), path: "/docker/web", fits: false },
];
for (const { matcher, path, fits } of cgroups) {
  test(`${JSON.stringify(matcher)} ${fits ? "makes" : "does not make"} ${path} an agent`, () => {
    assert.equal(matchCgroup(only(matcher), path, uidOf)?.agent, fits ? "ci" : undefined);
  });
}

const containers: readonly { readonly matcher: Matcher; readonly fits: boolean }[] = [
  { matcher: container({ name: "web-1" }), fits: true },
  { matcher: container({ name: "web-*" }), fits: true },
  { matcher: container({ name: "web" }), fits: false },
  { matcher: container({ image: "postgres" }), fits: true },
  { matcher: container({ image: "postgres:16" }), fits: true },
  { matcher: container({ image: "docker.io/library/*" }), fits: true },
  { matcher: container({ image: "docker.io/*" }), fits: false },
  { matcher: container({ image: "library/postgres" }), fits: false },
  { matcher: container({ labels: { team: "ci" } }), fits: true },
  { matcher: container({ labels: { team: "c*" } }), fits: true },
  { matcher: container({ labels: { team: "*", "io.x/y": "*" } }), fits: true },
  { matcher: container({ labels: { path: "*" } }), fits: true },
  { matcher: container({ labels: { team: "cd" } }), fits: false },
  { matcher: container({ labels: { other: "*" } }), fits: false },
  { matcher: container({ labels: { constructor: "*" } }), fits: false },
  { matcher: container({ name: "web-1", image: "redis" }), fits: false },
  { matcher: container({ name: "web-1", image: "postgres", labels: { team: "ci" } }), fits: true },
  { matcher: { kind: "unit", glob: "*" }, fits: false },
];
for (const { matcher, fits } of containers) {
  test(`${JSON.stringify(matcher)} ${fits ? "makes" : "does not make"} the container an agent`, () => {
    const facts = { ...FACTS, labels: Object.assign(Object.create(null), FACTS.labels) };
    assert.equal(matchContainer(only(matcher), facts)?.agent, fits ? "ci" : undefined);
  });
}

test("the first agent that matches wins, and says by what", () => {
  const labels = { team: "ci" };
  const agents = [
    { name: "first", match: [container({ name: "db" }), container({ image: "postgres", labels })] },
    { name: "second", match: [container({ name: "web-1" })] },
  ];
  assert.deepEqual(matchContainer(agents, FACTS), {
    agent: "first",
    matcher: "container image=postgres label team=ci",
  });
});

test("the kernel gets rules for units, paths and users that exist, in the order of the settings", () => {
  const agents = [
    { name: "b", match: [{ kind: "unit", glob: "x.service" }, container({ name: "y" })] },
    {
      name: "a",
      match: [
        { kind: "user", name: "alice" },
        { kind: "user", name: "nobody-here" },
      ],
    },
    { name: "c", match: [{ kind: "cgroup", glob: "/jobs/*" }] },
  ] as const;
  assert.deepEqual(
    birthsOf(agents, (name) => name.charCodeAt(0), uidOf),
    [
      { kind: "unit", glob: "x.service", agent: 98 },
      { kind: "path", glob: "/user.slice/user-1000.slice", agent: 97 },
      { kind: "path", glob: "/jobs/*", agent: 99 },
    ],
  );
});

test("a glob matches what the same regular expression does", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "/", "*", "."), maxLength: 12 });
  fc.assert(
    fc.property(letters, letters, (glob, text) => {
      const expression = new RegExp(`^${glob.replaceAll(".", "\\.").replace(/\*+/g, "[^/]*")}$`);
      assert.equal(globMatches(glob, text), expression.test(text));
    }),
    { numRuns: 5_000 },
  );
});

test("a glob of many stars is decided at once", () => {
  const startedMs = performance.now();
  assert.equal(globMatches("*a".repeat(60), "a".repeat(50_000)), true);
  assert.equal(globMatches(`${"*a".repeat(60)}b`, "a".repeat(50_000)), false);
  assert.ok(performance.now() - startedMs < 5_000);
});
