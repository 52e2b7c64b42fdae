import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { usersFileInThreadBytes } from '../../limits/access.ts';
import { AccessFile, type AccessFileOutcome } from './access-file.ts';

const folders: string[] = [];
const opened: AccessFile[] = [];
afterEach(async () => {
  for (const file of opened.splice(0)) await file.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-users-'));
  folders.push(folder);
  return folder;
}

const naming = (...names: string[]) => `users:\n${names.map((name) => `  ${name}:\n`).join('')}`;

async function open(path: string, watchMs = 5) {
  const taken: string[] = [];
  const outcomes: AccessFileOutcome[] = [];
  const file = await AccessFile.open({
    file: path,
    watchMs,
    take: ({ users }) => taken.push(users.map(({ name }) => name).join(' ')),
    report: (outcome) => outcomes.push(outcome),
  });
  opened.push(file);
  const refusals = () =>
    outcomes.flatMap((outcome) => (outcome.kind === 'refused' ? [outcome.error.message] : []));
  return { file, taken, refusals, outcomes };
}

describe('the file of users', () => {
  it('is read at the start, or ends it', async () => {
    const path = join(newFolder(), 'users.yaml');
    await expect(open(path)).rejects.toThrow(`cannot read ${path}: no such file or folder`);
    writeFileSync(path, '');
    await expect(open(path)).rejects.toThrow(`${path} is not used: it is empty`);
    writeFileSync(path, Buffer.from('users:\n  \xe4:\n', 'latin1'));
    await expect(open(path)).rejects.toThrow('it is no text in UTF-8');
    mkdirSync(`${path}.d`);
    await expect(open(`${path}.d`)).rejects.toThrow(`cannot read ${path}.d: it is a folder`);
    writeFileSync(path, naming('anna'));
    expect((await open(path)).taken).toEqual(['anna']);
  });

  it('is read again when it is written, replaced, or reached by other links', async () => {
    const folder = newFolder();
    // As Kubernetes mounts it: the file is a link into a folder that is itself a link, which is switched.
    for (const name of ['one', 'two']) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'users.yaml'), naming(name));
    }
    symlinkSync('one', join(folder, '..data'));
    const path = join(folder, 'users.yaml');
    symlinkSync('..data/users.yaml', path);
    const { taken } = await open(path);
    const next = async (name: string) =>
      eventually(() => taken.at(-1) === name, `users are those of ${name}, not ${taken}`);
    symlinkSync('two', join(folder, '..new'));
    renameSync(join(folder, '..new'), join(folder, '..data'));
    await next('two');
    writeFileSync(path, naming('written'));
    await next('written');
    writeFileSync(join(folder, 'other'), naming('renamed'));
    renameSync(join(folder, 'other'), path);
    await next('renamed');
    rmSync(path);
    writeFileSync(path, naming('made_anew'));
    await next('made_anew');
    // The same length, and a time that a careful tool put back.
    const longAgo = new Date(1_000_000_000_000);
    utimesSync(path, longAgo, longAgo);
    writeFileSync(path, naming('made_anex'));
    utimesSync(path, longAgo, longAgo);
    await next('made_anex');
  });

  it('stays what it was while it is broken, which is told once, and heals', async () => {
    const path = join(newFolder(), 'users.yaml');
    writeFileSync(path, naming('anna'));
    const { taken, refusals, file } = await open(path);
    const told = async (count: number, text: string) => {
      await eventually(() => refusals().length === count, `${count} refusals, not ${refusals()}`);
      expect(refusals().at(-1)).toContain(text);
    };
    writeFileSync(path, 'users: [\n');
    await told(1, `${path} is not used: line `);
    rmSync(path);
    await told(2, 'no such file or folder');
    writeFileSync(path, '');
    await told(3, 'it is empty');
    writeFileSync(path, naming('ben').slice(0, -1));
    await told(4, 'it may be cut off');
    writeFileSync(path, naming('anna', 'ben'));
    await eventually(() => taken.length === 2, 'the file that works again');
    expect(taken).toEqual(['anna', 'anna ben']);
    await file.reload();
    expect(taken).toHaveLength(2);
    expect(refusals()).toHaveLength(4);
  });

  it('is tried again by itself where it could not be read', async () => {
    const path = join(newFolder(), 'users.yaml');
    writeFileSync(path, naming('anna'));
    const { taken, refusals } = await open(path);
    // A file that cannot be opened but can be looked at, as without descriptors, is a loop of links to whoever opens it.
    renameSync(path, `${path}.away`);
    symlinkSync('users.yaml', path);
    await eventually(() => refusals().length === 1, 'the refusal');
    rmSync(path);
    writeFileSync(`${path}.away`, naming('ben'));
    renameSync(`${path}.away`, path);
    await eventually(() => taken.at(-1) === 'ben', 'the new users');
  });

  it('is read when somebody asks, and says what is wrong each time', async () => {
    const path = join(newFolder(), 'users.yaml');
    writeFileSync(path, naming('anna'));
    const { taken, refusals, file, outcomes } = await open(path, 3_600_000);
    await file.reload();
    expect(outcomes).toEqual([{ kind: 'unchanged' }]);
    writeFileSync(path, 'users: 1\n');
    await file.reload();
    await file.reload();
    expect(refusals()).toHaveLength(2);
    writeFileSync(path, naming('ben'));
    await Promise.all([file.reload(), file.reload()]);
    expect(taken).toEqual(['anna', 'ben']);
  });

  it('may be so large that it is read in a thread', async () => {
    const path = join(newFolder(), 'users.yaml');
    const names = Array.from({ length: usersFileInThreadBytes / 8 }, (_, index) => `u${index}`);
    writeFileSync(path, naming(...names));
    const { taken, refusals } = await open(path);
    expect(taken[0]!.split(' ')).toHaveLength(names.length);
    writeFileSync(path, `${naming(...names)}  u1: {secret: x}\n`);
    await eventually(() => refusals().length === 1, 'the refusal');
    expect(refusals()[0]).toContain(`line ${names.length + 2}: users has 'u1' twice`);
  });
});
