/**
 * XML in its plainest form: elements of a namespace, attributes and texts, each thing said once. What can be read in two
 * ways (comments, processing instructions, document types, CDATA, entities) is refused. Knows no vocabulary; shows nothing
 * of a document. The parser is the one that verifies signatures, so that both see the same.
 */
import { DOMParser, type Element, type Node } from "@xmldom/xmldom";
import { UserError } from "../base/errors.ts";
import { XML_DEPTH_MAX, XML_NODES_MAX } from "../base/limits.ts";

/** Prefixes as this program writes them; documents may choose others. */
const PREFIXES: ReadonlyMap<string, string> = new Map([
  ["urn:oasis:names:tc:SAML:2.0:protocol", "samlp"],
  ["urn:oasis:names:tc:SAML:2.0:assertion", "saml"],
  ["http://www.w3.org/2000/09/xmldsig#", "ds"],
  ["http://www.w3.org/2001/10/xml-exc-c14n#", "ec"],
]);

/** How often a child must and may be there. */
export type Times = readonly [min: number, max: number];
export const ONCE: Times = [1, 1];
export const MAYBE: Times = [0, 1];
export const ANY: Times = [0, Number.POSITIVE_INFINITY];
export const SOME: Times = [1, Number.POSITIVE_INFINITY];

/** Kinds of node. Source: DOM, interface Node. */
const ELEMENT = 1;
const TEXT = 3;
const INSTRUCTION = 7;
/** A declaration of anything but UTF-8 would be a lie: that is what was decoded. */
const DECLARATION = /^version=(["'])1\.0\1(\s+encoding=(["'])utf-8\3)?(\s+standalone=(["'])(yes|no)\5)?\s*$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for (XML 1.0, section 2.2)
const ILLEGAL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const ABSOLUTE = /^[A-Za-z][A-Za-z0-9+.-]*:/;

/** The root. Throws TOKEN_MALFORMED. */
export function readXml(text: string): Element {
  if (!text.startsWith("<") || ILLEGAL.test(text)) throw malformed("it is not XML in UTF-8");
  const root = rootOf(parsed(text));
  checkNodes(root);
  return root;
}

/** "samlp:Response", by the element's namespace whatever its prefix; undefined where that is none of PREFIXES. */
export function nameOf(element: Element): string | undefined {
  const prefix = PREFIXES.get(element.namespaceURI ?? "");
  return prefix === undefined ? undefined : `${prefix}:${element.localName}`;
}

/** Children of one element by their names. */
export class Parts {
  readonly #of: Element;
  readonly #parts: ReadonlyMap<string, readonly Element[]>;

  constructor(of: Element, parts: ReadonlyMap<string, readonly Element[]>) {
    this.#of = of;
    this.#parts = parts;
  }

