import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'tsup';
import { BUILT_IN } from '../../internal/lib/built-in.ts';
import { bundledPackages, type Metafile, notice } from './licenses.ts';

/** The programs that are links to the file. */
const LINKS = ['broker', 'publisher', 'subscriber', 'smq', 'dashmq'];

/** The modules of threads: each is a file of its own in the single file. */
const THREADS = {
  'sqlite-worker': 'internal/store/sqlite/sqlite-worker.ts',
  'access-file-worker': 'internal/access/file/access-file-worker.ts',
};

/** How the runtime starts: as the launchers start it (tsup.config.ts), and SQLite is no news to whoever runs it. */
const RUNTIME_FLAGS = ['--max-semi-space-size=8', '--disable-warning=ExperimentalWarning'];

/**
 * Makes a folder with `tinymq` as a single file, links for the other programs, and the licences of what is in it. The working
 * folder is a checkout in which `make build` has been run.
 *
 * @param runtime the Node.js that goes into it: of the version that runs this, for any processor of Linux.
 */
export async function buildSingleFile(target: string, runtime: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'tinymq-single-file-'));
  try {
    const packages = await bundle(work);
    mkdirSync(target, { recursive: true });
    const file = join(target, 'tinymq');
    copyFileSync(runtime, file);
    chmodSync(file, 0o755);
    const tool = ['node_modules/postject/dist/cli.js', file, 'NODE_SEA_BLOB', makeBlob(work)];
    execFileSync(process.execPath, [...tool, '--sentinel-fuse', FUSE], QUIETLY);
    for (const name of LINKS) {
      rmSync(join(target, name), { force: true });
      symlinkSync('tinymq', join(target, name));
    }
    copyFileSync('LICENSE', join(target, 'LICENSE'));
    writeFileSync(join(target, 'THIRD-PARTY.txt'), `${RUNTIME_NOTICE}\n${notice(packages)}`);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** What Node.js looks for in itself to know that it has a program. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

const RUNTIME_NOTICE = `The file tinymq has Node.js ${process.version} in it, whose licence and those of what it is made of are at
https://github.com/nodejs/node/blob/${process.version}/LICENSE

${'-'.repeat(80)}
`;

/** @returns the packages that are in what it wrote. */
async function bundle(work: string): Promise<string[]> {
  await build({
    config: false,
    silent: true,
    entry: { main: 'cmd/single-file/main.ts', ...THREADS },
    outDir: work,
    format: 'cjs',
    outExtension: () => ({ js: '.cjs' }),
    platform: 'node',
    target: `node${process.versions.node}`,
    removeNodeProtocol: false,
    splitting: false,
    shims: true,
    noExternal: [/./],
    metafile: true,
    esbuildPlugins: [
      {
        name: 'micromatch-within',
        setup({ onLoad }) {
          // What looks for it beside its own file finds nothing there.
          const contents = "export const micromatch = () => require('micromatch');";
          onLoad({ filter: /internal\/lib\/micromatch\.ts$/ }, () => ({ contents, loader: 'js' }));
        },
      },
    ],
  });
  const metafile = JSON.parse(readFileSync(join(work, 'metafile-cjs.json'), 'utf8')) as Metafile;
  return [...bundledPackages(metafile), ...PAGE_PACKAGES];
}

/** What the page is made of, which was bundled before. */
const PAGE_PACKAGES = ['node_modules/preact', 'node_modules/uplot'];

/** Both tools tell on the standard error what went well, and what they say when they fail is in the error. */
const QUIETLY = { stdio: 'pipe' } as const;

/** Writes the program and its files in the form that Node.js reads, and returns where. */
function makeBlob(work: string): string {
  const page = globSync('*', { cwd: 'dist/page' }).sort();
  if (page.length === 0) throw new Error('the page is not built: run make build');
  const files: [name: string, path: string][] = [
    ['package.json', 'package.json'],
    ...Object.keys(THREADS).map((name): [string, string] => [`${name}.cjs`, join(work, `${name}.cjs`)]),
    ...page.map((name): [string, string] => [`page/${name}`, `dist/page/${name}`]),
  ];
  const config = {
    // What is written here is in the file: it must not be the name of a folder that each run has anew.
    main: 'main.cjs',
    output: 'blob',
    disableExperimentalSEAWarning: true,
    execArgv: RUNTIME_FLAGS,
    assets: Object.fromEntries(files.map(([name, path]) => [`${BUILT_IN}${name}`, resolve(path)])),
  };
  writeFileSync(join(work, 'config.json'), JSON.stringify(config));
  execFileSync(process.execPath, ['--experimental-sea-config', 'config.json'], { ...QUIETLY, cwd: work });
  return join(work, config.output);
}
