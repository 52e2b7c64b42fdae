import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTinymq } from '../support/tinymq-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-completion-'));
afterAll(() => rmSync(folder, { recursive: true }));
const isThere = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0;
const scriptOf = (shell: string) => join(folder, `script.${shell}`);

beforeAll(async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, out, errors } = await runTinymq(['completion', shell]);
    expect(code, errors).toBe(0);
    writeFileSync(scriptOf(shell), out);
  }
  for (const name of ['backup-1.db', 'backup-2.db']) writeFileSync(join(folder, name), '');
});

function run(shell: string, args: readonly string[]): string[] {
  const { status, stdout, stderr } = spawnSync(shell, args, {
    cwd: folder,
    encoding: 'utf8',
    env: {
      PATH: process.env.PATH,
      HOME: folder,
    },
  });
  expect(status, stderr).toBe(0);
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

const COMPLETE: Record<string, (words: string[]) => string[]> = {
  bash: (words) => {
    const given = words.map((word) => `'${word}'`).join(' ');
    const line = `source script.bash; COMP_WORDS=(${given}); COMP_CWORD=${words.length - 1}; _tinymq; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return run('bash', ['--norc', '-c', line]);
  },
  fish: (words) => {
    const line = `source script.fish; complete -C '${words.join(' ')}'`;
    return run('fish', ['-N', '-c', line]).map((each) => each.split('\t')[0]!);
  },
};

describe.each(['bash', 'fish'])('%s', (shell) => {
  it.skipIf(!isThere(shell)).each([
    ['commands', ['cl'], ['clients', 'cluster']],
    ['the words of a group', ['clients', ''], ['kick', 'ls', 'show']],
    ['flags of a command', ['clients', 'ls', '-so'], ['-sort']],
    ['flags behind operands', ['clients', 'show', 'sensor-7', '-js'], ['-json']],
    ['words that a flag takes', ['check', '-format', ''], ['nagios', 'prometheus']],
    ['files', ['backup', 'backup-'], ['backup-1.db', 'backup-2.db']],
    ['nothing for a value that only the user knows', ['clients', 'ls', '-limit', ''], []],
    ['nothing for a word that no command has', ['zzz'], []],
  ])('completes %s', (_, words, expected) => {
    expect(COMPLETE[shell]!(['tinymq', ...words]).sort()).toEqual(expected);
  });
});

describe('zsh', () => {
  it.skipIf(!isThere('zsh'))('knows the completion', () => {
    const line = 'source script.zsh && print -r -- $_comps[tinymq]';
    expect(run('zsh', ['-f', '-c', line]).join(' ')).toContain('_tinymq');
  });
});

it('is refused for another shell', async () => {
  const { code, errors } = await runTinymq(['completion', 'tcsh']);
  expect(code).toBe(2);
  expect(errors).toContain("the shell is bash, zsh or fish, not 'tcsh'");
});
