/**
 * `make release`: everything that is given to others, in the folder `release`, out of the commit that is checked out. Nothing
 * is published. CONTRIBUTING.md says what goes before and after.
 *
 * Two runs of one commit write the same bytes: the sources come from git, the packages from the lock file, and the time in
 * every archive is that of the commit (SOURCE_DATE_EPOCH, unless it is given). Each run makes everything twice and compares:
 * that promise is easily broken by a new step, and by nothing that a test would see.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where the single file is made for. Others need a signature (macOS) or other launchers (Windows). */
const PLATFORMS = ['linux-x64', 'linux-arm64'];

/** What the Dockerfile copies, and itself. */
const CONTEXT = [
  ...['Dockerfile', '.dockerignore', 'LICENSE', 'package.json', 'package-lock.json', '.npmrc'],
  ...['tsconfig.json', 'tsup.config.ts', 'cmd', 'internal', 'pkg'],
];

const USAGE = `usage: node cmd/release/main.ts [FOLDER] [--untagged] [--once] [--platform NAME]...
  FOLDER      where everything is written: release unless given
  --untagged  to try it: the commit need not have the tag of its version
  --once      to try it in half the time: nothing is made again to compare the bytes`;

interface Wish {
  readonly target: string;
  readonly needsTag: boolean;
  readonly isCompared: boolean;
  readonly platforms: readonly string[];
}

/** The commit and what is known of it. */
interface Source {
  readonly commit: string;
  readonly version: string;
  readonly name: string;
  /** Seconds since 1970, as text. */
  readonly epoch: string;
}

main(process.argv.slice(2));

function main(args: readonly string[]): void {
  const wish = wishOf(args);
  const source = checkedSource(wish.needsTag);
  const sums = make(source, wish.platforms, wish.target);
  process.stdout.write(sums);
  if (wish.isCompared) compareWithAnother(sums, source, wish.platforms);
}

