/** Where an agent may dial to. A single IP address is a network of its full width; `port` 0 stands for every port. */
export type Address =
  | { readonly kind: "name"; readonly host: string; readonly port: number }
  | {
      readonly kind: "network";
      readonly address: string;
      readonly family: 4 | 6;
      readonly prefix: number;
      readonly port: number;
    }
  /** Every address of both families. */
  | { readonly kind: "any"; readonly port: number };
