import type { OptionTable } from '../../cli/options/option.ts';
import { type Program, UsageError } from '../../cli/options/program.ts';
import type { CommandGroup, Suite } from '../../cli/options/suite.ts';
import { command, type ListedCommand } from '../../cli/run-program.ts';
import { kafkaOptions, optionsFileFlag } from '../kafka-flags.ts';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { completionTree } from './tree.ts';

const options = { options: kafkaOptions.options };

export const completionProgram: Program<typeof options> = {
  name: 'tinymq completion',
  summary: 'Prints a script that completes commands and flags: for bash, zsh or fish.',
  options,
  operands: { usage: 'bash|zsh|fish', help: 'the shell', min: 1, max: 1 },
  fileFlag: optionsFileFlag,
  examples: [
    'source <(tinymq completion bash)',
    'tinymq completion fish > ~/.config/fish/completions/tinymq.fish',
  ],
};

/** @param suite all commands, this one included. */
export function completionGroup(
  suite: () => Suite<{ program: Program<OptionTable> }>,
): CommandGroup<ListedCommand> {
  const completion = command(completionProgram, async ({ operands }) => {
    process.stdout.write(scriptFor(operands[0]!, suite()));
  });
  return { title: 'The shell', commands: [{ program: completionProgram, load: async () => completion }] };
}

/** @throws UsageError for another shell. */
function scriptFor(shell: string, suite: Suite<{ program: Program<OptionTable> }>): string {
  const tree = completionTree(suite);
  if (shell === 'bash') return bashScript(suite.name, tree);
  if (shell === 'fish') return fishScript(suite.name, tree);
  if (shell === 'zsh') {
    const start = 'autoload -Uz compinit bashcompinit\ncompinit -u\nbashcompinit\n';
    return `${start}${bashScript(suite.name, tree).replace(/^#.*\n/, '')}`;
  }
  throw new UsageError(`the shell is bash, zsh or fish, not '${shell}'`);
}
