import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { makeCertificates } from '../../certs/make.ts';
import { program, run } from '../support/broker-process.ts';

const deploy = fileURLToPath(new URL('../../docs/deploy/', import.meta.url));
const dockerfile = readFileSync(join(deploy, '../../Dockerfile'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'tinymq-compose-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly secrets?: readonly string[];
  readonly [other: string]: unknown;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
  readonly secrets?: Readonly<Record<string, { file: string }>>;
}

/** What the specification of Compose calls a service's own, as far as these files have it. */
const KEYS = [
  ...['image', 'build', 'command', 'environment', 'ports', 'volumes', 'secrets', 'read_only', 'cap_drop'],
  ...['security_opt', 'ulimits', 'restart', 'depends_on'],
];

/** The variables that the image sets. */
const imageVariables = Object.fromEntries(
  [...dockerfile.matchAll(/^(?:ENV | {4})(TINYMQ_\w+)=(\S+?)(?: \\)?$/gm)].map(([, name, value]) => [
    name!,
    value!,
  ]),
);

describe.each(globSync('compose*.yaml', { cwd: deploy }))('docs/deploy/%s', (name) => {
  const compose = parse(readFileSync(join(deploy, name), 'utf8')) as Compose;
  const { broker } = compose.services as { broker: Service };

  it('has services, volumes and secrets that fit together, and files that are there', () => {
    expect(Object.keys(compose).every((key) => ['services', 'volumes', 'secrets'].includes(key))).toBe(true);
    for (const service of Object.values(compose.services)) {
      expect(Object.keys(service).filter((key) => !KEYS.includes(key))).toEqual([]);
      expect(service.image).toMatch(/^tinymq$|:v?\d+\.\d+\.\d+$/);
      for (const [source, target] of service.volumes.map((each) => each.split(':'))) {
        expect(target).toMatch(/^\//);
        if (source!.startsWith('.')) expect(existsSync(join(deploy, source!)), source).toBe(true);
        else expect(Object.keys(compose.volumes)).toContain(source);
      }
      for (const secret of service.secrets ?? [])
        expect(Object.keys(compose.secrets ?? {})).toContain(secret);
    }
    expect(existsSync(join(deploy, broker.build!, 'Dockerfile'))).toBe(true);
  });

  it('mounts the volume of the image, and needs nothing else that can be written to', () => {
    const volume = /^VOLUME (\S+)$/m.exec(dockerfile)![1];
    expect(broker.volumes).toEqual([`data:${volume}`]);
    expect(broker).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
  });

  it('publishes ports on which the broker listens; one that is open to everybody on this machine only', () => {
    const variables = { ...imageVariables, ...broker.environment };
    const listening = Object.values(variables).flatMap((value) => /:(\d+)$/.exec(value)?.[1] ?? []);
    const inside = broker.ports.map((each) => each.split(':').at(-1));
    expect(inside.filter((port) => !listening.includes(port!))).toEqual([]);
    const isOpen = broker.command?.includes('-allow-anonymous') ?? false;
    if (isOpen) expect(broker.ports.every((each) => each.startsWith('127.0.0.1:'))).toBe(true);
  });

  it('has flags, variables and files with which the broker starts', async () => {
    const place = join(folder, name);
    mkdirSync(place);
    const certificates = await makeCertificates(place);
    const hash = ['users', 'hash', 'anna', '-password-file', '-'];
    const secrets: Record<string, string> = {
      'server.crt': readFileSync(certificates.serverCert, 'utf8'),
      'server.key': readFileSync(certificates.serverKey, 'utf8'),
      'users.yaml': `users:\n${(await run(program('tinymq'), hash, { input: 'Wd7fgT2p\n' })).stdout}`,
    };
    for (const secret of broker.secrets ?? []) writeFileSync(join(place, secret), secrets[secret]!);
    const env = Object.fromEntries(
      Object.entries({ ...imageVariables, ...broker.environment }).map(([variable, value]) => [
        variable,
        value.replace('/run/secrets', place).replace(/^\/data$/, join(place, 'data')),
      ]),
    );
    const checked = await run(program('broker'), ['-check-config', ...(broker.command ?? [])], { env });
    expect(checked).toMatchObject({ code: 0 });
  });
});
