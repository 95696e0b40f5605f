/** The WebAssembly factory inside libpg-query: each call makes an instance of its own, which can be thrown away. */
declare module "libpg-query/wasm/libpg-query.js" {
  export interface PgQueryModule {
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    _wasm_parse_query_raw(text: number): number;
    _wasm_free_parse_result(result: number): void;
    lengthBytesUTF8(text: string): number;
    stringToUTF8(text: string, pointer: number, bytesMax: number): void;
    UTF8ToString(pointer: number): string;
    getValue(pointer: number, type: "i32"): number;
  }
  // biome-ignore lint/style/noDefaultExport: this is how the package exports it.
  export default function createModule(): Promise<PgQueryModule>;
}
