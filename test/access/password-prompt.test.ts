import { scryptSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import type { ProgramName } from '../support/broker-process.ts';
import { urlOf } from '../support/listeners.ts';
import { startInTerminal, type TerminalProgram } from '../support/pseudo-terminal.ts';
import { runTinymq } from '../support/tinymq-program.ts';

const CTRL_C = '\x03';
const CTRL_D = '\x04';
const CTRL_U = '\x15';
const BACKSPACE = '\x7f';
const ARROW_LEFT = '\x1b[D';
const ENTER = '\r';
/** Whether the terminal shows again what is typed. */
const TELL_ECHO = 'stty -a | grep -ow -- "-*echo"';

describe('a password that is typed twice', () => {
  const hash = (keys: string[]) => typedInto('tinymq', ['users', 'hash', 'anna'], keys, 'Password of anna: ');

  it('is taken as it was meant, with keys that take back, and is never shown', async () => {
    const first = `junk${CTRL_U}open-sésame-78${BACKSPACE}${ARROW_LEFT}7${ENTER}`;
    const { code, screen } = await hash([first, `open-sésame-77${ENTER}`]);
    expect(code, screen).toBe(0);
    expect(screen).not.toMatch(/sésame|junk/);
    expect(await isHashOf('open-sésame-77', screen)).toBe(true);
  });

  it('may be pasted in one piece', async () => {
    const { code, screen } = await hash([`open-sesame-77${ENTER}open-sesame-77${ENTER}`]);
    expect(code, screen).toBe(0);
    expect(await isHashOf('open-sesame-77', screen)).toBe(true);
  });

  it('is refused where it differs the second time', async () => {
    const { code, screen } = await hash([`open-sesame-77${ENTER}`, `open-sesame-78${ENTER}`]);
    expect(code).toBe(1);
    expect(screen).toContain('the two passwords differ');
  });

  it.each([
    ['control-c', CTRL_C],
    ['control-d', CTRL_D],
  ])('is not given by %s', async (_, key) => {
    const { code, screen } = await hash([`abc${key}`]);
    expect([code, screen.replace(/\s+/g, ' ')]).toEqual([
      1,
      'Password of anna: tinymq users hash: no password was given ',
    ]);
  });

  it.each([
    ['given', [`abc-def-1${ENTER}`, `abc-def-1${ENTER}`]],
    ['not given', [CTRL_C]],
  ])('leaves the terminal as it was when it is %s', async (_, keys) => {
    using program = startInTerminal('tinymq', ['users', 'hash'], { afterwards: TELL_ECHO });
    await typeAll(program, keys, 'Password: ');
    await program.ended;
    expect(program.screen().trim().split(/\s+/).at(-1)).toBe('echo');
  });
});

describe('a password that is typed to log in', () => {
  let broker: RunningBroker;
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-prompt-'));

  beforeAll(async () => {
    const added = await runTinymq(
      ['users', 'add', 'anna', '-admin', '-password-file', '-', '-data-dir', folder],
      'open-sesame-77\n',
    );
    expect(added.code, added.errors).toBe(0);
    broker = await startBroker({ listen: ['tcp://127.0.0.1:0'], dataDir: folder });
  });
  afterAll(async () => {
    await broker.close();
    rmSync(folder, { recursive: true });
  });

  const publish = (password: string) => {
    const args = ['-address', urlOf(broker, 'frames'), '-user', 'anna', '-topic', 'a', '-message', 'm'];
    return typedInto('publisher', args, [`${password}${ENTER}`], 'Password of anna: ');
  };

  it('lets the user in, and is never shown', async () => {
    const { code, screen } = await publish('open-sesame-77');
    expect(code, screen).toBe(0);
    expect(screen).not.toContain('sesame');
  });

  it('is refused where it is wrong', async () => {
    const { code, screen } = await publish('open-sesame-78');
    expect(code).toBe(1);
    expect(screen).toContain('bad-credentials');
  });
});

/** Runs a program, and types into the terminal when that asks. */
async function typedInto(name: ProgramName, args: string[], keys: string[], prompt: string) {
  using program = startInTerminal(name, args);
  await typeAll(program, keys, prompt);
  return { code: await program.ended, screen: program.screen() };
}

async function typeAll(program: TerminalProgram, [first, ...more]: string[], prompt: string): Promise<void> {
  await program.shows(prompt);
  program.type(first!);
  for (const keys of more) {
    await program.shows('The same again: ');
    program.type(keys);
  }
}

async function isHashOf(password: string, screen: string): Promise<boolean> {
  const [, n, r, p, salt, hash] = /password: scrypt\$(\d+)\$(\d+)\$(\d+)\$([^$\s]+)\$(\S+)/.exec(screen)!;
  const key = Buffer.from(hash!, 'base64');
  const costs = { N: Number(n), r: Number(r), p: Number(p), maxmem: 256 * 1024 * 1024 };
  const made = scryptSync(Buffer.from(password), Buffer.from(salt!, 'base64'), key.length, costs);
  return made.equals(key);
}
