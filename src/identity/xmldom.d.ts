/**
 * The little of @xmldom/xmldom that is used. Its own types bring those of a browser, which would be global in all of the
 * program; so tsconfig.json leads here instead.
 */
export interface Node {
  readonly nodeType: number;
  readonly nodeName: string;
  readonly nodeValue: string | null;
  readonly childNodes: ArrayLike<Node>;
}

export interface Attribute {
  readonly name: string;
  readonly prefix?: string | null;
  readonly localName: string;
  readonly namespaceURI?: string | null;
  readonly value: string;
}

export interface Element extends Node {
  readonly localName: string;
  readonly namespaceURI?: string | null;
  readonly attributes: ArrayLike<Attribute>;
  getAttributeNode(name: string): Attribute | null;
  getElementsByTagNameNS(namespace: string, localName: string): ArrayLike<Element>;
}

export class DOMParser {
  constructor(options: { readonly locator: object; readonly errorHandler: (level: string, message: string) => void });
  /** Undefined for what is no document at all. */
  parseFromString(text: string, type: "text/xml"): Node | undefined;
}
