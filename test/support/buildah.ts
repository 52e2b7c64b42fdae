import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './broker-process.ts';

/** The programs that the Dockerfile and the launchers need of their base, beside node and npm. */
const BASE_PROGRAMS = ['sh', 'env', 'install', 'readlink', 'dirname', 'rm', 'cp', 'id', 'cat'];

/** What addons of packages load, and no program here. */
const PARTS_OF_LIBC = ['librt.so.1', 'libdl.so.2', 'libpthread.so.0'];

const checkout = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Builds images without Docker and without a registry of images: by buildah, in a folder that goes with this object, on a
 * base that is made of this machine's files. It needs root.
 */
export class Buildah implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tinymq-images-'));

  static isThere(): boolean {
    try {
      execFileSync('buildah', ['--version'], { stdio: 'ignore' });
      return process.getuid?.() === 0;
    } catch {
      return false;
    }
  }

  async call(...args: string[]): Promise<string> {
    const places = ['--root', join(this.#folder, 'storage'), '--runroot', join(this.#folder, 'run')];
    const { code, stdout, stderr } = await run('buildah', [...places, ...args]);
    if (code !== 0)
      throw new Error(`buildah ${args[0]} failed: ${stdout.slice(-2_000)}${stderr.slice(-2_000)}`);
    return stdout.trim();
  }

  /** Gives the name of a base image to one with the pinned Node.js, npm, and a few programs of this machine. */
  async makeBase(name: string): Promise<void> {
    const container = await this.call('from', 'scratch');
    layBase(await this.call('mount', container));
    await this.call('umount', container);
    await this.call('config', '--env', 'PATH=/usr/local/bin:/usr/bin:/bin', container);
    const authorities = process.env.NODE_EXTRA_CA_CERTS;
    if (authorities !== undefined)
      await this.call('config', '--env', 'NODE_EXTRA_CA_CERTS=/authorities.crt', container);
    await this.call('commit', '--quiet', container, name);
    await this.call('rm', container);
  }

  /** Builds the Dockerfile of a folder, with this machine's settings of npm, which say where packages come from. */
  async build(context: string, image: string): Promise<void> {
    const settings = (await run('npm', ['config', 'get', 'userconfig'])).stdout.trim();
    const volume = existsSync(settings) ? ['--volume', `${settings}:/usr/local/etc/npmrc:ro`] : [];
    const how = ['--format', 'docker', '--isolation', 'chroot', '--pull-never', '--quiet', ...volume];
    await this.call('build', ...how, '--tag', image, context);
  }

  /** The files of an image, in a folder that may be changed. */
  async files(image: string): Promise<string> {
    return this.call('mount', await this.call('from', '--pull-never', image));
  }

  [Symbol.dispose](): void {
    const places = ['--root', join(this.#folder, 'storage'), '--runroot', join(this.#folder, 'run')];
    execFileSync('buildah', [...places, 'umount', '--all'], { stdio: 'ignore' });
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function layBase(root: string): void {
  for (const folder of [
    'bin',
    'etc',
    'proc',
    'dev',
    'sys',
    'root',
    'tmp',
    'usr/bin',
    'usr/local/bin',
    'usr/local/lib',
  ])
    mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
  const node = realpath(join(checkout, 'node_modules/.bin/node'));
  layWithLibraries(root, node, '/usr/local/bin/node');
  for (const name of BASE_PROGRAMS) layWithLibraries(root, realpath(which(name)), `/bin/${name}`);
  symlinkSync('../../bin/env', join(root, 'usr/bin/env'));
  const npm = resolve(dirname(realpath(which('npm'))), '..');
  cpSync(npm, join(root, 'usr/local/lib/npm'), { recursive: true });
  symlinkSync('../lib/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
  const authorities = process.env.NODE_EXTRA_CA_CERTS;
  if (authorities !== undefined) cpSync(authorities, join(root, 'authorities.crt'), { dereference: true });
}

/** Copies a program, and the libraries that it says it loads, to the places where it looks for them. */
function layWithLibraries(root: string, program: string, place: string): void {
  cpSync(program, join(root, place));
  const libraries = [...execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)].map(
    ([, path]) => path,
  );
  const beside = dirname(libraries.find((path) => path.includes('/libc.so'))!);
  for (const library of [...libraries, ...PARTS_OF_LIBC.map((name) => join(beside, name))]) {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    if (existsSync(library) && !existsSync(join(root, library)))
      cpSync(realpath(library), join(root, library));
  }
}

function which(name: string): string {
  return execFileSync('sh', ['-c', 'command -v "$0"', name], { encoding: 'utf8' }).trim();
}

function realpath(path: string): string {
  return execFileSync('readlink', ['-f', path], { encoding: 'utf8' }).trim();
}
