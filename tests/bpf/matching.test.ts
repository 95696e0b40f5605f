/** Globs over cgroup paths (bpf/glob.h) and paths of Unix sockets (bpf/paths.h), run by the kernel itself. */
import assert from "node:assert/strict";
import { table } from "./rows.ts";

table(
  [
    { name: "a glob without a star is the text", glob: "/a/b", path: "/a/b", matches: true },
    { name: "a glob is no prefix", glob: "/a", path: "/a/b", matches: false },
    { name: "a glob is no suffix", glob: "b", path: "/a/b", matches: false },
    { name: "a star stands for nothing", glob: "/a*", path: "/a", matches: true },
    { name: "a star stands for a run", glob: "/a*c", path: "/abbc", matches: true },
    { name: "a star goes on when the rest comes twice", glob: "/*ab", path: "/abab", matches: true },
    { name: "a star does not cross a slash", glob: "/a*", path: "/a/b", matches: false },
    { name: "a star does not cross a slash to find the rest", glob: "/*b", path: "/a/b", matches: false },
    { name: "one star per part", glob: "/*/*", path: "/a/b", matches: true },
    { name: "as many parts as the glob", glob: "/*/*", path: "/a/b/c", matches: false },
    { name: "two stars in a part", glob: "/*.x*.service", path: "/a.b.x.c.service", matches: true },
    { name: "two stars in a part that miss", glob: "/*.x*.service", path: "/a.b.c.service", matches: false },
    { name: "a star in the text is a letter", glob: "/a", path: "/*", matches: false },
    { name: "dots and brackets are letters", glob: "/a.[b]", path: "/axb", matches: false },
    { name: "the empty glob matches nothing but the empty text", glob: "", path: "/", matches: false },
    {
      name: "a name made to exhaust the steps counts as matched",
      glob: `/*${"a".repeat(120)}b`,
      path: `/${"a".repeat(254)}`,
      matches: true,
    },
  ].map((row) => ({ question: "glob" as const, ...row })),
  (row, answer) => assert.equal(answer.answer, row.matches),
);

table(
  [
    { name: "a unit in system.slice", path: "/system.slice/ci.service", matches: true },
    { name: "a unit at the root", path: "/ci.service", matches: true },
    { name: "a unit in slices of slices", path: "/a.slice/a-b.slice/ci.service", matches: true },
    {
      name: "a unit below a service is somebody's own making",
      path: "/system.slice/x.service/ci.service",
      matches: false,
    },
    {
      name: "a unit in a container is the container's",
      path: "/machine.slice/c.scope/system.slice/ci.service",
      matches: false,
    },
    { name: "a unit of a user is the user's", path: "/user.slice/user-1.slice/ci.service", matches: false },
    { name: "user.slice further down is a name like any", path: "/a.slice/user.slice/ci.service", matches: true },
    { name: "superuser.slice is not user.slice", path: "/superuser.slice/ci.service", matches: true },
    { name: "a folder that only ends like a slice's name", path: "/slice/ci.service", matches: false },
    { name: "another unit", path: "/system.slice/cd.service", matches: false },
    { name: "the glob is for the last part alone", path: "/ci.slice/other.service", matches: false },
  ].map((row) => ({ question: "unit" as const, glob: "ci*", ...row })),
  (row, answer) => assert.equal(answer.answer, row.matches),
);

table(
  [
    { name: "a path without a part .. does not climb", path: "/run/a/b", climbs: false },
    { name: "a part .. climbs", path: "/run/../b", climbs: true },
    { name: "a part .. at the end climbs", path: "/run/a/..", climbs: true },
    { name: "a part .. at the start climbs", path: "/../b", climbs: true },
    { name: "three dots are a name", path: "/run/.../b", climbs: false },
    { name: "two dots in a name are a name", path: "/run/a..b/..c", climbs: false },
    { name: "a part . does not climb", path: "/run/./b", climbs: false },
    { name: "the last bytes are looked at", path: `/${"x".repeat(104)}/..`, climbs: true },
  ].map((row) => ({ question: "climbs" as const, ...row })),
  (row, answer) => assert.equal(answer.answer, row.climbs),
);
