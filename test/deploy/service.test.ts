import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { brokerProgram } from '../../cmd/broker/flags.ts';
import { variablesOf } from '../../cmd/cli/options/program.ts';
import { brokerProcess, program, REPORTING, run, start } from '../support/broker-process.ts';

const deploy = fileURLToPath(new URL('../../docs/deploy/', import.meta.url));
const unit = readFileSync(join(deploy, 'tinymq.service'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'tinymq-service-'));
afterAll(() => rmSync(folder, { recursive: true }));

const isThere = (command: string, option: string): boolean =>
  spawnSync(command, [option]).error === undefined;
const hasSystemd = isThere('systemd-analyze', '--version');
const hasStrace = isThere('strace', '-V');

/** All values of a setting, in their order. */
function valuesOf(text: string, setting: string): string[] {
  return [...text.matchAll(new RegExp(`^${setting}=(.*)$`, 'gm'))].map(([, value]) => value!);
}

/** The variables that a unit gives to the broker. */
function variablesIn(text: string): Record<string, string> {
  const words = valuesOf(text, 'Environment').flatMap((line) => line.split(' '));
  return Object.fromEntries(words.map((word) => word.split('=') as [string, string]));
}

/** The unit, with the broker of this build in the place of the one that is installed. */
function unitFile(): string {
  const file = join(folder, 'tinymq.service');
  writeFileSync(file, unit.replace('/usr/local/bin/broker', program('broker')));
  return file;
}

describe('the unit of systemd', () => {
  it('names variables that the broker has, and a data folder that is its own', () => {
    const known = new Set(
      Object.keys(brokerProgram.options).flatMap((flag) => variablesOf(brokerProgram, flag)),
    );
    const tls = readFileSync(join(deploy, 'tinymq-tls.conf'), 'utf8');
    for (const text of [unit, tls])
      expect(Object.keys(variablesIn(text)).filter((name) => !known.has(name))).toEqual([]);
    expect(variablesIn(unit).TINYMQ_DATA_DIR).toBe(`/var/lib/${valuesOf(unit, 'StateDirectory')[0]}`);
    expect(valuesOf(unit, 'EnvironmentFile')[0]).toMatch(
      new RegExp(`^-/etc/${valuesOf(unit, 'ConfigurationDirectory')[0]}/`),
    );
  });

  it.skipIf(!hasSystemd)('has no mistake that systemd-analyze verify finds', () => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', unitFile()], {
      encoding: 'utf8',
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it.skipIf(!hasSystemd)('lets the broker do little: below 2 of 10 by systemd-analyze security', () => {
    const args = ['security', '--offline=true', '--no-pager', '--threshold=20', unitFile()];
    const { status, stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    expect(status, stdout).toBe(0);
  });

  it('takes credentials that the drop-in for TLS names', async () => {
    const tls = readFileSync(join(deploy, 'tinymq-tls.conf'), 'utf8');
    const credentials = join(folder, 'credentials');
    mkdirSync(credentials);
    const made = await makeCertificates(folder);
    const files: Record<string, string> = { 'server.crt': made.serverCert, 'server.key': made.serverKey };
    for (const line of valuesOf(tls, 'LoadCredential')) {
      const name = line.split(':')[0]!;
      writeFileSync(join(credentials, name), readFileSync(files[name]!));
    }
    const env = Object.fromEntries(
      Object.entries(variablesIn(tls)).map(([name, value]) => [name, value.replace('%d', credentials)]),
    );
    const data = ['-data-dir', join(folder, 'tls-data'), '-allow-anonymous'];
    expect(await run(program('broker'), ['-check-config', ...data], { env })).toMatchObject({ code: 0 });
  });

  it.skipIf(!hasSystemd || !hasStrace)('allows every system call that a broker makes', async () => {
    const trace = join(folder, 'trace');
    const doors = ['-address', '-kafka', '-grpc', '-http'].flatMap((door) => [door, 'localhost:0']);
    const flags = [...doors, '-keep', '#', '-data-dir', join(folder, 'data'), ...REPORTING];
    const traced = start('strace', [
      '-f',
      '-qq',
      '-e',
      'signal=none',
      '-o',
      trace,
      program('broker'),
      ...flags,
    ]);
    await using broker = await brokerProcess(traced);
    const { url } = await broker.logged({ event: 'listening', door: 'http' });
    const { host } = new URL(String(url));
    const sent = await fetch(`http://${host}/topics/a?retain`, { method: 'POST', body: 'x' });
    expect(sent.ok).toBe(true);
    expect((await fetch(`http://${host}/`)).status).toBe(200);
    expect(await run(program('tinymq'), ['check', '-data-dir', join(folder, 'data')])).toMatchObject({
      code: 0,
    });
    process.kill(broker.pid, 'SIGHUP');
    await broker.stop();
    const made = new Set(
      [...readFileSync(trace, 'utf8').matchAll(/^\d+ +(\w+)\(/gm)].map(([, name]) => name!),
    );
    expect(made.size).toBeGreaterThan(40);
    const [base, less] = valuesOf(unit, 'SystemCallFilter');
    const allowed = callsOf([base!, '@default']);
    for (const name of callsOf([less!.slice(1)])) allowed.delete(name);
    // SQLite gives its files to the owner of the folder, but only where root runs it, as the tests may.
    if (process.getuid!() === 0) made.delete('fchown');
    expect([...made].filter((name) => !allowed.has(name))).toEqual([]);
  });
});

/** The system calls of groups, with those of the groups in them. */
function callsOf(groups: readonly string[]): Set<string> {
  const calls = new Set<string>();
  for (const group of groups) {
    const { stdout } = spawnSync('systemd-analyze', ['syscall-filter', '--no-pager', group], {
      encoding: 'utf8',
    });
    const names = stdout.split('\n').flatMap((line) => /^ {4}([@\w-]+)$/.exec(line)?.[1] ?? []);
    for (const name of names) {
      if (name.startsWith('@')) for (const inner of callsOf([name])) calls.add(inner);
      else calls.add(name);
    }
  }
  return calls;
}
