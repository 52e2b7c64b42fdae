import { type Option, type OptionTable, wordsFor } from './option.ts';

/** A program, or one command of it such as `tinymq topics create`, as its users see it. */
export interface Program<Table extends OptionTable> {
  name: string;
  /** One sentence. */
  summary: string;
  options: Table;
  /** Command lines that show how it is used. */
  examples: readonly string[];
  /** What stands beside the flags; nothing unless said. */
  operands?: Operands;
  /** The flag that names a file of options; `config` unless said. */
  fileFlag?: string;
  /** How the keys of that file are grouped, by the first word of the flags; not at all unless said. */
  sections?: Readonly<Record<string, Section>>;
  /** The flag that a value without one most likely belongs to. */
  mainFlag?: string;
  /** What its exit codes say beside those of all programs, for the help. */
  exitCodes?: string;
  /** Flags of another program that its users may type, and what they are here. */
  elsewhere?: Readonly<Record<string, string>>;
}

/** A group of keys in a file: `kafka-partitions` is `partitions` in the section `kafka`. */
export interface Section {
  /** What it is about, in a few words. */
  help: string;
  /** The key of the option that has the name of the section itself, where there is one. */
  own?: string;
}

/** Values without a flag. */
export interface Operands {
  /** As in the help: `NAME` or `[GROUP...]`. */
  usage: string;
  /** What they are, in a few words. */
  help: string;
  min: number;
  max: number;
  /** Whether a word can be meant as one of them; all can unless said. */
  isLikely?: (word: string) => boolean;
}

/** Wrong usage: one line that says which flag, variable or key, and what is allowed. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** The option that it is about, where the message does not name it. */
  readonly option: string | undefined;

  constructor(message: string, option?: string) {
    super(message);
    this.option = option;
  }
}

/** No command was named that there is. `commands` lists those that there are, a line for each group of them. */
export class NoSuchCommand extends UsageError {
  readonly commands: string;

  constructor(message: string, commands: string) {
    super(message);
    this.commands = commands;
  }
}

/** Several faults at once, a line each. */
export class UsageErrors extends UsageError {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/** Somebody asked for the help or the version; the message is it. Exit code 0. */
export class InformationRequested extends Error {
  override readonly name = 'InformationRequested';
}

/**
 * The environment variable of a flag: `TINYMQ_COUNT` for a program, `TINYMQ_CONSUME_COUNT` for a command `consume` of
 * one, so that what is set for one command changes no other.
 */
export function variableOf(program: Program<OptionTable>, flag: string): string {
  const [, ...words] = program.name.split(' ');
  const made = ['tinymq', ...words, flag].join('_').toUpperCase().replaceAll('-', '_');
  return optionOf(program, flag)?.variable ?? made;
}

/** All variables that an option can be set by; the first one is the one to show. */
export function variablesOf(program: Program<OptionTable>, name: string): string[] {
  return wordsFor(name, program.options[name]).map((word) => variableOf(program, word));
}

/** The flag that names a file of options. */
export function fileFlagOf(program: Program<OptionTable>): string {
  return program.fileFlag ?? 'config';
}

/** The option of a flag by its own name. */
export function optionOf(program: Program<OptionTable>, name: string): Option<unknown> | undefined {
  return Object.hasOwn(program.options, name) ? program.options[name] : undefined;
}

/** Where a value comes from. */
export interface Origin {
  kind: 'flag' | 'environment' | 'file' | 'default';
  /** `-count`, `TINYMQ_COUNT`, `tinymq.yaml:3:5`; empty for a default. */
  at: string;
}

/** Texts that somebody gave, and where. */
export interface Given {
  texts: string[];
  /** As an error names it. */
  where: string;
  from: Origin;
}
