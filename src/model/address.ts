/** Where an agent may dial to. A single IP address is a network of its full width; `port` 0 stands for every port. */
export type Address =
  | { readonly kind: "name"; readonly host: string; readonly port: number }
  /** Every name that ends in "." and `suffix`, at any depth; not `suffix` itself. Its addresses are learned from answers. */
  | { readonly kind: "wildcard"; readonly suffix: string; readonly port: number }
  | {
      readonly kind: "network";
      readonly address: string;
      readonly family: 4 | 6;
      readonly prefix: number;
      readonly port: number;
    }
  /** Every address of both families. */
  | { readonly kind: "any"; readonly port: number };

/** What agents may, or may not, reach without interception. */
export type EgressRule = Address & { readonly protocol: "tcp" | "udp" };
