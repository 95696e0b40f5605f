/** Who is behind an address, as far as it says. Pure. */

/**
 * Whoever has one address of IPv6 has the 2^64 of its network, and may take another one for each request: "2001:db8:0:1"
 * stands for them; an address of IPv4 for itself. Source: RFC 6177, section 2.
 */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=[0-9.]+$)/, "");
  if (!plain.includes(":")) return plain;
  const [head = [], tail] = plain.split("::").map((half) => half.split(":").filter(Boolean));
  const zeros = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => "0");
  return [...head, ...zeros, ...(tail ?? [])].slice(0, 4).join(":");
}
