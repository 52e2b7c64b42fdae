/*
 * What the pages of the documentation have in them that can be tried. A mark in a comment of HTML stands before the block:
 *
 *   <!-- run -->            commands, typed one after the other in the folder of the walk
 *   <!-- run: fresh -->     the same, and another walk begins: an empty folder, nothing runs
 *   <!-- run: once -->      commands that install something; the result is kept between runs of the tests
 *   <!-- file: NAME -->     a file of the folder, with what stands in the block
 *   <!-- example: NAME -->  a part of a program, which stands in test/docs/examples/NAME.mjs where that says so
 *   <!-- prints -->         what the last command prints: these lines in this order, … stands for anything
 *   <!-- prints: PROGRAM --> the same, of the last command of this program
 */

/** One block of a page that can be tried. */
export type Step =
  | { kind: 'run'; lines: string[] }
  | { kind: 'install'; script: string }
  | { kind: 'file'; name: string; content: string }
  | { kind: 'example'; name: string; content: string }
  | { kind: 'prints'; command: string; lines: string[] };

/** Blocks that belong together: one folder, and programs that go on running from one to the next. */
export interface Walk {
  /** The heading above its first block, or the title of the page. */
  title: string;
  steps: Step[];
}

const BLOCK = /^ {0,3}(?:<!-- ([a-z]+)(?:: (.*?))? -->\n+ {0,3})?```\w*\n(.*?)^ {0,3}```$/gms;
const MARK = /^ {0,3}<!-- (?:run|file|example|prints)\b.*-->/gm;
const HEADING = /^##+ (.*)$/gm;

/** The walks of a page, in its order. */
export function walksOf(page: string): Walk[] {
  const headings = [...page.matchAll(HEADING)];
  const walks: Walk[] = [];
  let marks = 0;
  for (const { index, 1: mark, 2: argument = '', 3: content } of page.matchAll(BLOCK)) {
    const step = stepOf(mark, argument, content!);
    if (step === undefined) continue;
    marks += 1;
    if (walks.length === 0 || mark === 'example' || (mark === 'run' && argument === 'fresh')) {
      const heading = headings.findLast((above) => above.index < index)?.[1];
      walks.push({ title: heading ?? page.split('\n', 1)[0]!.replace(/^# /, ''), steps: [] });
    }
    walks.at(-1)!.steps.push(step);
  }
  const written = page.match(MARK)?.length ?? 0;
  if (written !== marks) throw new Error(`${written - marks} marks stand before no block`);
  return walks;
}

function stepOf(mark: string | undefined, argument: string, content: string): Step | undefined {
  switch (mark) {
    case 'run':
      if (argument === 'once') return { kind: 'install', script: content };
      return { kind: 'run', lines: commandsOf(content) };
    case 'file':
      return { kind: 'file', name: argument, content };
    case 'example':
      return { kind: 'example', name: argument, content };
    case 'prints':
      return { kind: 'prints', command: argument, lines: content.trimEnd().split('\n') };
    default:
      return undefined;
  }
}

/** Commands of a block; one that ends in a backslash goes on in the next line. */
export function commandsOf(block: string): string[] {
  return block
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** Whether lines stand among those that were printed, in this order; how much space is between words does not count. */
export function firstMissing(wanted: readonly string[], printed: string): string | undefined {
  const lines = printed.split('\n').map(inOneSpace);
  let next = 0;
  for (const line of wanted.map(inOneSpace)) {
    const found = lines.findIndex((printedLine, index) => index >= next && patternOf(line).test(printedLine));
    if (found === -1) return line;
    next = found + 1;
  }
  return undefined;
}

function inOneSpace(line: string): string {
  return line.trim().replaceAll(/\s+/g, ' ');
}

/** What … stands for may be nothing, and then the spaces around it are not there either. */
function patternOf(line: string): RegExp {
  const parts = line.split(/ ?… ?/).map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}
