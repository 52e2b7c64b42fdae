import type { Option, OptionTable } from '../../cli/options/option.ts';
import type { Program } from '../../cli/options/program.ts';
import type { Suite } from '../../cli/options/suite.ts';

/** What may stand behind a flag, or as an operand. */
export type ValueKind = 'files' | 'folders' | 'words' | 'anything';

export interface CompletedFlag {
  readonly name: string;
  readonly help: string;
  /** Undefined for a switch. */
  readonly value: { readonly kind: ValueKind; readonly words: readonly string[] } | undefined;
}

/** A command, or the first words of some. */
export interface CompletedPath {
  /** `topics create`; empty for the program itself. */
  readonly path: string;
  /** The words that may come next, with what they do. */
  readonly next: readonly { readonly word: string; readonly help: string }[];
  readonly flags: readonly CompletedFlag[];
  readonly operands: ValueKind;
}

/** All that a shell has to know of a program with commands. */
export function completionTree(suite: Suite<{ program: Program<OptionTable> }>): CompletedPath[] {
  const programs = suite.groups.flatMap(({ commands }) => commands.map(({ program }) => program));
  const paths = new Map<string, CompletedPath & { next: { word: string; help: string }[] }>();
  const at = (path: string) => {
    const found = paths.get(path) ?? { path, next: [], flags: [], operands: 'anything' as const };
    paths.set(path, found);
    return found;
  };
  for (const program of programs) {
    const words = program.name.split(' ').slice(1);
    for (const [index, word] of words.entries()) {
      const { next } = at(words.slice(0, index).join(' '));
      const help = index === words.length - 1 ? program.summary : '';
      if (!next.some((known) => known.word === word)) next.push({ word, help });
    }
    const path = words.join(' ');
    const flags = Object.entries(program.options).map(([name, option]) => completedFlag(name, option));
    paths.set(path, { ...at(path), flags, operands: kindOf(program.operands?.usage ?? '') });
  }
  return [...paths.values()];
}

function completedFlag(name: string, { help, isSwitch, placeholder }: Option<unknown>): CompletedFlag {
  if (isSwitch) return { name, help, value: undefined };
  const words = /^[a-z\d_-]+(\|[a-z\d_-]+)+$/i.test(placeholder) ? placeholder.split('|') : [];
  const isChoice = words.length > 0 && words.some((word) => word !== word.toUpperCase());
  if (isChoice) return { name, help, value: { kind: 'words', words } };
  return { name, help, value: { kind: kindOf(placeholder), words: [] } };
}

function kindOf(usage: string): ValueKind {
  if (/\b(FOLDER|DIR)\b/.test(usage)) return 'folders';
  return /\b(FILE|PATH)\b/.test(usage) ? 'files' : 'anything';
}
