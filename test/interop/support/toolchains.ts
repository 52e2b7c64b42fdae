import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, readdirSync, readFileSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasJava, kafkaClasspath } from '../../support/apache-kafka.ts';
import { installedOnce, mustRun } from '../../support/installed-once.ts';

/** Where the client programs are. */
export const CLIENTS = fileURLToPath(new URL('../clients/', import.meta.url));

/** Something that a family of clients needs, or why it is not here. */
export type Toolchain<T> = { there: T } | { missing: string };

/**
 * Gets a toolchain ready. On a machine of a developer whatever is missing keeps these tests from running, with a word;
 * in CI it is a failure.
 */
export async function toolchain<T>(
  needs: string,
  isThere: boolean,
  install: () => Promise<T>,
): Promise<Toolchain<T>> {
  if (!isThere && !process.env.CI) return { missing: `cannot run here, it needs ${needs}` };
  return { there: await install() };
}

/** Pythons with the packages of the two requirements files. */
export function python(): Promise<Toolchain<{ current: string; old: string }>> {
  return toolchain('python3 with venv', succeeds('python3', '-m', 'venv', '-h'), async () => ({
    current: await pythonWith('requirements.txt'),
    old: await pythonWith('requirements-old.txt'),
  }));
}

async function pythonWith(requirements: string): Promise<string> {
  const file = join(CLIENTS, 'python', requirements);
  const folder = await installedOnce('python', readFileSync(file, 'utf8'), async (into) => {
    await mustRun('python3', ['-m', 'venv', into]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', file];
    await mustRun(join(into, 'bin/python'), pip);
  });
  return join(folder, 'bin/python');
}

/** The command that runs the tests of our own client in Python, which needs no package. */
export function pythonTests(): Toolchain<string[]> {
  const isThere = succeeds('python3', '-c', 'import sys; sys.exit(sys.version_info < (3, 11))');
  if (!isThere && !process.env.CI) return { missing: 'cannot run here, it needs python3 from 3.11 on' };
  return { there: ['python3', '-m', 'unittest', '-v'] };
}

/** The command that runs the tests of our own client in Go. */
export function goTests(): Toolchain<string[]> {
  if (!succeeds('go', 'version') && !process.env.CI) return { missing: 'cannot run here, it needs go' };
  return { there: ['go', 'test', '-race', '-count=1', '-v', './...'] };
}

/** A Python that has our own client, as from PyPI, and a checker of its types. */
export function pythonPackage(): Promise<Toolchain<string>> {
  const isThere = !('missing' in pythonTests()) && succeeds('python3', '-m', 'venv', '-h');
  return toolchain('python3 from 3.11 on, with venv', isThere, async () => {
    const source = fileURLToPath(new URL('../../../pkg/python', import.meta.url));
    const folder = await installedOnce('python-package', sourcesIn(source), async (into) => {
      await mustRun('python3', ['-m', 'venv', into]);
      // A build leaves files beside what it builds.
      cpSync(source, join(into, 'source'), { recursive: true });
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
      await mustRun(join(into, 'bin/python'), [...pip, 'mypy==1.18.2', join(into, 'source')]);
    });
    return join(folder, 'bin/python');
  });
}

/** The programs of the Go module, built. */
export function go(): Promise<Toolchain<(program: string) => string>> {
  return toolchain('go', succeeds('go', 'version'), async () => {
    const module = join(CLIENTS, 'go');
    const folder = await installedOnce('go', sourcesIn(module), async (into) => {
      await mustRun('go', ['build', '-o', `${into}/`, './...'], module);
    });
    return (program) => join(folder, program);
  });
}

/** Where the packages of the Node programs are, as they find it in `PACKAGES`. */
export function node(): Promise<Toolchain<string>> {
  return toolchain('npm', succeeds('npm', '--version'), async () => {
    const files = ['package.json', 'package-lock.json'].map((name) => join(CLIENTS, 'node', name));
    const recipe = files.map((file) => readFileSync(file, 'utf8')).join('\n');
    const folder = await installedOnce('node', recipe, async (into) => {
      for (const file of files) copyFileSync(file, join(into, basename(file)));
      await mustRun('npm', ['ci', '--silent', '--omit=optional', '--ignore-scripts', '--no-audit'], into);
    });
    return join(folder, 'package.json');
  });
}

/** The command that starts the Java client. */
export function java(): Promise<Toolchain<string[]>> {
  return toolchain('java and mvn', hasJava(), async () => {
    const classpath = await kafkaClasspath();
    const sources = join(CLIENTS, 'java');
    const folder = await installedOnce('java', `${sourcesIn(sources)}\n${ARCHIVE}`, async (into) => {
      await mustRun('javac', ['-cp', classpath, '-d', into, join(sources, 'KafkaClients.java')]);
      await archiveClasses(classpath, into);
    });
    const jvm = [
      '-Xmx256m',
      ...JVM,
      '-XX:TieredStopAtLevel=1',
      `-XX:SharedArchiveFile=${join(folder, ARCHIVE)}`,
    ];
    return ['java', ...jvm, '-cp', [classpath, folder].join(delimiter), 'KafkaClients'];
  });
}

/** No word that is not the program's own, of the JVM neither: what it prints is JSON. */
const JVM = ['-XX:+UseSerialGC', '-Xlog:disable', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];
const ARCHIVE = 'classes.jsa';

/**
 * Writes the classes of Kafka that a producer loads into an archive that the JVM maps: it starts a hundred times, in half of the
 * processor time. One that does not fit (another JVM, other packages) is passed over.
 */
async function archiveClasses(classpath: string, folder: string): Promise<void> {
  const list = join(folder, 'classes');
  const listing = [...JVM, '-Xshare:off', `-XX:DumpLoadedClassList=${list}`];
  // A producer that has nothing to send connects to nobody.
  const client = ['-cp', [classpath, folder].join(delimiter), 'KafkaClients', 'produce', '{}'];
  await mustRun('env', ['BOOTSTRAP=localhost:1', 'java', ...listing, ...client]);
  const archive = [`-XX:SharedClassListFile=${list}`, `-XX:SharedArchiveFile=${join(folder, ARCHIVE)}`];
  await mustRun('java', [...JVM, '-Xshare:dump', ...archive, '-cp', classpath]);
}

/** The kcat of this machine. */
export function kcat(): Toolchain<string> {
  return programOf('kcat', succeeds('kcat', '-V') ? 'kcat' : undefined);
}

/** The Chromium of this machine. */
export function chromium(): Toolchain<string> {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const there = names.find((name) => succeeds(name, '--version'));
  return programOf('chromium', there);
}

/** A program of the machine, which tests do not install: `make test-setup` does. */
function programOf(name: string, there: string | undefined): Toolchain<string> {
  if (there !== undefined) return { there };
  return { missing: `cannot run here, it needs ${name}: make test-setup installs it` };
}

/** Whether a program is there and well. */
export function succeeds(command: string, ...args: string[]): boolean {
  return spawnSync(command, args).status === 0;
}

/** Everything that a build depends on. */
function sourcesIn(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  return files
    .map((file) => join(file.parentPath, file.name))
    .sort()
    .map((path) => `${path.slice(folder.length)}\n${readFileSync(path, 'utf8')}`)
    .join('\n');
}