  /** One that must be there. Throws TOKEN_MALFORMED. */
  one(name: string): Element {
    const [first] = this.all(name);
    if (first === undefined) throw strange(this.#of);
    return first;
  }

  all(name: string): readonly Element[] {
    return this.#parts.get(name) ?? [];
  }
}

/** When they are as often there as they must, and no others and no text between them. Throws TOKEN_MALFORMED. */
export function partsOf(element: Element, times: Readonly<Record<string, Times>>): Parts {
  const parts = new Map(Object.keys(times).map((name) => [name, [] as Element[]]));
  for (const child of childrenOf(element)) {
    const fitting = isElement(child) ? parts.get(nameOf(child) ?? "") : undefined;
    if (fitting !== undefined) fitting.push(child as Element);
    else if (!isBlank(child)) throw strange(element);
  }
  for (const [name, [min, max]] of Object.entries(times)) {
    const { length } = parts.get(name) ?? [];
    if (length < min || length > max) throw strange(element);
  }
  return new Parts(element, parts);
}

/** Undefined where it has more than text in it. */
export function textOf(element: Element): string | undefined {
  const children = childrenOf(element);
  return children.some(isElement) ? undefined : children.map(({ nodeValue }) => nodeValue ?? "").join("");
}

/** One without namespace. */
export function attributeOf(element: Element, name: string): string | undefined {
  return element.getAttributeNode(name)?.value;
}

export function malformed(why: string): UserError {
  const remedy = "Give the SAML response as its identity provider wrote it, in base64, and nothing else in the file";
  return new UserError("TOKEN_MALFORMED", `Cannot use the token: ${why}`, remedy);
}

/** Ends at the first thing that is not right: what the parser would mend and read on in takes it seconds. */
function parsed(text: string): Node {
  const broken = () => {
    throw malformed("its XML is broken"); // also what the parser would only warn of; its words quote the document
  };
  try {
    return new DOMParser({ locator: {}, errorHandler: broken }).parseFromString(text, "text/xml") ?? broken();
  } catch {
    return broken();
  }
}

function strange(element: Element): UserError {
  return malformed(`its ${element.localName} is not made of the parts that it must have, or has others`);
}

function rootOf(document: Node): Element {
  const roots: Element[] = [];
  for (const [index, node] of [...childrenOf(document)].entries()) {
    if (isElement(node)) roots.push(node);
    else if (!isBlank(node) && !(index === 0 && isDeclaration(node))) {
      throw malformed("it has more than its root in it: a comment, an instruction or a document type");
    }
  }
  const [root] = roots;
  if (root === undefined || roots.length > 1) throw malformed("its XML is broken");
  return root;
}

function checkNodes(root: Element): void {
  const ids = new Set<string>();
  let nodes = 0;
  const waiting: { readonly node: Node; readonly depth: number }[] = [{ node: root, depth: 1 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, depth } = next;
    nodes += 1;
    if (isElement(node)) {
      if (depth > XML_DEPTH_MAX) throw malformed(`it is deeper than ${XML_DEPTH_MAX} elements`);
      nodes += checkAttributes(node, ids);
      for (const child of childrenOf(node)) waiting.push({ node: child, depth: depth + 1 });
    } else if (node.nodeType !== TEXT) {
      throw malformed("it has something between its texts: a comment, an instruction or a CDATA section");
    }
    if (nodes > XML_NODES_MAX) throw malformed(`it has more than ${XML_NODES_MAX} elements, attributes and texts`);
  }
}

/** Returns how many there are. */
function checkAttributes(element: Element, ids: Set<string>): number {
  if (!element.namespaceURI) throw malformed("an element has no namespace");
  const names = new Set<string>();
  for (const { name, prefix, localName, namespaceURI, value } of Array.from(element.attributes)) {
    const isNamespace = name === "xmlns" || prefix === "xmlns";
    if (isNamespace && !ABSOLUTE.test(value)) throw malformed("a namespace is no absolute name");
    if (prefix && !namespaceURI) throw malformed("an attribute has no namespace");
    const whole = `${namespaceURI ?? ""} ${localName}`;
    if (names.has(whole)) throw malformed("an attribute is there twice");
    names.add(whole);
    if (isNamespace || localName.toLowerCase() !== "id") continue;
    // Signatures refer to these, whatever their spelling: one for an element, one element for each.
    if (prefix || ids.has(value) || names.has("an id")) throw malformed("an ID is there twice, or in a strange form");
    names.add("an id");
    ids.add(value);
  }
  return element.attributes.length;
}

function childrenOf(node: Node): Node[] {
  return Array.from(node.childNodes);
}

function isElement(node: Node): node is Element {
  return node.nodeType === ELEMENT;
}

function isBlank({ nodeType, nodeValue }: Node): boolean {
  return nodeType === TEXT && /^[ \t\r\n]*$/.test(nodeValue ?? "");
}

function isDeclaration({ nodeType, nodeName, nodeValue }: Node): boolean {
  return nodeType === INSTRUCTION && nodeName === "xml" && DECLARATION.test(nodeValue ?? "");
}
