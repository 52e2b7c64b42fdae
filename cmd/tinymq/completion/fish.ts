import type { CompletedFlag, CompletedPath } from './tree.ts';

/** A script for fish. */
export function fishScript(name: string, tree: readonly CompletedPath[]): string {
  const paths = tree.filter(({ path }) => path !== '').map(({ path }) => quote(path));
  return `# Completion of ${name} for fish: ${name} completion fish | source
function __${name}_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    set -l longer (string trim -- "$at $word")
    contains -- $longer ${paths.join(' ')}
    or break
    set at $longer
  end
  test "$at" = "$argv[1]"
end
complete -c ${name} -f
${tree.flatMap((path) => linesOf(name, path)).join('\n')}
`;
}

function linesOf(name: string, { path, next, flags, operands }: CompletedPath): string[] {
  const start = `complete -c ${name} -n ${quote(`__${name}_at ${quote(path)}`)}`;
  return [
    ...next.map(({ word, help }) => `${start} -f -a ${quote(word)} -d ${quote(help)}`),
    ...flags.map((flag) => `${start} ${flagWords(flag)} -d ${quote(flag.help)}`),
    ...(operands === 'files' ? [`${start} -F`] : []),
    ...(operands === 'folders' ? [`${start} -f -a '(__fish_complete_directories)'`] : []),
  ];
}

function flagWords({ name, value }: CompletedFlag): string {
  const flag = `-o ${name}`;
  if (value === undefined) return flag;
  if (value.kind === 'words') return `${flag} -x -a ${quote(value.words.join(' '))}`;
  if (value.kind === 'folders') return `${flag} -x -a '(__fish_complete_directories)'`;
  return value.kind === 'files' ? `${flag} -r -F` : `${flag} -x`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
