/** Where a text stops being JSON (RFC 8259), and what would have to stand there. */
export interface JsonFault {
  readonly offset: number;
  readonly expected: string;
}

/** Looks for the first fault; undefined where the text is JSON. The runtime's own parser does not always say where it is. */
export function jsonFaultOf(text: string): JsonFault | undefined {
  const open: Bracket[] = [];
  let state: State = 'value';
  let offset = skipped(text, 0);
  while (state !== 'end' || offset < text.length) {
    const step: Step | undefined = STEPS[state](text, offset, open);
    if (step === undefined) return { offset, expected: expectedIn(state, open) };
    state = step.state;
    offset = skipped(text, offset + step.length);
  }
  return undefined;
}

type Bracket = '{' | '[';
type State = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'after' | 'end';

interface Step {
  readonly length: number;
  readonly state: State;
}

const SPACE = /[ \t\n\r]*/y;
/** Everything from the space on but quotation marks and backslashes stands for itself. */
const STRING = /"(?:[ !#-[\]-\u{10ffff}]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/uy;
const SIMPLE = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y;

const STEPS: Readonly<Record<State, (text: string, offset: number, open: Bracket[]) => Step | undefined>> = {
  value(text, offset, open) {
    const character = text[offset];
    if (character === '{' || character === '[') {
      open.push(character);
      return { length: 1, state: character === '{' ? 'key-or-end' : 'value-or-end' };
    }
    const length = lengthOf(STRING, text, offset) ?? lengthOf(SIMPLE, text, offset);
    return length === undefined ? undefined : { length, state: afterValue(open) };
  },
  'value-or-end': (text, offset, open) =>
    text[offset] === ']' ? closed(open) : STEPS.value(text, offset, open),
  key(text, offset) {
    const length = lengthOf(STRING, text, offset);
    return length === undefined ? undefined : { length, state: 'colon' };
  },
  'key-or-end': (text, offset, open) => (text[offset] === '}' ? closed(open) : STEPS.key(text, offset, open)),
  colon: (text, offset) => (text[offset] === ':' ? { length: 1, state: 'value' } : undefined),
  after(text, offset, open) {
    const isObject = open.at(-1) === '{';
    if (text[offset] === (isObject ? '}' : ']')) return closed(open);
    return text[offset] === ',' ? { length: 1, state: isObject ? 'key' : 'value' } : undefined;
  },
  end: () => undefined,
};

function closed(open: Bracket[]): Step {
  open.pop();
  return { length: 1, state: afterValue(open) };
}

function afterValue(open: readonly Bracket[]): State {
  return open.length === 0 ? 'end' : 'after';
}

function skipped(text: string, offset: number): number {
  return offset + lengthOf(SPACE, text, offset)!;
}

function lengthOf(pattern: RegExp, text: string, offset: number): number | undefined {
  pattern.lastIndex = offset;
  return pattern.exec(text)?.[0].length;
}

function expectedIn(state: State, open: readonly Bracket[]): string {
  if (state === 'key') return 'a key in quotation marks';
  if (state === 'key-or-end') return 'a key in quotation marks, or }';
  if (state === 'colon') return 'a colon';
  if (state === 'after') return open.at(-1) === '{' ? 'a comma or }' : 'a comma or ]';
  return state === 'end' ? 'the end of the file' : 'a value';
}
