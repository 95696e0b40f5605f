/**
 * What makes a cgroup an agent without anybody's command; from `agents[].match` in the settings. Globs: `*` is any run
 * of characters but "/", the rest stands for itself.
 */
export type Matcher =
  /** A unit of the system's service manager, by its full name: "actions.runner.*.service". */
  | { readonly kind: "unit"; readonly glob: string }
  /** A cgroup v2 path from the root of the tree: "/jobs/*". */
  | { readonly kind: "cgroup"; readonly glob: string }
  /** Everything in a user's slice, whoever logs in or lingers there. */
  | { readonly kind: "user"; readonly name: string }
  /** All that are given must match. A label's value is a glob; an image is compared with its full and its short name. */
  | {
      readonly kind: "container";
      readonly name: string | undefined;
      readonly image: string | undefined;
      readonly labels: Readonly<Record<string, string>>;
    };
