import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { brokerProgram } from '../../cmd/broker/flags.ts';
import type { OptionTable } from '../../cmd/cli/options/option.ts';
import { parseProgram } from '../../cmd/cli/options/parse-program.ts';
import { chooseCommand } from '../../cmd/cli/options/suite.ts';
import { clusterConfigProgram } from '../../cmd/tinymq/cluster/flags.ts';
import { planOf } from '../../cmd/tinymq/cluster/plan.ts';
import { tinymqSuite } from '../../cmd/tinymq/suite.ts';
import { JetStreamStore } from '../../internal/cluster/jetstream-store.ts';
import { systemClock } from '../../internal/lib/clock.ts';
import { run } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { natsServer } from '../support/nats-servers.ts';
import { runTinymq } from '../support/tinymq-program.ts';

/*
 * What `tinymq cluster config` writes is what NATS servers, containers and brokers take: real servers start from the files, and
 * every flag in the compose file and in the commands that are printed is there.
 */

const folder = mkdtempSync(join(tmpdir(), 'tinymq-cluster-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const program = await natsServer();

interface Written {
  files: string[];
  steps: { title: string; commands: string[] }[];
}

let folders = 0;
async function written(...flags: string[]): Promise<{ out: string; files: string[]; commands: string[] }> {
  const out = join(folder, String(++folders));
  const { code, out: said, errors } = await runTinymq(['cluster', 'config', '-json', '-out', out, ...flags]);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  const { files, steps } = JSON.parse(said) as Written;
  return { out, files, commands: steps.flatMap(({ commands }) => commands) };
}

/** Ports for three servers each: those of a server are counted up from the first one's. */
async function localPorts(): Promise<string[]> {
  for (;;) {
    const first = await freePort();
    const taken = await Promise.all(Array.from({ length: 9 }, (_, index) => isFree(first + index)));
    if (taken.some((isPortFree) => !isPortFree)) continue;
    return ['-port', `${first}`, '-route-port', `${first + 3}`, '-monitor-port', `${first + 6}`];
  }
}

async function isFree(port: number): Promise<boolean> {
  const { createServer } = await import('node:net');
  const server = createServer();
  return new Promise((resolve) => {
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

describe('the files of a cluster', () => {
  it('have secrets that only their owner reads, and the compose file has none', async () => {
    const { out, files } = await written('-nodes', 'a,b,c', '-tls');
    const names = ['a', 'b', 'c'];
    const wanted = [
      ...names.map((name) => `${name}.conf`),
      'credentials',
      ...['ca', ...names].flatMap((name) => [`${name}.crt`, `${name}.key`]),
      'compose.yaml',
    ];
    expect(files.map((file) => file.split('/').at(-1))).toEqual(wanted);
    for (const name of readdirSync(out)) {
      const isSecret = /\.conf$|\.key$|^credentials$/.test(name);
      if (isSecret) expect(statSync(join(out, name)).mode & 0o777, name).toBe(0o600);
    }
    expect(statSync(out).mode & 0o077).toBe(0);
    const secret = readFileSync(join(out, 'credentials'), 'utf8').trim();
    const password = /password: "(.+?)"/.exec(readFileSync(join(out, 'a.conf'), 'utf8'))![1]!;
    expect(secret).toMatch(/^SU/);
    for (const name of ['a.conf', 'compose.yaml']) {
      expect(readFileSync(join(out, name), 'utf8')).not.toContain(secret);
    }
    expect(readFileSync(join(out, 'compose.yaml'), 'utf8')).not.toContain(password);
  });

  it('are never overwritten: servers and brokers have their credentials already', async () => {
    const { out } = await written('-nodes', 'a,b,c');
    const before = readFileSync(join(out, 'credentials'), 'utf8');
    rmSync(join(out, 'a.conf'));
    const again = await runTinymq(['cluster', 'config', '-nodes', 'a,b,c', '-out', out]);
    expect(again).toMatchObject({ code: 1, out: '' });
    expect(again.errors).toMatch(/b\.conf.*credentials.*is there already: name another folder with -out/);
    expect(readFileSync(join(out, 'credentials'), 'utf8')).toBe(before);
    expect(readdirSync(out)).not.toContain('a.conf');
  });

  it.each([
    [['-nodes', 'a,b'], /an even number bears no more failures/],
    [[], /-nodes is missing/],
    [['-nodes', 'a,b,c,d,e,f,g,h,i'], /more make it slower/],
    [['-nodes', 'a,A,b'], /'A': something is called so already/],
    [['-nodes', 'a,broker-a,b'], /'broker-a': something is called so/],
    [['-nodes', 'ca,b,c'], /'ca'/],
    [['-nodes', 'a b,c,d'], /is NAME or NAME=HOST/],
    [['-nodes', '../a,b,c'], /is NAME or NAME=HOST/],
    [['-nodes', 'a=x"y,b,c'], /names no host/],
    [['-nodes', 'a=,b,c'], /names no host/],
    [['-nodes', 'a,b,c', '-cluster-name', 'a.b'], /letters, digits/],
  ] as const)('are refused for %j', async (flags, wanted) => {
    const { values } = await parseProgram(clusterConfigProgram, flags, {}, '0');
    expect(() => planOf(values)).toThrow(wanted);
  });

  it('have commands that the programs take', async () => {
    const { commands } = await written('-nodes', 'a=192.0.2.1,b=[2001:db8::2],c=c.example.com', '-tls');
    expect(commands.some((line) => line.includes('tls://[2001:db8::2]:4222'))).toBe(true);
    const { commands: local } = await written('-nodes', 'a,b,c', '-local', '-cluster-name', 'other');
    const { commands: one } = await written('-nodes', 'a', '-local');
    for (const line of [...commands, ...local, ...one]) await takes(line.split(' '));
  });
});

/** Fails where a command of ours has no such flags. */
async function takes([name, ...argv]: string[]): Promise<void> {
  if (name === 'broker') await parseProgram(brokerProgram, argv, {}, '0');
  if (name !== 'tinymq') return;
  const chosen = chooseCommand(tinymqSuite, argv, '0');
  await parseProgram(chosen.command.program, chosen.argv, {}, '0');
}

describe('the compose file', () => {
  interface Service {
    image: string;
    command: string[];
    ports: string[];
    volumes: string[];
    networks?: { default: { aliases: string[] } };
    depends_on?: Record<string, unknown>;
  }

  it('has servers and brokers with flags that there are, files that are there, and ports that nobody has twice', async () => {
    const { out } = await written('-nodes', 'a,b,c=c.example.com', '-tls', '-cluster-name', 'other');
    const text = readFileSync(join(out, 'compose.yaml'), 'utf8');
    const { services } = parse(text) as { services: Record<string, Service> };
    expect(Object.keys(services)).toEqual(['a', 'b', 'c', 'broker-a', 'broker-b', 'broker-c']);
    const published = Object.values(services).flatMap(({ ports }) => ports);
    expect(published.every((each) => each.startsWith('127.0.0.1:'))).toBe(true);
    expect(new Set(published.map((each) => each.split(':')[1])).size).toBe(published.length);
    for (const [name, { image, command, volumes, networks }] of Object.entries(services)) {
      for (const volume of volumes) statSync(join(out, volume.split(':')[0]!));
      if (!name.startsWith('broker-')) {
        expect(image).toMatch(/^nats:\d+\.\d+\.\d+-alpine$/);
        expect(command).toEqual(['-c', join(out, `${name}.conf`)]);
        expect(volumes.some((each) => each.split(':')[1] === command[1])).toBe(true);
        continue;
      }
      expect(networks).toBeUndefined();
      const { values, given } = await parseProgram(
        brokerProgram as typeof brokerProgram & { options: OptionTable },
        command,
        {},
        '0',
      );
      expect(given).toContain('cluster-credentials');
      expect(values['cluster-name']).toBe('other');
      expect(values.cluster).toEqual(['tls://a:4222,tls://b:4222,tls://c.example.com:4222']);
    }
    // What a broker calls a server by is a name of its container.
    expect(services.c!.networks).toEqual({ default: { aliases: ['c.example.com'] } });
    expect(text).not.toContain('&');
  });

  it('is left out where containers mean nothing', async () => {
    for (const flags of [
      ['-nodes', 'a,b,c', '-local'],
      ['-nodes', 'a=192.0.2.1,b=192.0.2.2,c=192.0.2.3'],
    ]) {
      const { files, commands } = await written(...flags);
      expect(files.some((file) => file.endsWith('compose.yaml'))).toBe(false);
      expect(commands.some((line) => line.startsWith('docker'))).toBe(false);
    }
  });
});

describe.runIf('there' in program)('NATS servers', () => {
  const command = 'there' in program ? program.there : '';

  it('take every file, and the flags of the containers', async () => {
    const { out, files } = await written('-nodes', 'a,b,c', '-tls');
    for (const file of files.filter((each) => each.endsWith('.conf'))) {
      const tested = await run(command, ['-t', '-c', file]);
      expect(tested.stderr).toContain('is valid');
      expect(tested.code).toBe(0);
    }
    writeFileSync(join(out, 'a.conf'), 'server_name: [');
    expect((await run(command, ['-t', '-c', join(out, 'a.conf')])).code).not.toBe(0);
  });

  it.each([
    ['three', 'a,b,c', [], 3],
    ['three with TLS', 'a,b,c', ['-tls'], 3],
    ['one', 'a', ['-tls'], 1],
  ] as const)('start from them as a cluster of %s that holds logs', async (_name, nodes, flags, replicas) => {
    const { out, commands } = await written('-nodes', nodes, '-local', ...(await localPorts()), ...flags);
    const names = nodes.split(',');
    const servers = names.map((name) => startServer(command, join(out, `${name}.conf`)));
    try {
      const broker = commands
        .find((line) => line.startsWith('broker '))!
        .split(' ')
        .slice(1);
      const { values } = await parseProgram(brokerProgram, broker, {}, '0');
      const options = {
        urls: values.cluster.flatMap((item) => item.split(',')),
        credentialsFile: values['cluster-credentials'],
        tls: { caFile: values['cluster-tls-ca'] },
        monitors: values['cluster-monitor'],
        name: 'tinymq',
        fsync: 'commit' as const,
        shards: 1,
        clock: systemClock,
      };
      const store = await eventually(async () => {
        const opening = new JetStreamStore(options);
        return opening.open().then(
          () => opening,
          () => undefined,
        );
      }, 'a store on the servers');
      expect(store.replicas).toBe(replicas);
      await store.close();
      const status = commands
        .find((line) => line.startsWith('tinymq cluster status'))!
        .split(' ')
        .slice(1);
      const { code, out: shown } = await runTinymq([...status, '-json']);
      expect(code).toBe(0);
      const { servers: seen, streams } = JSON.parse(shown) as {
        servers: { server: string; problem?: string }[];
        streams: { stream: string; replicas: unknown[] }[];
      };
      expect(seen.map(({ server, problem }) => [server, problem])).toEqual(
        names.map((name) => [name, undefined]),
      );
      const shard = streams.find(({ stream }) => stream === 'tinymq-L0');
      expect(shard?.replicas.length).toBe(replicas === 1 ? 0 : 3);
    } finally {
      await Promise.all(servers.map(killed));
    }
  });
});

function startServer(command: string, config: string): ChildProcess {
  return spawn(command, ['-c', config], { stdio: 'ignore' });
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
