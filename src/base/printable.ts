/** Text that somebody else could have written, for people: it must not pretend to be another text, or drive a terminal. */

/** Control characters, and formatting ones such as those that turn the direction of text. Source: Unicode, General_Category. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** With these characters spelled out: "\u{1b}". */
export function spellOut(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
