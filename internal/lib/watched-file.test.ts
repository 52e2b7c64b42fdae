import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MovableClock } from './clock.ts';
import { WatchedFile, type WatchedFileOutcome } from './watched-file.ts';

describe('a watched file', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tinymq-watched-'));
    path = join(folder, 'file');
    writeFileSync(path, '1');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function watch() {
    const clock = new MovableClock();
    const outcomes: WatchedFileOutcome[] = [];
    let told = () => {};
    const parse = (text: string) => {
      if (text === '') throw new Error('it is empty');
      return Number(text);
    };
    const report = (outcome: WatchedFileOutcome) => {
      outcomes.push(outcome);
      told();
    };
    const file = new WatchedFile(path, parse, 1_000, report, clock);
    return {
      file,
      outcomes,
      /** Has it look, and waits until it told of what it found. */
      async look() {
        const outcome = new Promise<void>((resolve) => {
          told = resolve;
        });
        await clock.advance(1_000);
        await outcome;
        return outcomes.at(-1)!.error?.message;
      },
    };
  }

  it('is read again when it is written, replaced, or a link leads elsewhere', async () => {
    const { file, look } = watch();
    expect(file.current).toBe(1);
    writeFileSync(path, '22');
    expect(await look()).toBeUndefined();
    expect(file.current).toBe(22);
    writeFileSync(`${path}.new`, '33');
    renameSync(`${path}.new`, path);
    await look();
    expect(file.current).toBe(33);
    writeFileSync(join(folder, 'other'), '44');
    unlinkSync(path);
    symlinkSync(join(folder, 'other'), path);
    await look();
    expect(file.current).toBe(44);
    file.close();
  });

  it('stays as it was where the new one is empty or gone, and says so once', async () => {
    const { file, look, outcomes } = watch();
    writeFileSync(path, '');
    expect(await look()).toContain('it is empty');
    unlinkSync(path);
    expect(await look()).toContain('no such file');
    expect(file.current).toBe(1);
    writeFileSync(path, '5');
    expect(await look()).toBeUndefined();
    expect(file.current).toBe(5);
    expect(outcomes).toHaveLength(3);
    file.close();
  });

  it('has to be there at the start', () => {
    unlinkSync(path);
    expect(() => watch()).toThrow(/cannot read .*file: no such file/);
  });
});
