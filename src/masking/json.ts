/** JSON text with some of its strings and numbers replaced in place; everything else stays byte for byte. */

/** Gives the replacement of a decoded string, null for none to show; undefined leaves it. */
export type Replace = (text: string) => { readonly text: string | null } | undefined;

/** The text with replacements, the same text where nothing was replaced, or undefined if it is no valid JSON. */
export function replaceInJson(text: string, replace: Replace): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  // From here on the text is known to be sound, so tokens are found by their first character.
  let made = "";
  let copied = 0;
  for (let at = 0; at < text.length; ) {
    const end = tokenEnd(text, at);
    if (end === at) {
      at++;
      continue;
    }
    const token = text.slice(at, end);
    const replaced = token.startsWith('"')
      ? replaceString(token, isKey(text, end), replace)
      : replaceNumber(token, replace);
    if (replaced !== undefined) {
      made += text.slice(copied, at) + replaced;
      copied = end;
    }
    at = end;
  }
  return copied === 0 ? text : made + text.slice(copied);
}

/** Behind the string or number that begins at `at`; `at` itself where neither begins. */
function tokenEnd(text: string, at: number): number {
  const first = text[at] ?? "";
  let end = at;
  if (first === '"') {
    for (end++; text[end] !== '"'; end++) if (text[end] === "\\") end++;
    return end + 1;
  }
  if (first !== "-" && (first < "0" || first > "9")) return at;
  while (/[0-9.eE+-]/.test(text[end] ?? "")) end++;
  return end;
}

function isKey(text: string, end: number): boolean {
  let at = end;
  while (/\s/.test(text[at] ?? "")) at++;
  return text[at] === ":";
}

function replaceString(token: string, key: boolean, replace: Replace): string | undefined {
  const replaced = replace(JSON.parse(token));
  if (replaced === undefined) return undefined;
  // A key cannot be null.
  if (replaced.text === null) return key ? '"[redacted]"' : "null";
  return JSON.stringify(replaced.text);
}

/** As it is written and as it is meant: 4.111111111111111e15 is a number too. */
function replaceNumber(token: string, replace: Replace): string | undefined {
  const meant = Number(token);
  const plain = Number.isSafeInteger(meant) ? String(Math.abs(meant)) : token;
  return (replace(plain) ?? (plain === token ? undefined : replace(token))) === undefined ? undefined : "null";
}
