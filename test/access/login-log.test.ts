import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makePassword } from '../../internal/access/users/passwords.ts';
import { MovableClock } from '../../internal/lib/clock.ts';
import { loginLog } from '../../internal/server/login-log.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { openMqtt } from '../mqtt/client.ts';
import { peerOfTest } from '../support/access.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-login-log-'));
const usersFile = join(folder, 'users.json');
const lines: string[] = [];
const note = (fields: object, message: string) => void lines.push(`${JSON.stringify(fields)} ${message}`);
const logger = { debug: note, info: note, warn: note, error: note };

let broker: RunningBroker | undefined;
beforeAll(async () => {
  const { password } = await makePassword('wonder land');
  writeFileSync(
    usersFile,
    JSON.stringify({ users: { alice: { password }, gone: { password, enabled: false } } }),
  );
});
afterEach(() => broker?.close());
afterAll(() => rmSync(folder, { recursive: true }));

describe('the log of logins', () => {
  it('says who was refused and why, bounded, and has no secret', async () => {
    broker = await startBroker({ listen: ['tcp://127.0.0.1:0'], memory: true, usersFile, logger });
    const { url } = broker;
    const attempt = async (userName: string, password: string) => {
      const client = await openMqtt(url, 5);
      const { reasonCode, properties } = await client.connect({ userName, password: Buffer.from(password) });
      client.drop();
      return `${reasonCode} ${properties.reasonString}`;
    };
    const answers = [
      await attempt('alice', 'geheim-1'),
      await attempt('gone', 'wonder land'),
      // A password in the field of the name.
      await attempt('geheim-2', ''),
    ];
    expect(new Set(answers).size).toBe(1);
    const told = lines.filter((line) => line.includes('login-refused'));
    expect(told).toHaveLength(3);
    expect(told[0]).toContain('"user":"alice"');
    expect(told[2]).toContain('"cause":"there is no such user"');
    for (const line of lines) expect(line).not.toMatch(/geheim|wonder land|scrypt\$/);
  });

  it('has a bounded number of lines each second, of which one stands for those left out', async () => {
    const clock = new MovableClock();
    const tell = loginLog(logger, clock);
    lines.length = 0;
    for (let time = 0; time < 1_000; time++) tell(peerOfTest('c'), { reason: 'no', user: 'alice' });
    const inFirst = lines.length;
    expect(inFirst).toBeLessThan(100);
    await clock.advance(1_000);
    tell(peerOfTest('c'), { reason: 'no', user: 'alice' });
    expect(lines.at(-1)).toContain(`"unlogged":${1_000 - inFirst}`);
  });
});
