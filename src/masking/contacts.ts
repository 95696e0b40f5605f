/** E-mail addresses and phone numbers. */
import { isAlphanumeric, isDigit, type Scan, wordsBefore } from "./scan.ts";

/** RFC 5321: octets of a local part and of a domain. */
const LOCAL_MAX = 64;
const DOMAIN_MAX = 253;

const LOCAL = /[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]/u;
const DOMAIN = /[\p{L}\p{N}.-]/u;
/** "icon@2x.png" is a file. */
const FILE_ENDINGS = /\.(?:png|jpe?g|gif|svg|webp|ico|css|scss|js|mjs|ts|tsx|jsx|json|html?|md)$/i;

export const scanEmails: Scan = (text, _hint, found) => {
  let done = 0;
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    const start = localStart(text, at, done);
    const end = domainEnd(text, at);
    if (start === at || end === undefined) continue;
    // "git@host:path" names a repository.
    if (text.slice(start, at) === "git" && text[end] === ":") continue;
    found(start, end);
    done = end;
  }
};

function localStart(text: string, at: number, least: number): number {
  let start = at;
  while (start > least && at - start < LOCAL_MAX && LOCAL.test(text[start - 1] ?? "")) start--;
  // Quotes, slashes, "=" and the like are allowed by the RFC but in running text belong to what is around.
  while (start < at && !isAlphanumeric(text[start]) && text[start] !== "_") start++;
  const inner = text.slice(start, at);
  const cut = Math.max(inner.lastIndexOf("="), inner.lastIndexOf("/"), inner.lastIndexOf("'"), inner.lastIndexOf("|"));
  const from = start + cut + 1;
  return text[at - 1] === "." ? at : from;
}

function domainEnd(text: string, at: number): number | undefined {
  let end = at + 1;
  while (end - at <= DOMAIN_MAX && DOMAIN.test(text[end] ?? "")) end++;
  while (end > at && !isAlphanumeric(text[end - 1])) end--;
  const domain = text.slice(at + 1, end);
  const labels = domain.split(".");
  const top = labels.at(-1) ?? "";
  const sound =
    labels.length > 1 && labels.every((label) => label !== "" && !label.startsWith("-") && label.length < 64);
  if (!sound || !/^(?:\p{L}{2,}|xn--[a-z0-9-]+)$/iu.test(top) || FILE_ENDINGS.test(domain)) return undefined;
  return end;
}

/** Characters of a phone number with its separators. */
const PHONE_MAX = 28;
export const PHONE_WORDS =
  /phone|mobile|\bcell|\btel\b|\btel[.:]|_tel|tel_|\bfax|\bcall\b|msisdn|handy|whatsapp|\bsms\b/i;
/** ITU-T E.164 calling codes of one, two and three digits. */
const CALLING_CODES =
  /^(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|2[1-6689]\d|3[578]\d|42[013]|5[09]\d|6[789]\d|8[0578]\d|9[679]\d)/;
/** North American numbers as they are written: (212) 555-0123, 212-555-0123, 212.555.0123, 1-212-555-0123. */
const NORTH_AMERICAN = /^(?:1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}$/;

export const scanPhones: Scan = (text, hint, found) => {
  const hinted = PHONE_WORDS.test(hint);
  for (let at = 0; at < text.length; at++) {
    const head = text[at];
    if (head !== "+" && head !== "(" && !isDigit(head)) continue;
    const end = phoneEnd(text, at);
    const written = text.slice(at, end);
    const free = !isAlphanumeric(text[at - 1]) && !/[.@/:=_-]\d*$/.test(text.slice(Math.max(0, at - 2), at));
    const spoken = () => hinted || PHONE_WORDS.test(wordsBefore(text, at));
    if (free && !isAlphanumeric(text[end]) && text[end] !== "/" && isPhone(written, spoken)) found(at, end);
    // Behind the whole run: a piece of a longer number is no phone number.
    at = Math.max(at, end - 1);
  }
};

/** Behind the digits and single separators that begin at `start`. */
function phoneEnd(text: string, start: number): number {
  let end = start;
  let at = start;
  let separators = 0;
  for (; at < text.length && at - start < PHONE_MAX; at++) {
    const character = text[at];
    if (isDigit(character)) {
      end = at + 1;
      separators = 0;
    } else if (character === undefined || !"+()-. /".includes(character) || (character === "+" && at > start)) break;
    else if (++separators > 2) break;
  }
  return Math.max(end, start + 1);
}

function isPhone(written: string, spoken: () => boolean): boolean {
  const digits = written.replace(/\D/g, "");
  if (digits.length < 7 || digits.length > 15) return false;
  if (written.startsWith("+")) {
    if (digits.startsWith("1")) return /^1[2-9]\d{2}[2-9]\d{6}$/.test(digits);
    return digits.length >= 8 && CALLING_CODES.test(digits);
  }
  if (NORTH_AMERICAN.test(written)) return !/^1?\d11/.test(digits);
  if (/^\d{4}-\d{2}-\d{2}|^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(written)) return false;
  return digits.length >= 8 && !/^(\d)\1*$/.test(digits) && spoken();
}