/** Writes everything into a folder that has nothing else in it, and returns its checksums. */
function make(source: Source, platforms: readonly string[], target: string): string {
  const work = mkdtempSync(join(tmpdir(), 'tinymq-release-'));
  try {
    const tree = join(work, 'tree');
    checkOut(source, tree);
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target, { recursive: true });
    packPackage(tree, target);
    for (const platform of platforms) packSingleFile(tree, platform, source, target);
    packContext(source, target);
    writeBill(tree, source, target);
    return writeChecksums(target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Makes everything again, and fails where a file has other bytes then. */
function compareWithAnother(sums: string, source: Source, platforms: readonly string[]): void {
  const again = new Set(makeAgain(source, platforms).split('\n'));
  const others = sums.split('\n').filter((line) => !again.has(line));
  if (others.length > 0) fail(`a second run made other bytes of these:\n${others.join('\n')}`);
  process.stdout.write('a second run made the same bytes\n');
}

function makeAgain(source: Source, platforms: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-release-again-'));
  try {
    return make(source, platforms, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function wishOf(args: readonly string[]): Wish {
  const platforms: string[] = [];
  const folders: string[] = [];
  let needsTag = true;
  let isCompared = true;
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    if (word === '--untagged') needsTag = false;
    else if (word === '--once') isCompared = false;
    else if (word === '--platform') platforms.push(args[++at] ?? fail(USAGE));
    else if (word.startsWith('-')) fail(USAGE);
    else folders.push(word);
  }
  const unknown = platforms.find((each) => !PLATFORMS.includes(each));
  if (unknown !== undefined)
    fail(`there is no single file for ${unknown}, only for ${PLATFORMS.join(' and ')}`);
  return {
    target: resolve(folders[0] ?? 'release'),
    needsTag,
    isCompared,
    platforms: platforms.length === 0 ? PLATFORMS : platforms,
  };
}

/** A release has a version that is tagged, and nothing in it that is not committed. */
function checkedSource(needsTag: boolean): Source {
  const commit = run('git', ['rev-parse', 'HEAD']).trim();
  const { version } = JSON.parse(run('git', ['show', 'HEAD:package.json'])) as { version: string };
  if (needsTag) {
    if (run('git', ['status', '--porcelain']) !== '') fail('the checkout has changes that are not committed');
    const tags = run('git', ['tag', '--points-at', 'HEAD']).split('\n');
    if (!tags.includes(`v${version}`)) fail(`the commit has no tag v${version}`);
  }
  const epoch = process.env.SOURCE_DATE_EPOCH ?? run('git', ['log', '-1', '--format=%ct']).trim();
  if (!/^\d+$/.test(epoch)) fail('SOURCE_DATE_EPOCH is a number of seconds since 1970');
  return { commit, version, name: `tinymq-${version}`, epoch };
}

/** The files of the commit in a folder of their own, with packages of the lock file, built. */
function checkOut({ commit }: Source, tree: string): void {
  mkdirSync(tree);
  const archive = join(tree, '..', 'tree.tar');
  run('git', ['archive', '--output', archive, commit]);
  run('tar', ['-xf', archive, '-C', tree]);
  npm(['ci'], tree);
  npm(['run', 'build'], tree);
}

/** `tinymq-VERSION.tgz`: what npm installs. */
function packPackage(tree: string, target: string): void {
  npm(['pack', '--ignore-scripts', '--pack-destination', target], tree);
}

/** `tinymq-VERSION-PLATFORM.tar.gz`: a folder with the single file, its links and its licences. */
function packSingleFile(tree: string, platform: string, { name, epoch }: Source, target: string): void {
  const folder = `${name}-${platform}`;
  const parent = mkdtempSync(join(tree, '..', 'single-'));
  const runtime = runtimeFor(tree, platform);
  run(nodeOf(tree), ['cmd/release/single-file.ts', join(parent, folder), runtime], tree);
  writeArchive(join(target, `${folder}.tar.gz`), parent, [folder], epoch);
}

/** The Node.js of the lock file for a platform, from the package that npm has of it. */
function runtimeFor(tree: string, platform: string): string {
  const version = run(nodeOf(tree), ['--version']).trim().slice(1);
  const place = mkdtempSync(join(tree, '..', 'runtime-'));
  npm(['pack', `node-${platform}@${version}`, '--pack-destination', place], tree);
  const [archive] = readdirSync(place);
  run('tar', ['-xzf', join(place, archive!), '-C', place]);
  return join(place, 'package/bin/node');
}

function nodeOf(tree: string): string {
  return join(tree, 'node_modules/node/bin/node');
}

/** `tinymq-VERSION-container.tar.gz`: what `docker build` needs. */
function packContext({ commit, name, epoch }: Source, target: string): void {
  const parent = mkdtempSync(join(tmpdir(), 'tinymq-context-'));
  try {
    const archive = join(parent, 'context.tar');
    run('git', ['archive', '--output', archive, '--prefix', `${name}-container/`, commit, ...CONTEXT]);
    run('tar', ['-xf', archive, '-C', parent]);
    writeArchive(join(target, `${name}-container.tar.gz`), parent, [`${name}-container`], epoch);
  } finally {
    rmSync(parent, { recursive: true });
  }
}

/** Order, owners and times depend on nothing but what is packed. */
function writeArchive(file: string, folder: string, names: readonly string[], epoch: string): void {
  const same = [
    '--sort=name',
    `--mtime=@${epoch}`,
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--format=gnu',
  ];
  const modes = '--mode=u+rwX,go+rX,go-w';
  run('tar', ['-cf', `${file}.tar`, ...same, modes, '-C', folder, ...names]);
  writeFileSync(file, execFileSync('gzip', ['-9', '-n', '-c', `${file}.tar`], { maxBuffer: 2 ** 30 }));
  rmSync(`${file}.tar`);
}

/** `tinymq-VERSION-sbom.json`: the packages that it depends on, in the format of CycloneDX. */
function writeBill(tree: string, { name, epoch, commit }: Source, target: string): void {
  const bill = JSON.parse(npm(['sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev'], tree));
  // npm makes a number up and takes the time of now.
  const digits = createHash('sha256').update(commit).digest('hex');
  const uuid = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `5${digits.slice(13, 16)}`,
    `8${digits.slice(17, 20)}`,
  ];
  bill.serialNumber = `urn:uuid:${uuid.join('-')}-${digits.slice(20, 32)}`;
  bill.metadata.timestamp = new Date(Number(epoch) * 1_000).toISOString();
  writeFileSync(join(target, `${name}-sbom.json`), `${JSON.stringify(bill, null, 2)}\n`);
}

/** `SHA256SUMS`, as `sha256sum --check` reads it; returns what is in it. */
function writeChecksums(target: string): string {
  const lines = readdirSync(target)
    .sort()
    .map(
      (name) =>
        `${createHash('sha256')
          .update(readFileSync(join(target, name)))
          .digest('hex')}  ${name}\n`,
    );
  const sums = lines.join('');
  writeFileSync(join(target, 'SHA256SUMS'), sums);
  return sums;
}

/** Without the list of thousands of files that npm writes about what it packs. */
function npm(args: readonly string[], cwd: string): string {
  return run('npm', [...args, '--loglevel=error'], cwd);
}

function run(command: string, args: readonly string[], cwd = '.'): string {
  return execFileSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

function fail(problem: string): never {
  process.stderr.write(`release: ${problem}\n`);
  process.exit(1);
}
