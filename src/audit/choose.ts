/** Which kinds of events a sink wants: names and globs, of which "*" is any run of characters. */

/** Without globs it is every kind. */
export function chooser(globs: readonly string[]): (kind: string) => boolean {
  if (globs.length === 0) return () => true;
  const forms = globs.map((glob) => new RegExp(`^${glob.replaceAll(".", "\\.").replaceAll(/\*+/g, ".*")}$`));
  return (kind) => forms.some((form) => form.test(kind));
}
