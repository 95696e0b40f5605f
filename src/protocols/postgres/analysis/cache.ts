/** A bounded map by text, least recently used leaves first (second chance). Knows nothing of SQL. */

interface Kept<Value> {
  readonly value: Value;
  isUsed: boolean;
}

export class TextCache<Value> {
  readonly #entries = new Map<string, Kept<Value>>();
  readonly #entriesMax: number;
  readonly #charactersMax: number;
  #characters = 0;

  constructor(entriesMax: number, charactersMax: number) {
    this.#entriesMax = entriesMax;
    this.#charactersMax = charactersMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Value | undefined {
    const kept = this.#entries.get(key);
    if (kept === undefined) return undefined;
    kept.isUsed = true;
    return kept.value;
  }

  set(key: string, value: Value): void {
    if (key.length > this.#charactersMax) return;
    if (!this.#entries.has(key)) this.#characters += key.length;
    this.#entries.set(key, { value, isUsed: false });
    for (const [oldest, kept] of this.#entries) {
      if (this.#entries.size <= this.#entriesMax && this.#characters <= this.#charactersMax) return;
      this.#entries.delete(oldest);
      if (kept.isUsed) {
        kept.isUsed = false;
        this.#entries.set(oldest, kept);
      } else {
        this.#characters -= oldest.length;
      }
    }
  }
}
