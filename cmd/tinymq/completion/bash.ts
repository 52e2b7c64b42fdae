import { shellQuoted } from '../../cli/shell.ts';
import type { CompletedPath, ValueKind } from './tree.ts';

const COMPGEN: Record<Exclude<ValueKind, 'words'>, string> = {
  files: 'compgen -f -- "$cur"',
  folders: 'compgen -d -- "$cur"',
  anything: ':',
};

/** A script for bash, which zsh runs too. */
export function bashScript(name: string, tree: readonly CompletedPath[]): string {
  return `# Completion of ${name} for bash: source <(${name} completion bash)
_${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at='' word index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    case "$at $word" in
${alternatives(tree.filter(({ path }) => path !== '').map(({ path }) => path))}) at="$at $word" ;;
      *) break ;;
    esac
  done
  case "$at $prev" in
${tree.flatMap(valueCases).join('\n')}
  esac
  case "$at" in
${tree.map(pathCase).join('\n')}
  esac
}
complete -o filenames -F _${name} ${name}
`;
}

function alternatives(paths: readonly string[]): string {
  return `      ${paths.map((path) => shellQuoted(` ${path}`)).join(' | ')}`;
}

function valueCases({ path, flags }: CompletedPath): string[] {
  return flags.flatMap(({ name, value }) => {
    if (value === undefined) return [];
    const answer =
      value.kind === 'words'
        ? `compgen -W ${shellQuoted(value.words.join(' '))} -- "$cur"`
        : COMPGEN[value.kind];
    return [`    ${shellQuoted(`${located(path)} -${name}`)}) ${reply(answer)}; return ;;`];
  });
}

function pathCase({ path, next, flags, operands }: CompletedPath): string {
  const words = next.map(({ word }) => word).join(' ');
  const named = flags.map(({ name }) => `-${name}`).join(' ');
  const others =
    words !== '' || operands === 'words' ? `compgen -W ${shellQuoted(words)} -- "$cur"` : COMPGEN[operands];
  return `    ${shellQuoted(located(path))})
      if [[ $cur == -* ]]; then ${reply(`compgen -W ${shellQuoted(named)} -- "$cur"`)}
      else ${reply(others)}; fi ;;`;
}

function located(path: string): string {
  return path === '' ? '' : ` ${path}`;
}

function reply(command: string): string {
  return `COMPREPLY=($(${command}))`;
}
