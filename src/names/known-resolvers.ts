/**
 * Resolvers that answer over HTTPS under well-known names: to reach one is to ask it any name, past every rule. So a
 * wildcard does not let agents have their addresses; a rule that spells the name out does.
 */

/** Sources: the providers' manuals, and the list of public resolvers in curl's wiki ("DNS over HTTPS"). */
const KNOWN: ReadonlySet<string> = new Set([
  "dns.google",
  "dns64.dns.google",
  "dns.google.com",
  "8888.google",
  "cloudflare-dns.com",
  "one.one.one.one",
  "1dot1dot1dot1.cloudflare-dns.com",
  "dns.quad9.net",
  "dns9.quad9.net",
  "dns10.quad9.net",
  "dns11.quad9.net",
  "doh.opendns.com",
  "doh.familyshield.opendns.com",
  "doh.umbrella.com",
  "dns.adguard.com",
  "dns.adguard-dns.com",
  "unfiltered.adguard-dns.com",
  "family.adguard-dns.com",
  "dns.nextdns.io",
  "doh.cleanbrowsing.org",
  "doh.dns.sb",
  "dns.sb",
  "dns.alidns.com",
  "doh.pub",
  "dns.pub",
  "doh.360.cn",
  "doh.xfinity.com",
  "doh.cox.net",
  "dns.mullvad.net",
  "adblock.dns.mullvad.net",
  "doh.mullvad.net",
  "freedns.controld.com",
  "dns.controld.com",
  "doh.libredns.gr",
  "doh.applied-privacy.net",
  "doh.la.ahadns.net",
  "dns.digitale-gesellschaft.ch",
  "dns.switch.ch",
  "doh.ffmuc.net",
  "odvr.nic.cz",
  "dns.twnic.tw",
  "dns.njal.la",
  "doh.tiar.app",
  "jp.tiar.app",
  "dns.rubyfish.cn",
  "dns0.eu",
  "zero.dns0.eu",
  "ordns.he.net",
  "wikimedia-dns.org",
  "common.dot.dns.yandex.net",
  "dns.bebasid.com",
]);

/** Providers that give each customer a name of their own below these. */
const KNOWN_BELOW: readonly string[] = [
  "cloudflare-dns.com",
  "cloudflare-gateway.com",
  "nextdns.io",
  "controld.com",
  "adguard-dns.com",
];

/** Firefox asks for it and keeps to the system's resolver when it does not exist. Source: Mozilla, "Canary domain". */
const CANARY = "use-application-dns.net";

export function isKnownResolver(name: string): boolean {
  return name === CANARY || KNOWN.has(name) || KNOWN_BELOW.some((suffix) => name.endsWith(`.${suffix}`));
}
