import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import { quoted } from '../../../../internal/errors.ts';
import { maxOptionsFileProblems } from '../../../../internal/limits/server.ts';
import { jsonFaultOf } from './json-fault.ts';

/** What a file holds, with the place of everything in it. */
export interface Tree {
  readonly entries: readonly Entry[];
  readonly faults: readonly Fault[];
}

export interface Spot {
  /** Both begin with 1. */
  readonly line: number;
  readonly column: number;
}

/** Something that is wrong with a file. */
export interface Fault extends Spot {
  readonly problem: string;
}

export interface Entry {
  readonly key: string;
  readonly spot: Spot;
  readonly value: Value;
}

export type Value = { readonly spot: Spot } & (
  | { readonly kind: 'text'; readonly text: string; readonly isBoolean: boolean }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'list'; readonly items: readonly Value[] }
  | { readonly kind: 'group'; readonly entries: readonly Entry[] }
  /** What cannot be read at all; the fault is among those of the tree. */
  | { readonly kind: 'unreadable' }
);

/** Reads YAML 1.2, or JSON as strictly as it is meant. References (`*name`) are not followed, so nothing grows by reading. */
export function readTree(text: string, isJson: boolean): Tree {
  return new TreeReader(text).read(isJson);
}

class TreeReader {
  readonly #lines = new LineCounter();
  readonly #faults: Fault[] = [];
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  read(isJson: boolean): Tree {
    const entries = this.#entriesOfFile(isJson);
    return { entries, faults: this.#faults };
  }

  #entriesOfFile(isJson: boolean): Entry[] {
    const fault = isJson ? jsonFaultOf(this.#text) : undefined;
    if (fault !== undefined) {
      this.#faults.push({
        ...spotIn(this.#text, fault.offset),
        problem: `not JSON: ${fault.expected} is missing`,
      });
      return [];
    }
    // Tabs stand only between the tokens of JSON, and YAML does not like them there.
    const root = this.#parsed(isJson ? this.#text.replaceAll('\t', ' ') : this.#text);
    if (this.#faults.length > 0 || isNothing(root)) return [];
    if (isMap(root)) return this.#entriesOf(root);
    this.#tell(root, 'a file of options is a group of keys, each with its value');
    return [];
  }

  #parsed(text: string): unknown {
    const [document, second] = this.#documentsOf(text);
    if (document === undefined) return undefined;
    const found = [...document.errors, ...document.warnings].slice(0, maxOptionsFileProblems);
    for (const { message, pos } of found) {
      const { line, col } = this.#lines.linePos(pos[0]);
      this.#faults.push({
        line,
        column: col,
        problem: `not YAML: ${wordsOf(message)}${this.#keyBefore(pos[0])}`,
      });
    }
    if (second !== undefined) this.#tell(second, 'a second document begins; a file has one');
    return document.contents;
  }

  #documentsOf(text: string): Document.Parsed[] {
    try {
      // That keys are unique is checked here: the library takes a quadratic time for that.
      const options = {
        lineCounter: this.#lines,
        prettyErrors: false,
        uniqueKeys: false,
        logLevel: 'silent',
      };
      const documents = parseAllDocuments(text, options as { logLevel: 'silent' });
      return 'empty' in documents ? [] : documents;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#faults.push({ line: 1, column: 1, problem: `not YAML: ${wordsOf(error.message)}` });
      return [];
    }
  }

  #entriesOf({ items }: YAMLMap): Entry[] {
    const entries = new Map<string, Entry>();
    for (const { key: node, value } of items) {
      const key = isScalar(node) ? node.value : undefined;
      if (typeof key !== 'string') {
        this.#tell(node, 'a key is a text: write it in quotation marks');
        continue;
      }
      const spot = this.#spotOf(node);
      const earlier = entries.get(key);
      if (earlier === undefined) entries.set(key, { key, spot, value: this.#valueOf(value, spot) });
      else this.#tell(node, `${quoted(key)} stands in line ${earlier.spot.line} already`);
    }
    return [...entries.values()];
  }

  /** @param keySpot of the key before it, where there is no value. */
  #valueOf(node: unknown, keySpot: Spot): Value {
    const isLeftOut = !isScalar(node) || node.source === '';
    if (isNothing(node)) return { kind: 'nothing', spot: isLeftOut ? keySpot : this.#spotOf(node) };
    const spot = this.#spotOf(node);
    if (isMap(node)) return { kind: 'group', spot, entries: this.#entriesOf(node) };
    if (isSeq(node))
      return { kind: 'list', spot, items: node.items.map((item) => this.#valueOf(item, spot)) };
    const text = isScalar(node) ? textOf(node) : undefined;
    if (text !== undefined)
      return { kind: 'text', spot, text, isBoolean: typeof (node as Scalar).value === 'boolean' };
    const what = isAlias(node) ? 'references (*) are not read here' : 'binary values are not read here';
    this.#tell(node, what);
    return { kind: 'unreadable', spot };
  }

  #tell(node: unknown, problem: string): void {
    this.#faults.push({ ...this.#spotOf(node), problem });
  }

  #spotOf(node: unknown): Spot {
    const range = (node as { range?: [number, number, number] | null } | null)?.range;
    const { line, col } = this.#lines.linePos(range?.[0] ?? 0);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  /** The key that a fault is in or behind: what has no end is noticed at the end of the file. */
  #keyBefore(offset: number): string {
    const keys = this.#text
      .slice(0, offset + 1)
      .matchAll(/^[ \t]*(?:- +)?["']?([A-Za-z][\w-]*)["']?[ \t]*:/gm);
    const key = [...keys].at(-1)?.[1];
    return key === undefined ? '' : `, near the key ${quoted(key)}`;
  }
}

function isNothing(node: unknown): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null);
}

/** As it is written, so that `0660` keeps its zero. */
function textOf({ value, source, type }: Scalar): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value !== 'number' && typeof value !== 'boolean' && typeof value !== 'bigint') return undefined;
  return type === 'PLAIN' && source !== undefined ? source : String(value);
}

/** What the library says of a problem, without what stands in the file. */
function wordsOf(message: string): string {
  if (message.includes('call stack')) return 'it is nested too deeply';
  const words = message.split('\n')[0].replace(/:? ?["'`].*$/, '');
  return words
    .replace(/^(Unresolved \w+):.*$/, '$1')
    .replace(/^[A-Z](?=[a-z ])/, (letter) => letter.toLowerCase());
}

function spotIn(text: string, offset: number): Spot {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: before.at(-1)!.length + 1 };
}
